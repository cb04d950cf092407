"""Who gets into the agent, what the seed's endpoints say, and what is logged."""

import logging
import re
from io import BytesIO

import httpx
import pytest

from pbx.agent.allow_list import file_reader
from pbx.agent.app import AgentApp
from pbx.agent.backend import Unavailable
from pbx.agent.gates import Gates
from pbx.agent.limits import Limits, RateLimiter
from pbx.agent.sandbox_backend import SandboxBackEnd
from pbx.agent.tokens import Token, digest_of
from tests.pbx.agent_setup import answer_of
from tests.pbx.requests import NOON, TENANT, put_extension, put_tenant

GRANTED = {"success": 1, "message": "API Access Granted: Whitelisted IP"}
DENIED = {
    "success": 0,
    "message": "API Access Denied: Only whitelisted IPs may access this endpoint.",
}


def make_app(allow_list, back_end=None, *, tokens=None):
    """An agent that lets in who is on the list with the token "right"."""
    gates = Gates(
        tokens=tokens or [Token("portal", digest_of("right"))],
        read_allow_list=file_reader(allow_list),
        limiter=RateLimiter(Limits(), lambda: 0.0),
    )
    return AgentApp(back_end or SandboxBackEnd(lambda: NOON), gates)


@pytest.fixture
def allow_list(tmp_path):
    path = tmp_path / "chkcon_whitelist.conf"
    path.write_text("192.0.2.0/28\n")
    return path


@pytest.fixture
def app(allow_list):
    return make_app(allow_list)


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
    tokens = [Token("portal", digest_of(secret)) for secret in ("old", "new")]
    app = make_app(allow_list, tokens=tokens)

    statuses = [
        answer_of(app, HTTP_AUTHORIZATION=f"Bearer {token}")[0]
        for token in ("old", "new", "oldnew")
    ]

    assert statuses == [200, 200, 401]


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


# --- When something is wrong ---


def test_a_pbx_that_cannot_answer_is_a_503_that_says_when(allow_list):
    class Down(SandboxBackEnd):
        def status(self):
            raise Unavailable("The event socket is closed.", retry_after_s=30)

    seen = {}
    app = make_app(allow_list, Down(lambda: NOON))
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

    app = make_app(allow_list, Broken(lambda: NOON))

    status, body = answer_of(app)

    assert (status, "hunter2" in body) == (500, False)
    assert "our bug, answering /api/v1/status" in caplog.text


def test_every_request_and_refusal_is_logged_on_one_line(app, caplog):
    caplog.set_level(logging.INFO, "pbx.agent.access")

    answer_of(app)
    answer_of(app, "/api/v1/x\nforged line", address="203.0.113.1")

    logged = [record.getMessage() for record in caplog.records if "access" in record.name]
    assert [re.sub(r"\d+ ms", "0 ms", line) for line in logged] == [
        "192.0.2.7 portal GET /api/v1/status 200 0 ms",
        "203.0.113.1 - GET /api/v1/x%0Aforged%20line 403 0 ms refused: not_allowed",
    ]


def test_a_body_too_long_is_not_even_read(app):
    status, body = answer_of(
        app, f"/api/v1/tenants/{TENANT}", REQUEST_METHOD="PUT", CONTENT_LENGTH="1000001"
    )

    assert (status, "too_large" in body) == (413, True)
