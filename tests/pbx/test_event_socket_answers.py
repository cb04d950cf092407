"""What FreeSWITCH prints, read as values; and the switch as the agent uses it."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from pbx.agent import switch_answers
from pbx.agent.event_socket import CommandFailed, Login, SocketLost
from pbx.agent.switch import Switch
from pbx.agent.switch_answers import (
    Binding,
    Channel,
    GatewayState,
    ProfilePhone,
    SofiaLine,
)
from tests.pbx.event_socket_server import PASSWORD, FakeSwitch

CALL = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
GATEWAY = UUID("abcdefab-1111-4111-8111-111111111111")


def registration(number="1001", realm="acme.pbx.example", **more):
    """A row of `show registrations as json`: every value is text."""
    return {
        "reg_user": number,
        "realm": realm,
        "token": "call-id-1@203.0.113.9",
        "url": f"sofia/internal/sip:{number}@203.0.113.9:5060;fs_path=sip%3A1,2",
        "expires": "1773144060",
        "network_ip": "203.0.113.9",
        "network_port": "5060",
        "network_proto": "udp",
        "hostname": "pbx",
        "metadata": "",
        **more,
    }


def channel(uuid=CALL, context="acme.pbx.example", presence_id="1001@acme.pbx.example"):
    return {
        "uuid": uuid,
        "direction": "inbound",
        "created": "2026-03-10 12:00:00",
        "created_epoch": "1773144000",
        "name": "sofia/internal/1001@acme.pbx.example",
        "state": "CS_EXECUTE",
        "cid_name": "Front desk",
        "cid_num": "1001",
        "dest": "4940123456",
        "context": context,
        "presence_id": presence_id,
    }


REGISTRATIONS_XML = """<?xml version="1.0" encoding="ISO-8859-1"?>
<profile>
  <profile-info><name>internal</name></profile-info>
  <registrations>
    <registration>
      <call-id>call-id-1@203.0.113.9</call-id>
      <user>1001@acme.pbx.example</user>
      <contact>"Front" &lt;sip:1001@203.0.113.9:5060;a=1&amp;b=2&gt;</contact>
      <agent>Yealink & Sons\x07 T54W &amp; more</agent>
      <status>Registered(UDP-NAT)(unknown) exp(2026-03-10 12:01:00) expsecs(60)</status>
      <ping-status>Reachable</ping-status>
      <host>pbx</host>
      <network-ip>203.0.113.9</network-ip>
      <network-port>5060</network-port>
      <sip-auth-user>1001</sip-auth-user>
      <sip-auth-realm>acme.pbx.example</sip-auth-realm>
    </registration>
  </registrations>
</profile>
"""

SOFIA_XML = """<?xml version="1.0" encoding="ISO-8859-1"?>
<profiles>
<profile><name>internal</name><type>profile</type><data>sip:mod_sofia@192.0.2.1:5060</data>
<state>RUNNING (2)</state></profile>
<gateway><name>external::abcdefab-1111-4111-8111-111111111111</name><type>gateway</type>
<data>sip:acme@sip.carrier.example</data><state>REGED</state></gateway>
<alias><name>pbx.example</name><type>alias</type><data>internal</data><state>ALIASED</state></alias>
</profiles>
"""

GATEWAY_XML = """<gateway>
  <name>abcdefab-1111-4111-8111-111111111111</name>
  <username>acme</username>
  <password>hunter2</password>
  <state>FAIL_WAIT</state>
  <status>DOWN</status>
