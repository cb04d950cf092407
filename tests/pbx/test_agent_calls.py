"""Call records of the agent over real HTTP, and the sandbox that makes them up."""

from datetime import timedelta

import httpx
import pytest

from pbx.sandbox import serve
from pbx.sandbox_control import SandboxControl
from tests.pbx.requests import (
    FIRST,
    NOON,
    SECOND,
    TENANT,
    call,
    error,
    put_extension,
    put_tenant,
)

# --- Calls ---


def test_calls_are_read_in_order_of_arrival_page_by_page(agent, remote):
    remote.set_clock(NOON + timedelta(hours=1))
    put_tenant(agent)
    put_extension(agent)
    arrivals = [NOON + timedelta(minutes=m) for m in (30, 10, 20)]
    made = remote.make_calls(
        TENANT, [call(minutes=i, insert_date=at) for i, at in enumerate(arrivals)]
    )

    first = agent.get("/api/v1/calls", params={"limit": 2}).json()
    second = agent.get("/api/v1/calls", params={"limit": 2, "after": first["next"]}).json()
    third = agent.get("/api/v1/calls", params={"limit": 2, "after": second["next"]}).json()

    pages = [[one["xml_cdr_uuid"] for one in page["calls"]] for page in (first, second, third)]
    assert pages == [[made[1], made[2]], [made[0]], []]
    assert [page["has_more"] for page in (first, second, third)] == [True, False, False]
    assert third["next"] == second["next"]


def test_since_includes_its_own_moment(agent, remote):
    remote.set_clock(NOON + timedelta(hours=1))
    put_tenant(agent)
    arrivals = [NOON + timedelta(minutes=m) for m in (10, 20, 30)]
    made = remote.make_calls(TENANT, [call(insert_date=at) for at in arrivals])

    params = {"since": "2026-03-10T12:20:00+00:00"}
    page = agent.get("/api/v1/calls", params=params).json()

    assert [one["xml_cdr_uuid"] for one in page["calls"]] == made[1:]


def test_a_call_shows_up_once_it_has_ended(agent, remote):
    remote.set_clock(NOON)
    put_tenant(agent)
    put_extension(agent)
    remote.make_calls(TENANT, [call(minutes=5, billsec=600)])
    during = agent.get("/api/v1/calls").json()["calls"]

    remote.set_clock(NOON + timedelta(minutes=16))

    after = agent.get("/api/v1/calls").json()
    assert during == []
    assert [one["billsec"] for one in after["calls"]] == [600]
    assert after["now"].startswith("2026-03-10T12:16")


def test_a_record_has_the_columns_of_the_pbx(agent, remote):
    remote.set_clock(NOON + timedelta(hours=1))
    put_tenant(agent)
    put_extension(agent)
    uuid = "55555555-5555-4555-8555-555555555555"
    remote.make_calls(TENANT, [call(billsec=0, ring_s=9, uuid=uuid, insert_date=NOON)])

    record = agent.get("/api/v1/calls").json()["calls"]

    assert record == [
        {
            "xml_cdr_uuid": uuid,
            "domain_uuid": TENANT,
            "domain_name": "acme.pbx.example",
            "extension_uuid": FIRST,
            "direction": "outbound",
            "leg": "a",
            "caller_id_name": "Front desk",
            "caller_id_number": "1001",
            "caller_destination": "4940123456",
            "destination_number": "4940123456",
            "start_epoch": 1773144000,
            "answer_epoch": 0,
            "end_epoch": 1773144009,
            "billsec": 0,
            "billmsec": 0,
            "hangup_cause": "NO_ANSWER",
            "status": "no_answer",
            "accountcode": "acme.pbx.example",
            "insert_date": "2026-03-10T12:00:00.000000Z",
        }
    ]


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "5001"},
        {"limit": "ten"},
        {"after": "yesterday"},
        {"after": "2026-03-10T12:00:00Z_1"},
        {"since": "2026-03-10T12:00:00"},
    ],
)
def test_a_page_that_cannot_be_is_refused(agent, params):
    response = agent.get("/api/v1/calls", params=params)

    assert error(response) == (400, "invalid")
    assert list(response.json()["error"]["fields"]) == list(params)


def test_generated_calls_are_believable_and_come_once(agent, remote):
    remote.set_clock(NOON)
    put_tenant(agent)
    put_extension(agent)
    put_extension(agent, SECOND, "1002")
    wish = {"count": 1000, "seed": 7, "start": NOON - timedelta(days=5), "end": NOON}

    made, again = remote.generate_calls(TENANT, **wish), remote.generate_calls(TENANT, **wish)

    remote.set_clock(NOON + timedelta(hours=2))
    calls = agent.get("/api/v1/calls", params={"limit": 5000}).json()["calls"]
    assert (len(made), again, len(calls)) == (1000, [], 1000)
    assert {one["direction"] for one in calls} == {"outbound", "inbound", "local"}
    assert {one["leg"] for one in calls} == {"a", "b"}
    assert {"NORMAL_CLEARING", "NO_ANSWER", "USER_BUSY", "LOSE_RACE"} <= {
        one["hangup_cause"] for one in calls
    }
    assert 100 < sum(one["billsec"] == 0 for one in calls) < 300
    starts = [one["start_epoch"] for one in calls]
    assert min(starts) >= wish["start"].timestamp()
    assert max(starts) < wish["end"].timestamp()


def test_a_suspended_tenant_generates_no_calls(agent, remote):
    put_tenant(agent)
    put_extension(agent)
    agent.post(f"/api/v1/tenants/{TENANT}/suspend")

    assert remote.generate_calls(TENANT, count=9, seed=1, start=NOON, end=NOON + timedelta(1)) == []


# --- The sandbox itself ---


def test_every_token_is_a_pbx_of_its_own(sandbox, agent, remote):
    other = SandboxControl(sandbox.url, "another-token").add_account()
    put_tenant(agent)
    other.set_clock(NOON)

    headers = {"Authorization": "Bearer another-token"}
    status = httpx.get(sandbox.url + "/api/v1/status", headers=headers, trust_env=False).json()

    assert (status["tenants"], status["now"][:16]) == (0, "2026-03-10T12:00")
    assert remote.clock() > NOON + timedelta(days=30)


def test_what_the_sandbox_was_told_survives_a_restart(tmp_path):
    path = tmp_path / "state" / "pbx.json"
    server = serve("127.0.0.1", 0, path).start()
    headers = {"Authorization": "Bearer sandbox-token"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as agent:
        control = SandboxControl(server.url)
        control.set_clock(NOON)
        put_tenant(agent)
        put_extension(agent)
        control.make_calls(TENANT, [call(minutes=-60)])
        remembered = [
            agent.get(path).json()
            for path in ("/api/v1/tenants", f"/api/v1/tenants/{TENANT}/extensions")
        ]
        calls = agent.get("/api/v1/calls").json()["calls"]
    server.shutdown()

    server = serve("127.0.0.1", 0, path).start()
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as agent:
        found = [
            agent.get(path).json()
            for path in ("/api/v1/tenants", f"/api/v1/tenants/{TENANT}/extensions")
        ]
        found_calls = agent.get("/api/v1/calls").json()["calls"]
        found_clock = SandboxControl(server.url).clock()
    server.shutdown()

    assert (found, found_calls) == (remembered, calls)
    assert len(calls) == 1
    assert abs(found_clock - NOON) < timedelta(minutes=1)
