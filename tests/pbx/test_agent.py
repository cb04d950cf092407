"""The agent over real HTTP, on the sandbox back end."""

import logging
from datetime import UTC, datetime, timedelta
from io import BytesIO

import httpx
import pytest

from pbx.agent.allow_list import file_reader
from pbx.agent.app import AgentApp
from pbx.agent.backend import Unavailable
from pbx.agent.sandbox_backend import SandboxBackEnd
from pbx.agent.sandbox_calls import CallSpec
from pbx.sandbox import serve
from pbx.sandbox_control import SandboxControl

TENANT = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
FIRST = "33333333-3333-4333-8333-333333333333"
SECOND = "44444444-4444-4444-8444-444444444444"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)

GRANTED = {"success": 1, "message": "API Access Granted: Whitelisted IP"}
DENIED = {
    "success": 0,
    "message": "API Access Denied: Only whitelisted IPs may access this endpoint.",
}


def put_tenant(agent, tenant_id=TENANT, domain="acme.pbx.example"):
    return agent.put(f"/api/v1/tenants/{tenant_id}", json={"domain": domain})


def put_extension(agent, extension_id=FIRST, number="1001", tenant_id=TENANT, **more):
    path = f"/api/v1/tenants/{tenant_id}/extensions/{extension_id}"
    return agent.put(path, json={"number": number, "name": "Front desk", **more})


def error(response):
    return response.status_code, response.json()["error"]["code"]


def call(number="1001", minutes=0, **more):
    return CallSpec(number, "4940123456", NOON + timedelta(minutes=minutes), **more)


def answer_of(app, path="/api/v1/status", *, address="192.0.2.7", **environ):
    """Status and body of a request whose socket's peer is `address`."""
    seen = []
    body = app(
        {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "REMOTE_ADDR": address,
            "HTTP_AUTHORIZATION": "Bearer right",
            "wsgi.input": BytesIO(),
            **environ,
        },
        lambda status, headers: seen.append(int(status.split()[0])),
    )
    return seen[0], b"".join(body).decode()


@pytest.fixture
def allow_list(tmp_path):
    path = tmp_path / "chkcon_whitelist.conf"
    path.write_text("192.0.2.0/28\n")
    return path


@pytest.fixture
def app(allow_list):
    back_end = SandboxBackEnd(lambda: NOON)
    return AgentApp(back_end, tokens=["right"], read_allow_list=file_reader(allow_list))


# --- The first gate: the allow-list ---


def test_only_addresses_on_the_list_pass(app):
    assert answer_of(app, address="192.0.2.15")[0] == 200
    assert answer_of(app, address="192.0.2.16")[0] == 403
    assert answer_of(app, address="::ffff:192.0.2.15")[0] == 200
    assert answer_of(app, address="")[0] == 403


def test_a_forwarded_address_is_not_believed(app):
    claims = {
        "HTTP_X_FORWARDED_FOR": "192.0.2.7",
        "HTTP_X_REAL_IP": "192.0.2.7",
        "HTTP_FORWARDED": "for=192.0.2.7",
        "HTTP_CLIENT_IP": "192.0.2.7",
    }

    assert answer_of(app, address="203.0.113.1", **claims)[0] == 403


@pytest.mark.parametrize("text", ["", "# nobody\n", "192.0.2.7\nnonsense\n", "0.0.0.0/0\n"])
def test_an_empty_or_broken_list_refuses_everyone(app, allow_list, text):
    allow_list.write_text(text)

    assert answer_of(app)[0] == 403


def test_a_missing_list_refuses_everyone(app, allow_list):
    allow_list.unlink()

    assert answer_of(app)[0] == 403


def test_every_path_is_behind_the_list_even_those_that_do_not_exist(app):
    paths = ["/", "/nothing", "/api/v1/nothing", "/app/status/index.php", "/chkcon.php"]

    assert {answer_of(app, path, address="203.0.113.1")[0] for path in paths} == {403}


