"""The stand-in is as strict as the vendor, keeps its own time, and goes wrong on demand."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from backups.sandbox import DEMO_TOKEN, serve
from backups.sandbox_control import SandboxControl

START = datetime(2026, 11, 1, tzinfo=UTC)
PATH = "/reseller/datastore"


def made(vendor, size_gb=500):
    return vendor.post(PATH, json={"friendly": "nas", "size": size_gb}).json()["_id"]


def log(vendor, datastore_id, days=30):
    entries = vendor.get(f"{PATH}/{datastore_id}/rescale-log", params={"range": f"{days}d"}).json()
    return [(entry["from"], entry["to"], entry["createdAt"]) for entry in entries]


def size_gb(vendor, datastore_id):
    return vendor.get(f"{PATH}/{datastore_id}").json()["size"] // 10**9


def settings(**changed):
    return {
        "friendly": "nas",
        "size": 500,
        "autoscalingEnabled": False,
        "autoscalingScaleUpOnly": False,
        "autoscalingLowerThreshold": 70,
        "autoscalingUpperThreshold": 80,
        "speed": 500,
    } | changed


# --- The vendor's manners ---


def test_a_datastore_has_the_vendors_fields(vendor, remote):
    remote.set_clock(START)

    answer = vendor.post(PATH, json={"friendly": "nas", "size": 500})

    assert answer.status_code == 201
    body = answer.json()
    assert sorted(body) == [
        *("_id", "autoscalingEnabled", "autoscalingLowerThreshold", "autoscalingScaleUpOnly"),
        *("autoscalingUpperThreshold", "createdAt", "datastorePassword", "datastoreUser"),
        *("datastoreUserPassword", "friendly", "gc", "metrics", "server", "size", "speed"),
        *("status", "updatedAt"),
    ]
    assert body["size"] == 500_000_000_000
    assert body["status"] == {"used": 0, "total": 500_000_000_000, "avail": 500_000_000_000}
    assert sorted(body["server"]) == ["fingerprint", "hostname", "ip", "ip6"]
    assert len(body["server"]["fingerprint"].split(":")) == 32
    assert body["metrics"] == []
    assert body["createdAt"].startswith("2026-11-01T00:00:00.")
    assert body["createdAt"].endswith("Z")


def test_a_broken_body_gets_a_list_of_sentences(vendor, remote):
    answer = vendor.post(PATH, json={"friendly": 7, "size": 450, "speed": 500})

    assert answer.status_code == 400
    assert answer.json() == {
        "statusCode": 400,
        "message": [
            "property speed should not exist",
            "friendly must be a string",
            "size must not be less than 500",
            "size must be divisible by 100",
        ],
        "error": "Bad Request",
    }
    assert remote.datastores() == []


@pytest.mark.parametrize(
    ("size", "sentences"),
    [
        (499, ["must not be less than 500", "must be divisible by 100"]),
        (10_100, ["must not be greater than 10000"]),
        (500_000_000_000, ["must not be greater than 10000"]),
        (600.5, ["must be an integer number"]),
        ("600", ["must be an integer number"]),
        (True, ["must be an integer number"]),
        (None, ["must be an integer number"]),
    ],
)
def test_sizes_off_the_grid_are_refused(vendor, size, sentences):
    answer = vendor.post(PATH, json={"friendly": "nas", "size": size})

    assert answer.json()["message"] == [f"size {sentence}" for sentence in sentences]


def test_a_patch_needs_all_seven_settings(vendor, remote):
    datastore_id = made(vendor)

    answer = vendor.patch(f"{PATH}/{datastore_id}", json={"friendly": "nas", "size": 600})

    assert answer.status_code == 400
    assert answer.json()["message"] == [
        "autoscalingEnabled must be a boolean value",
        "autoscalingScaleUpOnly must be a boolean value",
        "autoscalingLowerThreshold must be an integer number",
        "autoscalingUpperThreshold must be an integer number",
        "speed must be one of the following values: 100, 250, 500",
    ]
    assert size_gb(vendor, datastore_id) == 500


def test_a_whole_patch_changes_everything(vendor, remote):
    datastore_id = made(vendor)

    answer = vendor.patch(
        f"{PATH}/{datastore_id}", json=settings(friendly="new", size=600, speed=100)
    )

    assert answer.status_code == 200
    (raw,) = remote.datastores()
    assert (raw["friendly"], raw["size"], raw["speed"]) == ("new", 600 * 10**9, 100)
    assert [entry[:2] for entry in log(vendor, datastore_id)] == [(500, 600)]


def test_a_patch_below_the_used_space_is_refused_in_one_sentence(vendor, remote):
    datastore_id = made(vendor, 700)
    remote.use(datastore_id, 612)

    answer = vendor.patch(f"{PATH}/{datastore_id}", json=settings(size=600))

    assert answer.json() == {
        "statusCode": 400,
        "message": "The new size is smaller than the used space",
        "error": "Bad Request",
    }


def test_a_deleted_datastore_leaves_nothing(vendor):
    datastore_id = made(vendor)

    assert vendor.delete(f"{PATH}/{datastore_id}").content == b""
    again = vendor.delete(f"{PATH}/{datastore_id}")

    assert again.status_code == 404
    assert again.json()["message"] == "Datastore not found"
    assert vendor.get(PATH).json() == []


def test_a_wrong_token_opens_nothing(sandbox, vendor):
    made(vendor)

    answer = httpx.get(sandbox.url + PATH, headers={"Authorization": "Bearer other"})

    assert answer.status_code == 401
    assert answer.json()["message"] == "Unauthorized"
    assert httpx.get(sandbox.url + PATH).status_code == 401


def test_what_is_not_json_is_refused(vendor):
    as_form = vendor.post(PATH, data={"friendly": "nas"})
    broken = vendor.post(PATH, content="{", headers={"Content-Type": "application/json"})

    assert (as_form.status_code, broken.status_code) == (415, 400)


def test_unknown_paths_are_not_found(vendor):
    assert vendor.get("/v1/reseller/datastore").status_code == 404
    assert vendor.get(f"{PATH}/x/rescale-log").json()["message"] == "Datastore not found"


def test_the_same_name_twice_makes_two_datastores(vendor, remote):
    made(vendor), made(vendor)

    assert [one["friendly"] for one in remote.datastores()] == ["nas", "nas"]


def test_accounts_do_not_see_each_other(sandbox, vendor):
    made(vendor)
    other = SandboxControl(sandbox.url, "another-token").add_account()

    assert other.datastores() == []
    other.set_clock(START)
    assert SandboxControl(sandbox.url).clock() - START > timedelta(days=1)


def test_an_account_needs_a_token(sandbox):
    for body in ({}, {"token": ""}, {"token": 7}, []):
        assert httpx.post(f"{sandbox.url}/_sandbox/accounts", json=body).status_code == 400


# --- Faults ---


def test_a_lost_reply_was_carried_out(vendor, remote):
    remote.fault("lose_reply", method="POST")

    with pytest.raises(httpx.RemoteProtocolError):
        vendor.post(PATH, json={"friendly": "nas", "size": 500})

    assert [one["friendly"] for one in remote.datastores()] == ["nas"]


@pytest.mark.parametrize(
    ("kind", "status"), [("429", 429), ("500", 500), ("503", 503), ("html200", 200), ("302", 302)]
)
def test_a_fault_of_the_gateway_means_nothing_was_done(vendor, remote, kind, status):
    remote.fault(kind, retry_after="7")

    answer = vendor.post(PATH, json={"friendly": "nas", "size": 500})

    assert answer.status_code == status
    assert remote.datastores() == []


def test_a_fault_strikes_as_often_as_asked_and_only_what_matches(vendor, remote):
    remote.fault("503", times=2, method="GET", path="/rescale-log")
    datastore_id = made(vendor)

    statuses = [vendor.get(f"{PATH}/{datastore_id}/rescale-log").status_code for _ in range(3)]

    assert vendor.get(PATH).status_code == 200
    assert statuses == [503, 503, 200]


def test_answers_can_be_wrong(vendor, remote):
    datastore_id = made(vendor)

    def answer_with(kind):
        remote.fault(kind)
        return vendor.get(f"{PATH}/{datastore_id}")

    assert answer_with("off_grid").json()["size"] == 536_870_912_000
    assert "server" not in answer_with("no_server").json()
    assert "status" not in answer_with("no_status").json()
    assert answer_with("disappear").status_code == 404
    assert vendor.get(f"{PATH}/{datastore_id}").json()["size"] == 500_000_000_000


def test_a_log_can_have_lost_its_oldest_entry(vendor, remote):
    remote.set_clock(START)
    datastore_id = made(vendor)
    remote.resize(datastore_id, 600, at=START + timedelta(days=1))
    remote.resize(datastore_id, 700, at=START + timedelta(days=2))
    remote.set_clock(START + timedelta(days=3))
    remote.fault("log_gap", path="/rescale-log")

    assert [entry[:2] for entry in log(vendor, datastore_id)] == [(600, 700)]


def test_an_unknown_fault_is_refused(remote):
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        remote.fault("gremlins")


# --- Restarts ---


def test_datastores_survive_a_restart(tmp_path):
    state_path = tmp_path / "state" / "vendor.json"
    first = serve("127.0.0.1", 0, state_path).start()
    control = SandboxControl(first.url, "restart-token").add_account()
    control.set_clock(START)
    vendor = httpx.Client(base_url=first.url, headers={"Authorization": "Bearer restart-token"})
    datastore_id = made(vendor)
    control.autoscale(datastore_id)
    control.use(datastore_id, 450, at=START + timedelta(hours=1))
    control.resize(datastore_id, 600, at=START + timedelta(hours=2))
    control.set_clock(START + timedelta(hours=1, minutes=30))
    before = control.datastores()
    first.shutdown()

    second = serve("127.0.0.1", 0, state_path).start()
    control = SandboxControl(second.url, "restart-token")
    after, clock = control.datastores(), control.clock()
    second.shutdown()

    assert after == before
    assert after[0]["size"] == 600 * 10**9
    assert timedelta() <= clock - START - timedelta(hours=1, minutes=30) < timedelta(seconds=10)


def test_a_sandbox_that_was_shut_down_answers_nobody(tmp_path):
    server = serve("127.0.0.1", 0).start()
    vendor = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {DEMO_TOKEN}"})
    assert vendor.get(PATH).status_code == 200

    server.shutdown()

    with pytest.raises(httpx.TransportError):
        vendor.get(PATH)
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url + PATH)


def test_a_sandbox_that_never_answered_can_be_shut_down():
    serve("127.0.0.1", 0).shutdown()