</gateway>
"""


@pytest.fixture
def fake():
    server = FakeSwitch()
    yield server
    server.stop()


@pytest.fixture
def switch(fake):
    return Switch(Login("127.0.0.1", fake.port, PASSWORD))


# --- Registrations ---


def test_registrations_are_read_with_their_end(fake, switch):
    fake.registrations = [registration()]

    assert switch.registrations() == [
        Binding(
            number="1001",
            domain="acme.pbx.example",
            call_id="call-id-1@203.0.113.9",
            profile="internal",
            address="203.0.113.9",
            port=5060,
            expires_at=datetime(2026, 3, 10, 12, 1, tzinfo=UTC),
        )
    ]


def test_no_registrations_come_without_rows(fake, switch):
    assert fake.output("show registrations as json") == '{"row_count": 0}'
    assert switch.registrations() == []


def test_a_row_with_gaps_is_read_as_far_as_it_goes(fake, switch):
    fake.registrations = [{"reg_user": "1001", "realm": None, "expires": "soon", "url": "none"}]

    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert switch.registrations() == [Binding("1001", "", "", "", "", 0, epoch)]


@pytest.mark.parametrize("text", ["", "-", "[]", "{", '{"rows": 7}', '{"rows": [1]}', "null"])
def test_an_answer_that_is_no_table_is_not_taken_for_an_empty_one(fake, switch, text):
    fake.outputs["show registrations as json"] = text

    with pytest.raises(SocketLost):
        switch.registrations()


def test_a_profiles_phones_are_read_in_spite_of_what_phones_call_themselves(fake, switch):
    fake.outputs["sofia xmlstatus profile internal reg"] = REGISTRATIONS_XML

    assert switch.profile_phones("internal") == [
        ProfilePhone(
            number="1001",
            domain="acme.pbx.example",
            call_id="call-id-1@203.0.113.9",
            user_agent="Yealink & Sons T54W & more",
            address="203.0.113.9",
            port=5060,
            expires_in_s=60,
        )
    ]


def test_a_profile_without_phones_has_none(fake, switch):
    fake.outputs["sofia xmlstatus profile internal reg"] = (
        "<profile>\n<registrations>\n</registrations>\n</profile>\n"
    )

    assert switch.profile_phones("internal") == []


def test_an_unknown_profile_is_an_error(fake, switch):
    fake.outputs["sofia xmlstatus profile internal reg"] = "Invalid Profile!\n"

    with pytest.raises(CommandFailed, match="Invalid Profile!"):
        switch.profile_phones("internal")


@pytest.mark.parametrize(
    "text", ["<profile>", "", '<!DOCTYPE x [<!ENTITY a "b">]><profile>&a;</profile>']
)
def test_xml_that_cannot_be_read_is_not_taken_for_an_empty_one(text):
    with pytest.raises(SocketLost):
        switch_answers.read_profile_phones(text)


def test_a_dropped_phone_is_gone_and_the_others_stay(fake, switch):
    fake.registrations = [registration(), registration("1002"), registration(realm="b.example")]

    switch.drop_registration("internal", number="1001", domain="acme.pbx.example")

    assert [(one.number, one.domain) for one in switch.registrations()] == [
        ("1002", "acme.pbx.example"),
        ("1001", "b.example"),
    ]


@pytest.mark.parametrize("number", ["", "1001 reboot", "1001\n", "*", "1001;x"])
def test_a_phone_that_is_no_word_is_never_sent(fake, switch, number):
    with pytest.raises(ValueError, match="cannot be part of a command"):
        switch.drop_registration("internal", number=number, domain="acme.pbx.example")

    assert fake.commands == []


# --- Channels ---


def test_channels_are_read_with_their_tenant(fake, switch):
    fake.channels = [
        channel(),
        channel("b", "public", "1001@ACME.pbx.example"),
        channel("c", "x", ""),
    ]

    found = switch.channels()

    assert found[0] == Channel(
        uuid=CALL,
        direction="inbound",
        started_at=datetime(2026, 3, 10, 12, tzinfo=UTC),
        caller="1001",
        destination="4940123456",
        context="acme.pbx.example",
        presence_id="1001@acme.pbx.example",
    )
    assert [one.belongs_to("acme.pbx.example") for one in found] == [True, True, False]


def test_a_call_is_ended_and_may_have_ended_before(fake, switch):
    fake.channels = [channel()]

    switch.hang_up(CALL)
    switch.hang_up(CALL)

    assert switch.channels() == []
    assert fake.commands[:2] == [f"api uuid_kill {CALL}"] * 2
    with pytest.raises(ValueError, match="uuid"):
        switch.hang_up("all")


def test_a_call_that_cannot_be_ended_is_an_error(fake, switch):
    fake.outputs[f"uuid_kill {CALL}"] = "-ERR permission denied\n"

    with pytest.raises(CommandFailed, match="permission denied"):
        switch.hang_up(CALL)


# --- Profiles and gateways ---


def test_profiles_gateways_and_aliases_have_their_states(fake, switch):
    fake.outputs["sofia xmlstatus"] = SOFIA_XML

    assert switch.sofia_status() == [
        SofiaLine("profile", "internal", "RUNNING"),
        SofiaLine("gateway", "abcdefab-1111-4111-8111-111111111111", "REGED"),
        SofiaLine("alias", "pbx.example", "ALIASED"),
    ]


def test_a_gateway_is_found_in_either_case_and_its_password_is_not_kept(fake, switch):
    fake.outputs[f"sofia xmlstatus gateway {GATEWAY}"] = "Invalid Gateway!\n"
    fake.outputs[f"sofia xmlstatus gateway {str(GATEWAY).upper()}"] = GATEWAY_XML

    state = switch.gateway_state(GATEWAY)

    assert state == GatewayState(state="FAIL_WAIT", is_up=False)
    assert "hunter2" not in repr(state)


def test_a_gateway_that_is_not_loaded_is_an_error(fake, switch):
    for name in (str(GATEWAY), str(GATEWAY).upper()):
        fake.outputs[f"sofia xmlstatus gateway {name}"] = "Invalid Gateway!\n"

    with pytest.raises(CommandFailed, match="Invalid Gateway!"):
        switch.gateway_state(GATEWAY)


def test_a_gateways_password_is_not_in_the_error_of_broken_xml(fake, switch):
    fake.outputs[f"sofia xmlstatus gateway {GATEWAY}"] = GATEWAY_XML.replace("</state>", "")

    with pytest.raises(SocketLost) as caught:
        switch.gateway_state(GATEWAY)

    assert "hunter2" not in str(caught.value)


def test_gateways_are_looked_for_anew(fake, switch):
    fake.outputs["sofia profile external rescan"] = "+OK scan complete\n"

    switch.rescan_gateways("external")

    assert fake.commands == ["api sofia profile external rescan"]


# --- Status ---


def test_the_uptime_is_read_in_seconds(fake, switch):
    fake.outputs["status"] = (
        "UP 1 year, 3 days, 4 hours, 0 minutes, 1 second, 344 milliseconds, 902 microseconds\n"
        "FreeSWITCH (Version 1.10.12 -release 64bit) is ready\n"
        "6 session(s) since startup\n"
    )

    assert switch.uptime_s() == 365 * 86400 + 3 * 86400 + 4 * 3600 + 1


@pytest.mark.parametrize("text", ["DOWN\n", "UP\n", "Shutting down in 3 seconds\n"])
def test_a_status_without_an_uptime_is_not_zero(fake, switch, text):
    fake.outputs["status"] = text

    with pytest.raises(SocketLost, match="status cannot be read"):
        switch.uptime_s()
