"""The agent's JSON API over real HTTP, on the sandbox back end: tenants and extensions."""

from datetime import timedelta

import pytest

from tests.pbx.requests import (
    FIRST,
    NOON,
    OTHER,
    SECOND,
    TENANT,
    call,
    error,
    put_extension,
    put_tenant,
)

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
