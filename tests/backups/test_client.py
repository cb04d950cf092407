"""The wire: units, settings, errors, what is reported."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from backups.answers import Rescale
from backups.client import RemoteBackupsClient
from backups.sandbox import DEMO_TOKEN
from provisioning.contract import (
    CredentialsRejected,
    RemoteNotFound,
    RemoteRejected,
    RemoteUnavailable,
)
from provisioning.wire import UnexpectedAnswer


def test_sizes_go_out_in_gb_and_come_back_in_bytes(client, exchanges):
    datastore_id = client.create_datastore("nas", size_gb=600)

    assert client.get_datastore(datastore_id).size_bytes == 600_000_000_000
    assert exchanges[0].request == {"params": {}, "body": {"friendly": "nas", "size": 600}}


def test_the_list_has_every_datastore(client):
    ids = {client.create_datastore(name, size_gb=500) for name in ("a", "b")}

    assert {one.id for one in client.list_datastores()} == ids


def test_an_update_sends_all_seven_settings_and_changes_only_those_given(client, exchanges):
    datastore_id = client.create_datastore("nas", size_gb=600)
    exchanges.clear()

    datastore = client.update_datastore(
        datastore_id, speed_mbit=100, autoscaling_scale_up_only=True
    )

    assert (datastore.speed_mbit, datastore.autoscaling_scale_up_only) == (100, True)
    path = f"/reseller/datastore/{datastore_id}"
    # The log before and after tells whether the autoscaler was at work meanwhile.
    assert [one.action for one in exchanges] == [
        f"GET {path}",
        f"GET {path}/rescale-log",
        f"PATCH {path}",
        f"GET {path}",
        f"GET {path}/rescale-log",
    ]
    assert exchanges[2].request["body"] == {
        "friendly": "nas",
        "size": 600,
        "speed": 100,
        "autoscalingEnabled": False,
        "autoscalingScaleUpOnly": True,
        "autoscalingLowerThreshold": 70,
        "autoscalingUpperThreshold": 80,
    }


def test_an_update_does_not_undo_what_the_autoscaler_did_meanwhile(client, remote):
    datastore_id = client.create_datastore("nas", size_gb=600)
    remote.resize(datastore_id, 900, at=remote.clock())

    datastore = client.update_datastore(datastore_id, name="new name")

    assert (datastore.name, datastore.size_gb) == ("new name", 900)


def test_an_update_to_what_already_stands_sends_nothing(client, exchanges):
    datastore_id = client.create_datastore("nas", size_gb=600)
    exchanges.clear()

    client.update_datastore(datastore_id, size_gb=600, speed_mbit=500, name="nas")

    assert [one.action.split()[0] for one in exchanges] == ["GET"]


def test_a_datastore_the_autoscaler_made_huge_keeps_its_size_when_renamed(client, remote):
    datastore_id = client.create_datastore("nas", size_gb=10_000)
    remote.resize(datastore_id, 12_000, at=remote.clock())

    assert client.update_datastore(datastore_id, name="huge").size_gb == 12_000


def test_a_size_that_is_no_whole_gb_is_not_sent_back(client, remote):
    datastore_id = client.create_datastore("nas", size_gb=500)
    remote.fault("off_grid", method="GET")

    with pytest.raises(RemoteRejected, match=r"536\.870912 GB"):
        client.update_datastore(datastore_id, name="new name")

    assert not [one for one in remote.requests() if one.startswith("PATCH")]


def test_a_change_the_vendor_took_but_does_not_show_is_an_error(client, remote):
    datastore_id = client.create_datastore("nas", size_gb=600)
    remote.fault("off_grid", method="GET", times=2)

    with pytest.raises(UnexpectedAnswer) as caught:
        client.update_datastore(datastore_id, size_gb=700)

    assert str(caught.value) == (
        "remote-backups.com took the change of nas but does not show it: size."
    )


def test_a_shrink_waits_while_the_used_space_is_unknown(client, remote):
    datastore_id = client.create_datastore("nas", size_gb=600)
    remote.fault("no_status", method="GET", times=2)

    with pytest.raises(RemoteUnavailable, match="does not say how much"):
        client.resize_datastore(datastore_id, size_gb=500)
    assert client.resize_datastore(datastore_id, size_gb=700).size_gb == 700


def test_an_id_with_odd_characters_stays_one_part_of_the_path(client, remote):
    with pytest.raises(RemoteNotFound):
        client.get_datastore("../datastore?x=1#y")

    assert remote.requests() == ["GET /reseller/datastore/../datastore?x=1#y"]


def test_an_empty_id_never_reaches_the_list(client, remote):
    for call in (client.get_datastore, client.delete_datastore):
        with pytest.raises(RemoteNotFound):
            call("")

    assert remote.requests() == []


def test_the_rescale_log_has_the_exact_moments(client, remote):
    at = datetime(2026, 11, 1, tzinfo=UTC)
    remote.set_clock(at)
    datastore_id = client.create_datastore("nas", size_gb=500)
    remote.resize(datastore_id, 600, at=at + timedelta(hours=11, minutes=29))
    remote.resize(datastore_id, 700, at=at + timedelta(hours=12))
    remote.set_clock(at + timedelta(days=2))

    assert client.rescale_log(datastore_id, days=30) == [
        Rescale(at + timedelta(hours=11, minutes=29), 500, 600),
        Rescale(at + timedelta(hours=12), 600, 700),
    ]


# --- Errors ---


def test_a_refusal_lists_every_sentence_of_the_vendor(client):
    with pytest.raises(RemoteRejected) as caught:
        client.create_datastore("", size_gb=450)

    assert str(caught.value) == (
        "remote-backups.com refused: friendly should not be empty;"
        " size must not be less than 500; size must be divisible by 100"
    )


def test_a_refusal_may_be_a_single_sentence(client):
    with pytest.raises(RemoteNotFound) as caught:
        client.get_datastore("other")

    assert str(caught.value) == "GET /reseller/datastore/other: 404 Datastore not found"


def test_an_unknown_token_is_refused_by_name(access):
    stranger = RemoteBackupsClient(replace(access, credentials={"token": "stranger"}))

    with pytest.raises(CredentialsRejected, match="401 Unauthorized"):
        stranger.list_datastores()


@pytest.mark.parametrize(("wish", "seconds"), [("7", 7), ("", None), ("soon", None)])
def test_a_429_carries_the_wait_the_vendor_asked_for(client, remote, wish, seconds):
    remote.fault("429", retry_after=wish)

    with pytest.raises(RemoteUnavailable, match="429") as caught:
        client.list_datastores()

    assert caught.value.retry_after_s == seconds


def test_a_wait_may_be_a_date(client, remote):
    in_a_minute = datetime.now(UTC) + timedelta(seconds=60)
    remote.fault("429", retry_after=format_datetime(in_a_minute, usegmt=True))

    with pytest.raises(RemoteUnavailable) as caught:
        client.list_datastores()

    assert caught.value.retry_after_s in (58, 59, 60)


@pytest.mark.parametrize("kind", ["500", "503"])
def test_a_5xx_may_be_asked_again(client, remote, kind):
    remote.fault(kind)

    with pytest.raises(RemoteUnavailable, match=f"GET /reseller/datastore: {kind}"):
        client.list_datastores()
    assert client.list_datastores() == []


def test_an_html_page_is_not_an_empty_list(client, remote):
    remote.fault("html200")

    with pytest.raises(UnexpectedAnswer, match="the answer is not JSON"):
        client.list_datastores()


def test_a_redirect_is_not_followed(client, remote):
    remote.fault("302")

    with pytest.raises(UnexpectedAnswer, match="302"):
        client.list_datastores()
    assert remote.requests() == ["GET /reseller/datastore"]


def test_a_slow_answer_is_given_up(hasty_client, remote):
    remote.fault("delay", delay_s=1)

    with pytest.raises(RemoteUnavailable, match="ReadTimeout"):
        hasty_client.list_datastores()


def test_a_closed_connection_may_be_asked_again(client, remote):
    remote.fault("lose_reply")

    with pytest.raises(RemoteUnavailable, match="no answer"):
        client.list_datastores()


def test_a_list_with_one_broken_datastore_is_an_error_and_not_shorter(client, remote):
    client.create_datastore("nas", size_gb=500)
    remote.fault("no_size")

    with pytest.raises(UnexpectedAnswer, match="no usable size"):
        client.list_datastores()


# --- What is reported ---


def test_every_exchange_is_reported_with_its_status(client, exchanges, remote):
    remote.fault("503")
    with pytest.raises(RemoteUnavailable):
        client.list_datastores()
    remote.fault("lose_reply")
    with pytest.raises(RemoteUnavailable):
        client.list_datastores()
    client.list_datastores()

    assert [(one.action, one.status) for one in exchanges] == [
        ("GET /reseller/datastore", 503),
        ("GET /reseller/datastore", None),
        ("GET /reseller/datastore", 200),
    ]
    assert exchanges[0].response == {"statusCode": 503, "message": "Service Unavailable"}


def test_no_secret_is_reported(client, exchanges, remote):
    datastore_id = client.create_datastore("nas", size_gb=500)
    client.get_datastore(datastore_id)
    client.list_datastores()

    (raw,) = remote.datastores()
    written = repr(exchanges)
    for secret in (DEMO_TOKEN, raw["datastorePassword"], raw["datastoreUserPassword"]):
        assert secret not in written
    assert exchanges[1].response["datastorePassword"] == "***"
    assert exchanges[1].response["datastoreUserPassword"] == "***"
    assert exchanges[2].response[0]["datastorePassword"] == "***"


def test_a_token_an_error_page_repeats_is_masked_everywhere(access, exchanges):
    def echo(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"message": f"bad: {request.headers['Authorization']}"})

    client = RemoteBackupsClient(access)
    client._wire._http = httpx.Client(
        base_url="http://127.0.0.1",
        headers={"Authorization": f"Bearer {DEMO_TOKEN}"},
        transport=httpx.MockTransport(echo),
    )

    with pytest.raises(RemoteRejected) as caught:
        client.list_datastores()

    assert str(caught.value) == "remote-backups.com refused: bad: Bearer ***"
    assert DEMO_TOKEN not in repr(exchanges)


def test_a_long_list_is_reported_by_its_first_entries(client, exchanges):
    for number in range(21):
        client.create_datastore(f"nas-{number}", size_gb=500)
    exchanges.clear()

    assert len(client.list_datastores()) == 21

    assert len(exchanges[0].response) == 21
    assert exchanges[0].response[-1] == "... and 1 more"