def test_each_dialect_refuses_in_its_own_words(remote, agent):
    remote.set_allow_list("192.0.2.7\n")

    status = agent.post("/app/status/index.php").json()
    api = agent.get("/api/v1/status").json()

    assert agent.get("/app/xml_cdr/chkcon.php").json() == DENIED
    assert (status["status"], status["message"]) == (
        "error",
        "This address is not on the agent's allow-list.",
    )
    assert api == {
        "error": {
            "code": "not_allowed",
            "message": "This address is not on the agent's allow-list.",
        }
    }


# --- The second gate: credentials ---


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", "Basic right", "right"])
def test_the_api_wants_the_right_bearer_token(app, header):
    assert answer_of(app, HTTP_AUTHORIZATION=header)[0] == 401


def test_two_tokens_work_while_one_is_being_replaced(allow_list):
    back_end = SandboxBackEnd(lambda: NOON)
    app = AgentApp(back_end, tokens=["old", "new"], read_allow_list=file_reader(allow_list))

    statuses = [
        answer_of(app, HTTP_AUTHORIZATION=f"Bearer {token}")[0]
        for token in ("old", "new", "oldnew")
    ]

    assert statuses == [200, 200, 401]


def test_an_empty_token_cannot_be_configured(allow_list):
    with pytest.raises(ValueError, match="empty token"):
        AgentApp(SandboxBackEnd(lambda: NOON), tokens=[""], read_allow_list=file_reader(allow_list))


# --- The seed's endpoints ---


