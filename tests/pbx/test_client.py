"""The wire client against the sandbox over real HTTP: values, errors, what is recorded."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from pbx.agent.sandbox_calls import CallSpec
from pbx.answers import RemoteCall, read_allow_list_answer, read_calls
from pbx.client import AgentClient
from provisioning.contract import (
    CredentialsRejected,
    RemoteNotFound,
    RemoteRejected,
    RemoteUnavailable,
)
from provisioning.wire import UnexpectedAnswer

TENANT = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
FIRST = "33333333-3333-4333-8333-333333333333"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def tenant(client):
    return client.put_tenant(TENANT, domain="acme.pbx.example", description="")


def test_a_tenant_comes_back_as_it_is(client, remote):
    remote.set_clock(NOON)

    tenant = client.put_tenant(TENANT, domain="acme.pbx.example", description="service 7")

    assert (tenant.tenant_id, tenant.domain) == (TENANT, "acme.pbx.example")
    assert (tenant.suspended, tenant.numbers) == (False, ())
    assert abs(tenant.created_at - NOON) < timedelta(minutes=1)
    assert client.list_tenants() == [tenant] == [client.get_tenant(TENANT)]


def test_an_extension_comes_back_with_its_secret_and_hides_it(client, tenant):
    extension = client.put_extension(TENANT, FIRST, number="1001", name="Front desk")

    assert (extension.number, extension.name, extension.enabled) == ("1001", "Front desk", True)
    assert len(extension.password) == 20
    assert extension.password not in repr(extension)
    assert client.list_extensions(TENANT) == [extension]


def test_calls_become_values_in_utc(client, tenant, remote):
    remote.set_clock(NOON + timedelta(hours=1))
    client.put_extension(TENANT, FIRST, number="1001", name="")
    stored_at = NOON + timedelta(minutes=30)
    answered, missed, orphan = (
        remote.make_calls(
            owner, [CallSpec("1001", "4940123456", NOON, billsec=billsec, insert_date=stored_at)]
        )[0]
        for owner, billsec in ((TENANT, 60), (TENANT, 0), (None, 60))
    )

    page = client.fetch_calls(since=stored_at)

    assert (page.has_more, page.next[:26]) == (False, "2026-03-10T12:30:00.000000")
    calls = {str(call.uuid): call for call in page.calls}
    assert calls[answered] == RemoteCall(
        uuid=UUID(answered),
        tenant_id=TENANT,
        domain="acme.pbx.example",
        extension_id=FIRST,
        direction="outbound",
        leg="a",
        caller="1001",
        destination="4940123456",
        started_at=NOON,
        answered_at=NOON + timedelta(seconds=5),
        ended_at=NOON + timedelta(seconds=65),
        billsec=60,
        hangup_cause="NORMAL_CLEARING",
        inserted_at=stored_at,
    )
    assert (calls[missed].answered_at, calls[missed].billsec) == (None, 0)
    assert (calls[orphan].tenant_id, calls[orphan].extension_id) == ("", "")


def test_pages_follow_each_other(client, tenant, remote):
    remote.set_clock(NOON + timedelta(hours=1))
    made = remote.make_calls(
        TENANT, [CallSpec("1001", "49401", NOON + timedelta(minutes=m)) for m in range(5)]
    )

    first = client.fetch_calls(limit=3)
    second = client.fetch_calls(after=first.next, limit=3)

    assert {str(call.uuid) for call in [*first.calls, *second.calls]} == set(made)
    assert (len(first.calls), first.has_more, second.has_more) == (3, True, False)


# --- Refusals ---


def test_what_is_gone_is_not_found(client, tenant):
    with pytest.raises(RemoteNotFound, match="no tenant with this uuid"):
        client.get_tenant(OTHER)
    with pytest.raises(RemoteNotFound, match="no extension with this uuid"):
        client.delete_extension(TENANT, FIRST)
    with pytest.raises(RemoteNotFound):
        client.get_tenant("")


def test_a_taken_domain_is_refused_with_the_reason(client, tenant):
    with pytest.raises(RemoteRejected) as caught:
        client.put_tenant(OTHER, domain="acme.pbx.example", description="")

    assert str(caught.value) == (
        "The PBX refused: The domain acme.pbx.example belongs to another tenant."
    )


def test_a_wrong_field_is_refused_with_its_name(client, tenant):
    with pytest.raises(RemoteRejected, match="number must be 2 to 7 digits"):
        client.put_extension(TENANT, FIRST, number="x", name="")


def test_a_wrong_token_and_a_strange_address_are_told_apart(access, client, remote):
    wrong = AgentClient(replace(access, credentials={"token": "wrong"}))
    with pytest.raises(CredentialsRejected, match="refused the token"):
        wrong.list_tenants()

    remote.set_allow_list("192.0.2.7\n")
    with pytest.raises(CredentialsRejected, match="allow-list"):
        client.list_tenants()
    assert not client.check_allow_list().is_allowed


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "ümlaut"])
def test_a_token_that_cannot_be_one_is_refused_before_it_is_sent(access, token, remote):
    with pytest.raises(CredentialsRejected, match="token is empty or holds"):
        AgentClient(replace(access, credentials={"token": token}))

    assert remote.requests() == []


@pytest.mark.parametrize(
    ("kind", "retry_after", "seconds"),
    [("429", "17", 17), ("429", "", None), ("503", "5", 5), ("500", "", None), ("503", "x", None)],
)
def test_later_is_unavailable_with_the_wish(client, remote, kind, retry_after, seconds):
    remote.fault(kind, retry_after=retry_after)

    with pytest.raises(RemoteUnavailable) as caught:
        client.list_tenants()

    assert (caught.value.retry_after_s, f": {kind} " in str(caught.value)) == (seconds, True)
    assert client.list_tenants() == []


@pytest.mark.parametrize("kind", ["html200", "302"])
def test_somebody_elses_web_page_is_not_an_answer(client, remote, kind):
    remote.fault(kind, times=2)

    with pytest.raises(UnexpectedAnswer):
        client.list_tenants()
    with pytest.raises(UnexpectedAnswer):
        client.delete_tenant(TENANT)


def test_a_web_servers_own_404_is_not_taken_for_a_deleted_tenant(access, sandbox):
    elsewhere = AgentClient(replace(access, base_url=sandbox.url + "/elsewhere"))

    with pytest.raises(UnexpectedAnswer, match="is the server's address right"):
        elsewhere.delete_tenant(TENANT)


def test_a_lost_reply_and_a_slow_one_are_unavailable(client, access, remote):
    remote.fault("lose_reply")
    with pytest.raises(RemoteUnavailable, match="no answer"):
        client.list_tenants()

    remote.fault("delay", delay_s=0.5)
    hasty = AgentClient(access, timeout=httpx.Timeout(0.1))
    with pytest.raises(RemoteUnavailable, match="no answer"):
        hasty.list_tenants()


def test_an_environment_proxy_is_not_used(client, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    assert client.list_tenants() == []


# --- Shapes ---


@pytest.mark.parametrize(
    ("answer", "is_allowed"),
    [
        ({"success": 1, "message": "yes"}, True),
        ({"success": "1"}, True),
        ({"success": True}, True),
        ({"success": 0, "message": "no"}, False),
        ({"success": "0"}, False),
    ],
)
def test_success_is_understood_in_every_spelling(answer, is_allowed):
    assert read_allow_list_answer(answer).is_allowed is is_allowed


CALL = {
    "xml_cdr_uuid": FIRST,
    "start_epoch": 1773144000,
    "answer_epoch": 0,
    "end_epoch": 1773144009,
    "billsec": 0,
    "insert_date": "2026-03-10T12:00:00Z",
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("xml_cdr_uuid", None),
        ("xml_cdr_uuid", "1"),
        ("start_epoch", "1773144000"),
        ("billsec", -1),
        ("billsec", True),
        ("end_epoch", 10**20),
        ("insert_date", "2026-03-10T12:00:00"),
        ("insert_date", "noon"),
        ("destination_number", 4940),
    ],
)
def test_a_misshapen_call_is_an_error_never_a_zero(key, value):
    page = {"calls": [], "next": None, "has_more": False, "now": "2026-03-10T12:00:00Z"}
    assert read_calls({**page, "calls": [CALL]}).calls[0].billsec == 0

    with pytest.raises(UnexpectedAnswer):
        read_calls({**page, "calls": [{**CALL, key: value}]})


# --- The module log ---


def test_every_exchange_is_recorded_without_secrets(client, tenant, exchanges, remote):
    exchanges.clear()
    extension = client.put_extension(TENANT, FIRST, number="1001", name="")
    remote.fault("lose_reply")
    with pytest.raises(RemoteUnavailable):
        client.list_tenants()

    path = f"PUT /api/v1/tenants/{TENANT}/extensions/{FIRST}"
    assert [(one.action, one.status) for one in exchanges] == [
        (path, 201),
        ("GET /api/v1/tenants", None),
    ]
    assert exchanges[0].request == {"params": {}, "body": {"number": "1001", "name": ""}}
    assert exchanges[0].response["password"] == "***"
    assert extension.password not in repr(exchanges)
    assert "sandbox-token" not in repr(exchanges)


def test_a_page_of_calls_is_recorded_by_its_length(client, tenant, exchanges, remote):
    remote.set_clock(NOON + timedelta(hours=1))
    remote.make_calls(TENANT, [CallSpec("1001", "49401", NOON)] * 3)
    exchanges.clear()

    client.fetch_calls()

    assert exchanges[0].response["calls"] == "3 calls"
