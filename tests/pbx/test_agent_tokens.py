"""What a token opens."""

import json
from uuid import UUID

import pytest

from pbx.agent import tokens
from pbx.agent.app import AgentApp
from pbx.agent.gates import Gates
from pbx.agent.limits import Limits, RateLimiter
from pbx.agent.sandbox_backend import SandboxBackEnd
from pbx.agent.tokens import Token, digest_of
from tests.pbx.agent_setup import answer_of, app_with_scoped_tokens
from tests.pbx.requests import FIRST, NOON, TENANT

TENANT_PATH = f"/api/v1/tenants/{TENANT}"


@pytest.fixture
def app():
    return app_with_scoped_tokens()


def statuses(app, path, method="GET"):
    return {
        scope: answer_of(app, path, REQUEST_METHOD=method, HTTP_AUTHORIZATION=f"Bearer {scope}")[0]
        for scope in tokens.SCOPES
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed", "status"),
    [
        ("GET", "/api/v1/status", "read", 200),
        ("GET", "/api/v1/tenants", "read", 200),
        ("GET", "/api/v1/registrations", "read", 200),
        ("GET", "/api/v1/calls", "calls", 200),
        ("PUT", TENANT_PATH, "write", 400),
        ("DELETE", TENANT_PATH, "write", 404),
        ("POST", TENANT_PATH + "/suspend", "write", 404),
        ("PUT", f"{TENANT_PATH}/extensions/{FIRST}", "write", 400),
        ("POST", f"{TENANT_PATH}/extensions/{FIRST}/rotate-secret", "write", 404),
        ("GET", "/app/status/index.php", "read", 200),
    ],
)
def test_a_token_opens_its_scope_only(app, method, path, allowed, status):
    expected = {scope: status if scope == allowed else 403 for scope in tokens.SCOPES}

    assert statuses(app, path, method) == expected


def test_a_refusal_names_the_scope_that_is_missing(app):
    _, body = answer_of(app, "/api/v1/calls", HTTP_AUTHORIZATION="Bearer read")

    assert (
        body == '{"error": {"code": "scope", "message": "This token lacks the scope \'calls\'."}}'
    )


def test_a_token_that_may_only_look_sees_no_sip_secrets():
    back_end = SandboxBackEnd(lambda: NOON)
    tenant_id, extension_id = UUID(TENANT), UUID(FIRST)
    back_end.put_tenant(tenant_id, domain="acme.pbx.example", description="")
    back_end.put_extension(tenant_id, extension_id, number="1001", name="", password="abcdefGH1234")
    kinds = [
        Token("looks", digest_of("looks"), frozenset({"read"})),
        Token("writes", digest_of("writes"), frozenset({"read", "write"})),
    ]
    app = AgentApp(
        back_end, Gates(kinds, lambda: "192.0.2.7\n", RateLimiter(Limits(), lambda: 0.0))
    )

    seen = [
        json.loads(
            answer_of(app, TENANT_PATH + "/extensions", HTTP_AUTHORIZATION=f"Bearer {kind}")[1]
        )["extensions"][0]["password"]
        for kind in ("looks", "writes")
    ]

    assert seen == [None, "abcdefGH1234"]


def test_a_new_secret_is_long_and_never_the_same():
    first, second = tokens.new_secret(), tokens.new_secret()

    assert first != second
    assert len(first) == 43


def test_an_empty_secret_is_nobodys():
    assert tokens.find("", [Token("portal", digest_of(""))]) is None
