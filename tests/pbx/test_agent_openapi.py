"""The OpenAPI document against the agent: the same addresses, fields, scopes and answers."""

import re
from datetime import timedelta

import pytest

from pbx.agent import api, seed
from pbx.agent.openapi import document
from tests.pbx.agent_setup import answer_of, app_with_scoped_tokens
from tests.pbx.requests import FIRST, NOON, SECOND, TENANT, call, put_extension, put_tenant

DOCUMENT = document()
LOGIN = {"username": "portal", "password": "sandbox-token"}
OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def named(operations):
    return [pytest.param(*one, id=f"{one[0]} {one[1]}") for one in operations]


def body_of(operation):
    """The schema of what is sent, and whether it is JSON."""
    (kind, content), *more = operation["requestBody"]["content"].items()
    assert more == []
    return content["schema"], kind == "application/json"


def problems(value, schema, where="answer"):
    """Where a value is not what its schema says."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "const" in schema:
        return [] if value == schema["const"] else [f"{where}: {value!r}"]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{where}: {value!r}"]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    allowed = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if value is None and "null" in allowed:
        return []
    if type(value) not in [kinds[kind] for kind in allowed if kind != "null"]:
        return [f"{where}: {value!r} is no {allowed}"]
    found = []
    if isinstance(value, list):
        for item in value:
            found += problems(item, schema["items"], f"{where}[]")
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        found += [f"{where} lacks {name}" for name in set(schema["required"]) - value.keys()]
        found += [f"{where} has {name}" for name in value.keys() - known.keys()]
        for name in value.keys() & known.keys():
            found += problems(value[name], known[name], f"{where}.{name}")
    return found


def test_it_lists_exactly_the_addresses_there_are():
    api_paths = {
        (route.method, api.PREFIX + re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", route.path))
        for route in api.ROUTES
    }
    seed_paths = {("POST", one.path) for one in seed.ENDPOINTS}
    seed_paths |= {("GET", path) for path in seed.CHKCON_PATHS}

    assert {(method, path) for method, path, _ in OPERATIONS} == api_paths | seed_paths


def test_it_is_served_as_it_is(agent):
    response = agent.get("/api/v1/openapi.json")

    assert (response.status_code, response.json()) == (200, DOCUMENT)
    assert response.json()["openapi"] == "3.1.0"


@pytest.mark.parametrize(("method", "path", "operation"), named(OPERATIONS))
def test_the_scope_it_names_is_the_one_that_opens(method, path, operation):
    app = app_with_scoped_tokens()
    url = path.format(tenant_id=TENANT, extension_id=FIRST, gateway_id=FIRST)
    opened = {
        scope
        for scope in ("read", "write", "calls")
        if answer_of(app, url, REQUEST_METHOD=method, HTTP_AUTHORIZATION=f"Bearer {scope}")[0]
        != 403
    }

    named_scopes = {scope for one in operation["security"] for scope in one["bearer"]}
    assert opened == (named_scopes or {"read", "write", "calls"})


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    named([one for one in OPERATIONS if "requestBody" in one[2]]),
)
def test_the_fields_it_names_are_read_and_the_needed_ones_needed(
    agent, remote, method, path, operation
):
    url = path.format(tenant_id=TENANT, extension_id=FIRST, gateway_id=FIRST)
    schema, is_json = body_of(operation)
    put_tenant(agent)
    put_extension(agent)

    if is_json:
        empty = agent.request(method, url, json={})
        wrong = agent.request(
            method, url, json={name: [] for name in [*schema["properties"], "xyz"]}
        )
        missing = empty.json().get("error", {}).get("fields", {})
        assert sorted(missing) == sorted(schema["required"])
        fields = wrong.json()["error"]["fields"]
        assert fields.keys() == {*schema["properties"], "xyz"}
        unread = [name for name, why in fields.items() if why == "is not a field of this request"]
        assert unread == ["xyz"]
    else:
        message = agent.request(method, url, data=LOGIN).json()["message"]
        assert sorted(re.findall(r"(\w+) is missing", message)) == sorted(schema["required"])


def test_the_queries_it_names_are_read(agent):
    asked = 0
    for method, path, operation in OPERATIONS:
        names = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
        if names:
            response = agent.request(method, path, params=dict.fromkeys([*names, "xyz"], "?"))
            fields = response.json()["error"]["fields"]
            unread = [n for n, why in fields.items() if why == "is not a field of this request"]
            assert (fields.keys(), unread) == ({*names, "xyz"}, ["xyz"])
            asked += 1

    assert asked == 2


FORMS = {
    "/app/registrations/check_registration.php": {
        "extension": "1001",
        "tenant_domain": "acme.pbx.example",
    },
    "/app/gateways/provision.php": {"gateway_name": "trunk_a"},
    "/app/extensions/manage.php": {
        "action": "update",
        "extension": "1001",
        "domain": "acme.pbx.example",
    },
    "/app/xml_cdr/export_cdr.php": {"date_start": "2026-03-10", "date_end": "2026-03-10"},
}
BODIES = {
    "/api/v1/tenants/{tenant_id}": {"domain": "acme.pbx.example"},
    "/api/v1/tenants/{tenant_id}/extensions/{extension_id}": {"number": "1001"},
    "/api/v1/gateways/{gateway_id}": {
        "name": "trunk_a",
        "domain": "sip.carrier.example",
        "enabled": True,
    },
}


@pytest.mark.parametrize(("method", "path", "operation"), named(OPERATIONS))
def test_what_the_agent_answers_fits_its_schema(agent, remote, method, path, operation):
    remote.set_clock(NOON + timedelta(hours=1))
    put_tenant(agent)
    put_extension(agent)
    put_extension(agent, SECOND, "1002")
    remote.tell_phone(FIRST, True)
    trunk = BODIES["/api/v1/gateways/{gateway_id}"]
    agent.put(f"/api/v1/gateways/{FIRST}", json=trunk)
    remote.make_calls(TENANT, [call()])
    remote.make_calls(None, [call()])
    url = path.format(tenant_id=TENANT, extension_id=FIRST, gateway_id=FIRST)

    if path.startswith("/api/"):
        body = BODIES.get(path) if method == "PUT" else None
        response = agent.request(method, url, json=body)
    else:
        response = agent.request(method, url, data={**LOGIN, **FORMS.get(path, {})})

    answer = operation["responses"][str(response.status_code)]
    if response.content:
        schema = answer["content"]["application/json"]["schema"]
        assert problems(response.json(), schema) == []
    else:
        assert "content" not in answer


def test_a_refusal_fits_its_schema_too(agent):
    api_error = agent.put(f"/api/v1/tenants/{TENANT}", json={}).json()
    seed_error = agent.post("/app/gateways/provision.php").json()

    api_schema = DOCUMENT["components"]["schemas"]["Error"]
    seed_schema = DOCUMENT["paths"]["/app/gateways/provision.php"]["post"]["responses"]["default"]
    assert problems(api_error, api_schema) == []
    assert problems(seed_error, seed_schema["content"]["application/json"]["schema"]) == []


def test_the_check_of_schemas_can_fail():
    schema = DOCUMENT["components"]["schemas"]["Extension"]

    assert sorted(problems({"number": 1001, "realm": ""}, schema)) == [
        "answer has realm",
        "answer lacks enabled",
        "answer lacks extension_id",
        "answer lacks name",
        "answer lacks password",
        "answer lacks tenant_id",
        "answer.number: 1001 is no ['string']",
    ]
