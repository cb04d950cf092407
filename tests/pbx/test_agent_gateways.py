"""Gateways of the JSON API, and how the sandbox's gateways and phones come and go."""

from datetime import timedelta

import httpx
import pytest

from pbx.sandbox import serve
from pbx.sandbox_control import SandboxControl
from tests.pbx.requests import FIRST, NOON, SECOND, TENANT, error, put_extension, put_tenant

TRUNK = {
    "name": "trunk_a",
    "domain": "sip.carrier.example:5080",
    "username": "acme",
    "password": "s3cret",
    "enabled": True,
}
PATH = f"/api/v1/gateways/{FIRST}"


@pytest.fixture(autouse=True)
def noon(remote):
    remote.set_clock(NOON)


def state(agent):
    seen = agent.get(PATH).json()
    return seen["state"], seen["is_up"]


# --- Gateways ---


def test_the_same_put_twice_makes_one_gateway_whose_password_is_never_told(agent):
    first, again = agent.put(PATH, json=TRUNK), agent.put(PATH, json=TRUNK)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == {
        "gateway_id": FIRST,
        "name": "trunk_a",
        "domain": "sip.carrier.example:5080",
        "username": "acme",
        "enabled": True,
        "state": "TRYING",
        "is_up": False,
    }
    assert agent.get("/api/v1/gateways").json() == {"gateways": [again.json()]}


def test_a_name_belongs_to_one_gateway(agent):
    agent.put(PATH, json=TRUNK)

    assert error(agent.put(f"/api/v1/gateways/{SECOND}", json=TRUNK)) == (409, "gateway_name_taken")


def test_a_deleted_gateway_is_gone(agent):
    agent.put(PATH, json=TRUNK)

    assert agent.delete(PATH).status_code == 204
    assert error(agent.delete(PATH)) == (404, "no_such_gateway")
    assert error(agent.get(PATH)) == (404, "no_such_gateway")


def test_a_new_gateway_that_registers_needs_a_password_and_keeps_it(agent):
    without = {name: value for name, value in TRUNK.items() if name != "password"}

    refused = agent.put(PATH, json=without)
    agent.put(PATH, json=TRUNK)
    kept = agent.put(PATH, json=without)

    assert (error(refused), refused.json()["error"]["fields"]) == (
        (400, "invalid"),
        {"password": "is missing"},
    )
    assert kept.status_code == 200


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"domain": None}, {"domain": "is missing"}),
        ({"name": "a b"}, {"name": "must be 1 to 64 letters, digits and _.-"}),
        ({"enabled": 1}, {"enabled": "must be true or false"}),
        ({"enabled": None}, {"enabled": "is missing"}),
        ({"realm": "x"}, {"realm": "is not a field of this request"}),
    ],
)
def test_a_gateway_that_cannot_be_is_refused(agent, change, fields):
    response = agent.put(PATH, json={**TRUNK, **change})

    assert error(response) == (400, "invalid")
    assert response.json()["error"]["fields"] == fields


def test_a_gateway_tries_then_is_taken_and_tries_again_after_a_change(agent, remote):
    agent.put(PATH, json=TRUNK)
    seen = [state(agent)]
    remote.set_clock(NOON + timedelta(seconds=10))
    agent.put(PATH, json=TRUNK)
    seen.append(state(agent))
    agent.put(PATH, json={**TRUNK, "password": "another"})
    seen.append(state(agent))
    agent.put(PATH, json={**TRUNK, "enabled": False})
    seen.append(state(agent))
    agent.put(PATH, json={**TRUNK, "username": "", "password": ""})
    seen.append(state(agent))

    assert seen == [
        ("TRYING", False),
        ("REGED", True),
        ("TRYING", False),
        ("DOWN", False),
        ("NOREG", True),
    ]


def test_a_carrier_can_fail_and_recover(agent, remote):
    agent.put(PATH, json={**TRUNK, "username": ""})

    remote.tell_gateway(FIRST, "FAIL_WAIT")
    failed = state(agent)
    remote.tell_gateway(FIRST, "")

    assert (failed, state(agent)) == (("FAIL_WAIT", False), ("NOREG", True))


# --- Phones ---


def registered(agent):
    return [one["number"] for one in agent.get("/api/v1/registrations").json()["registrations"]]


def test_phones_come_and_go_with_the_clock(agent, remote):
    put_tenant(agent)
    for index in range(20):
        put_extension(agent, f"33333333-3333-4333-8333-0000000000{index:02}", str(1001 + index))

    seen = []
    for minutes in (0, 1, 31, 61):
        remote.set_clock(NOON + timedelta(minutes=minutes))
        seen.append(tuple(registered(agent)))

    assert seen[0] == seen[1]
    assert len(set(seen)) > 1


def test_a_registration_lasts_until_its_next_turn_and_is_then_renewed(agent, remote):
    put_tenant(agent)
    put_extension(agent)
    remote.tell_phone(FIRST, True)

    ends = []
    for seconds in (0, 1, 1000):
        remote.set_clock(NOON + timedelta(seconds=seconds))
        ends.append(agent.get("/api/v1/registrations").json()["registrations"][0]["expires_at"])

    assert "2026-03-10T12:00:00" < ends[0] <= "2026-03-10T12:15:01"
    assert ends[1] == ends[0] < ends[2]


@pytest.mark.parametrize("action", ["rotate-secret", "disable"])
def test_a_phone_that_is_thrown_off_comes_back_only_if_it_may(agent, remote, action):
    put_tenant(agent)
    put_extension(agent)
    remote.tell_phone(FIRST, True)
    before = registered(agent)

    agent.post(f"/api/v1/tenants/{TENANT}/extensions/{FIRST}/{action}")
    after = registered(agent)
    remote.set_clock(NOON + timedelta(minutes=16))

    assert (before, after) == (["1001"], [])
    assert registered(agent) == ([] if action == "disable" else ["1001"])


def test_disabling_is_undone_by_enabling_only(agent, remote):
    put_tenant(agent)
    put_extension(agent)
    path = f"/api/v1/tenants/{TENANT}/extensions/{FIRST}"

    off = agent.post(path + "/disable").json()["enabled"]
    put = put_extension(agent).json()["enabled"]
    on = agent.post(path + "/enable").json()["enabled"]

    assert (off, put, on) == (False, False, True)
    nobody = path.replace(FIRST, SECOND)
    assert error(agent.post(nobody + "/disable")) == (404, "no_such_extension")


# --- Kept ---


def test_gateways_and_phones_survive_a_restart(tmp_path):
    path = tmp_path / "pbx.json"
    headers = {"Authorization": "Bearer sandbox-token"}
    seen = []
    for is_first in (True, False):
        server = serve("127.0.0.1", 0, path).start()
        with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as agent:
            control = SandboxControl(server.url)
            if is_first:
                put_tenant(agent)
                put_extension(agent)
                agent.put(PATH, json={**TRUNK, "username": ""})
                control.tell_phone(FIRST, False)
                control.tell_gateway(FIRST, "EXPIRED")
            seen.append((state(agent), registered(agent)))
        server.shutdown()

    assert seen == [(("EXPIRED", False), [])] * 2