@pytest.mark.parametrize("path", ["/chkcon.php", "/app/xml_cdr/chkcon.php"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_chkcon_tells_a_listed_address_so_without_credentials(sandbox, remote, path, method):
    response = httpx.request(method, sandbox.url + path, trust_env=False)

    assert (response.status_code, response.json()) == (200, GRANTED)


def test_the_status_page_takes_the_seeds_form_fields(sandbox, agent, remote):
    remote.set_clock(NOON)
    put_tenant(agent)
    put_extension(agent)
    url = sandbox.url + "/app/status/index.php"
    form = {"username": "portal", "password": "sandbox-token"}

    response = httpx.post(url, data=form, trust_env=False)

    answer = response.json()
    assert response.status_code == 200
    assert list(answer) == [
        "status",
        "message",
        "timestamp",
        "version",
        "uptime",
        "active_calls",
        "total_extensions",
        "registered_extensions",
    ]
    assert (answer["status"], answer["total_extensions"]) == ("success", 1)
    assert answer["timestamp"].startswith("2026-03-10T12:00")


@pytest.mark.parametrize(
    "form", [{}, {"username": "portal"}, {"username": "admin", "password": "sandbox-token"}]
)
def test_the_status_page_refuses_wrong_form_fields(sandbox, remote, form):
    response = httpx.post(sandbox.url + "/app/status/index.php", data=form, trust_env=False)

    answer = response.json()
    assert response.status_code == 401
    assert (answer["status"], answer["message"]) == ("error", "Authentication failed.")


# --- Tenants ---


def test_the_same_put_twice_makes_one_tenant(agent):
    first, again = put_tenant(agent), put_tenant(agent)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert agent.get("/api/v1/tenants").json() == {"tenants": [first.json()]}


def test_a_domain_belongs_to_one_tenant_in_any_case(agent):
    put_tenant(agent)

    response = put_tenant(agent, OTHER, "ACME.pbx.example")

    assert error(response) == (409, "domain_taken")
    assert [one["tenant_id"] for one in agent.get("/api/v1/tenants").json()["tenants"]] == [TENANT]


def test_a_tenant_is_never_renamed(agent):
    put_tenant(agent)

    response = put_tenant(agent, TENANT, "other.pbx.example")

    assert error(response) == (409, "tenant_differs")
    assert agent.get(f"/api/v1/tenants/{TENANT}").json()["domain"] == "acme.pbx.example"


def test_a_deleted_tenant_is_gone_with_its_extensions_but_not_its_calls(agent, remote):
    remote.set_clock(NOON + timedelta(hours=1))
    put_tenant(agent)
    put_extension(agent)
    made = remote.make_calls(TENANT, [call()])

    assert agent.delete(f"/api/v1/tenants/{TENANT}").status_code == 204

    assert error(agent.get(f"/api/v1/tenants/{TENANT}")) == (404, "no_such_tenant")
    assert error(agent.delete(f"/api/v1/tenants/{TENANT}")) == (404, "no_such_tenant")
    assert error(agent.get(f"/api/v1/tenants/{TENANT}/extensions")) == (404, "no_such_tenant")
    calls = agent.get("/api/v1/calls").json()["calls"]
    assert [one["xml_cdr_uuid"] for one in calls] == made


def test_a_suspended_tenant_has_no_phones_until_it_is_unsuspended(agent):
    put_tenant(agent)
    for index in range(20):
        put_extension(agent, f"33333333-3333-4333-8333-0000000000{index:02}", str(1001 + index))

    def registered():
        params = {"tenant_id": TENANT}
        found = agent.get("/api/v1/registrations", params=params).json()["registrations"]
        return [one["number"] for one in found]

    before = registered()
    suspended = agent.post(f"/api/v1/tenants/{TENANT}/suspend").json()["suspended"]
    meanwhile = registered()
    restored = agent.post(f"/api/v1/tenants/{TENANT}/unsuspend").json()["suspended"]

    assert 10 < len(before) <= 20
    assert (suspended, meanwhile, restored) == (True, [], False)


# --- Extensions ---


def test_an_extension_gets_a_secret_that_a_repeated_put_keeps(agent):
    put_tenant(agent)

    first, again = put_extension(agent), put_extension(agent, name="Reception")

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["name"] == "Reception"
    secret = first.json()["password"]
    assert again.json()["password"] == secret
    assert len(secret) == 20 and secret.isalnum()


def test_a_given_secret_is_taken(agent):
    put_tenant(agent)

    assert put_extension(agent, password="abcdefGH1234").json()["password"] == "abcdefGH1234"


def test_a_number_belongs_to_one_extension_of_a_tenant(agent):
    put_tenant(agent)
    put_tenant(agent, OTHER, "beta.pbx.example")
    put_extension(agent)

    taken = put_extension(agent, SECOND, "1001")
    elsewhere = put_extension(agent, SECOND, "1001", tenant_id=OTHER)
    moved = put_extension(agent, FIRST, "1002", tenant_id=OTHER)

    assert error(taken) == (409, "number_taken")
    assert elsewhere.status_code == 201
    assert error(moved) == (409, "extension_differs")


def test_rotating_a_secret_changes_that_one_only(agent):
    put_tenant(agent)
    first = put_extension(agent).json()
    second = put_extension(agent, SECOND, "1002").json()

    path = f"/api/v1/tenants/{TENANT}/extensions/{FIRST}/rotate-secret"
    rotated = agent.post(path).json()

    assert rotated["password"] != first["password"]
    extensions = agent.get(f"/api/v1/tenants/{TENANT}/extensions").json()["extensions"]
    assert extensions == [rotated, second]


def test_a_deleted_extension_is_gone(agent):
    put_tenant(agent)
    put_extension(agent)
    path = f"/api/v1/tenants/{TENANT}/extensions/{FIRST}"

    assert agent.delete(path).status_code == 204
    assert error(agent.delete(path)) == (404, "no_such_extension")
    assert agent.get(f"/api/v1/tenants/{TENANT}").json()["numbers"] == []


# --- Bad input ---


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"domain": "is missing"}),
        ({"domain": 7}, {"domain": "must be text"}),
        ({"domain": "acme"}, {"domain": "must be a host name such as acme.pbx.example"}),
        ({"domain": "a_b.example"}, {"domain": "must be a host name such as acme.pbx.example"}),
        ({"domain": "-a.example"}, {"domain": "must be a host name such as acme.pbx.example"}),
        (
            {"domain": "a.example", "description": "x" * 101, "limit": 5},
            {
                "description": "must be one line of 100 characters at most",
                "limit": "is not a field of this request",
            },
        ),
    ],
)
def test_wrong_fields_are_all_named(agent, body, fields):
    response = agent.put(f"/api/v1/tenants/{TENANT}", json=body)

    assert error(response) == (400, "invalid")
    assert response.json()["error"]["fields"] == fields
    assert agent.get("/api/v1/tenants").json() == {"tenants": []}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"number": "1"}, "number"),
        ({"number": "10a1"}, "number"),
        ({"number": 1001}, "number"),
        ({"number": "1001", "password": "short"}, "password"),
        ({"number": "1001", "password": "abcdefgh<script>"}, "password"),
        ({"number": "1001", "name": "two\nlines"}, "name"),
    ],
)
def test_an_extension_that_cannot_be_is_refused(agent, body, field):
    put_tenant(agent)

    response = agent.put(f"/api/v1/tenants/{TENANT}/extensions/{FIRST}", json=body)

    assert error(response) == (400, "invalid")
    assert list(response.json()["error"]["fields"]) == [field]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(agent, body):
    assert error(agent.put(f"/api/v1/tenants/{TENANT}", content=body)) == (400, "bad_json")


