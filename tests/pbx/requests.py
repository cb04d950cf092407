"""Requests to the agent, as the tests of the agent make them."""

from datetime import UTC, datetime, timedelta

import httpx

from pbx.agent.sandbox_calls import CallSpec

TENANT = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
FIRST = "33333333-3333-4333-8333-333333333333"
SECOND = "44444444-4444-4444-8444-444444444444"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def put_tenant(agent, tenant_id=TENANT, domain="acme.pbx.example") -> httpx.Response:
    return agent.put(f"/api/v1/tenants/{tenant_id}", json={"domain": domain})


def put_extension(
    agent, extension_id=FIRST, number="1001", tenant_id=TENANT, **more
) -> httpx.Response:
    path = f"/api/v1/tenants/{tenant_id}/extensions/{extension_id}"
    return agent.put(path, json={"number": number, "name": "Front desk", **more})


def error(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def call(number="1001", minutes=0, **more) -> CallSpec:
    """A call of a minute to Hamburg, so many minutes after noon."""
    return CallSpec(number, "4940123456", NOON + timedelta(minutes=minutes), **more)