def test_paths_and_methods_that_do_not_exist_are_told_apart(agent):
    assert error(agent.get("/api/v1/nothing")) == (404, "no_such_path")
    assert error(agent.get("/api/v1/tenants/not-a-uuid")) == (400, "invalid")
    response = agent.post("/api/v1/tenants")
    assert error(response) == (405, "method")
    assert response.headers["Allow"] == "GET"


def test_a_body_too_long_is_not_even_read(app):
    status, body = answer_of(
        app, f"/api/v1/tenants/{TENANT}", REQUEST_METHOD="PUT", CONTENT_LENGTH="1000001"
    )

    assert (status, "too_large" in body) == (413, True)


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


# --- When something is wrong ---


def test_a_pbx_that_cannot_answer_is_a_503_that_says_when(allow_list):
    class Down(SandboxBackEnd):
        def status(self):
            raise Unavailable("The event socket is closed.", retry_after_s=30)

    seen = {}
    app = AgentApp(Down(lambda: NOON), tokens=["right"], read_allow_list=file_reader(allow_list))
    app(
        {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/api/v1/status",
            "REMOTE_ADDR": "192.0.2.7",
            "HTTP_AUTHORIZATION": "Bearer right",
            "wsgi.input": BytesIO(),
        },
        lambda status, headers: seen.update(status=status, **dict(headers)),
    )

    assert (seen["status"], seen["Retry-After"]) == ("503 Service Unavailable", "30")


def test_a_bug_is_logged_and_not_told(allow_list, caplog):
    class Broken(SandboxBackEnd):
        def status(self):
            raise KeyError("password=hunter2")

    app = AgentApp(Broken(lambda: NOON), tokens=["right"], read_allow_list=file_reader(allow_list))

    status, body = answer_of(app)

    assert (status, "hunter2" in body) == (500, False)
    assert "our bug, answering /api/v1/status" in caplog.text


def test_every_request_and_refusal_is_logged_on_one_line(app, caplog):
    caplog.set_level(logging.INFO, "pbx.agent.access")

    answer_of(app)
    answer_of(app, "/api/v1/x\nforged line", address="203.0.113.1")

    logged = [record.getMessage() for record in caplog.records if "access" in record.name]
    assert [line.replace("1 ms", "0 ms") for line in logged] == [
        "192.0.2.7 GET /api/v1/status 200 0 ms",
        "203.0.113.1 GET /api/v1/x%0Aforged%20line 403 0 ms refused: not_allowed",
    ]


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
