"""The seed's endpoints for phones, gateways, extensions and calls, over real HTTP."""

import csv
import io
from datetime import timedelta
from xml.etree import ElementTree

import httpx
import pytest

from tests.pbx.requests import FIRST, NOON, TENANT, call, put_extension, put_tenant

CHECK = "/app/registrations/check_registration.php"
PROVISION = "/app/gateways/provision.php"
GATEWAYS = "/app/gateways/provision_list.php"
MANAGE = "/app/extensions/manage.php"
EXPORT = "/app/xml_cdr/export_cdr.php"
TRUNK = {
    "gateway_name": "trunk_a",
    "gateway_domain": "sip.carrier.example",
    "gateway_username": "acme",
    "gateway_password": "s3cret&<carrier>",
}


@pytest.fixture
def post(sandbox, agent, remote):
    """A form to one of the endpoints, with the credentials it wants."""
    remote.set_clock(NOON)
    put_tenant(agent)

    def send(path, **fields) -> httpx.Response:
        form = {"username": "portal", "password": "sandbox-token", **fields}
        return httpx.post(sandbox.url + path, data=form, trust_env=False)

    return send


def refusal(response):
    """Status and sentence of a refusal; its shape is checked on the way."""
    answer = response.json()
    assert list(answer) == ["status", "message", "timestamp"]
    assert answer["status"] == "error"
    return response.status_code, answer["message"]


# --- All of them ---


@pytest.mark.parametrize("path", [CHECK, PROVISION, GATEWAYS, MANAGE, EXPORT])
def test_each_wants_a_post_with_credentials(sandbox, agent, remote, path):
    wrong = httpx.post(sandbox.url + path, data={"username": "portal"}, trust_env=False)
    got = agent.get(path)

    assert refusal(wrong) == (401, "Authentication failed.")
    assert refusal(got) == (405, "Use POST.")
    assert got.headers["Allow"] == "POST"


def test_a_bearer_token_will_do_instead_of_the_form_fields(agent, remote):
    assert agent.post(GATEWAYS).json()["status"] == "success"


def test_fields_the_seed_does_not_know_are_left_alone(post):
    assert post(GATEWAYS, submit="Go").status_code == 200


# --- Registrations ---


def test_a_registered_phone_is_told_with_its_address_as_text(post, agent, remote):
    put_extension(agent)
    remote.tell_phone(FIRST, True)
    phone = agent.get("/api/v1/registrations").json()["registrations"][0]

    answer = post(CHECK, extension="1001", tenant_domain="ACME.pbx.example").json()

    assert answer == {
        "status": "success",
        "message": "Extension 1001 is registered.",
        "registered": "yes",
        "register_ip": phone["address"],
        "register_port": str(phone["port"]),
        "register_useragent": phone["user_agent"],
    }


def test_a_phone_that_is_away_is_no_error(post, agent, remote):
    put_extension(agent)
    remote.tell_phone(FIRST, False)

    assert post(CHECK, extension="1001", tenant_domain="acme.pbx.example").json() == {
        "status": "success",
        "message": "Extension 1001 is not registered.",
        "registered": "no",
        "register_ip": "",
        "register_port": "",
        "register_useragent": "",
    }


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({}, 400, "extension is missing; tenant_domain is missing."),
        (
            {"extension": "1001", "tenant_domain": "beta.pbx.example"},
            404,
            "There is no tenant with this domain.",
        ),
        (
            {"extension": "1009", "tenant_domain": "acme.pbx.example"},
            404,
            "acme.pbx.example has no extension 1009.",
        ),
    ],
)
def test_a_question_about_nobody_is_refused(post, agent, fields, status, message):
    assert refusal(post(CHECK, **fields)) == (status, message)


# --- Gateways ---


def test_a_gateway_is_made_once_and_then_changed(post):
    first = post(PROVISION, **TRUNK).json()
    again = post(PROVISION, **TRUNK, gateway_enabled="false").json()

    uuid = first.pop("gateway_uuid")
    assert first == {
        "status": "success",
        "message": "Gateway trunk_a was created.",
        "gateway_name": "trunk_a",
        "gateway_domain": "sip.carrier.example",
        "gateway_enabled": "true",
    }
    assert (again["gateway_uuid"], again["gateway_enabled"]) == (uuid, "false")
    assert post(GATEWAYS).json() == {
        "status": "success",
        "message": "Gateways: 1.",
        "gateways": [
            {
                "gateway_uuid": uuid,
                "gateway_name": "trunk_a",
                "gateway_domain": "sip.carrier.example",
                "gateway_enabled": "false",
                "gateway_status": "DOWN",
            }
        ],
    }


def test_a_name_alone_tells_a_known_gateway_and_makes_no_new_one(post):
    made = post(PROVISION, **TRUNK, gateway_enabled="false").json()

    known = post(PROVISION, gateway_name="trunk_a").json()
    unknown = post(PROVISION, gateway_name="trunk_b")

    assert known["gateway_uuid"] == made["gateway_uuid"]
    assert (known["gateway_domain"], known["gateway_enabled"]) == ("sip.carrier.example", "false")
    assert refusal(unknown) == (
        400,
        "gateway_domain is missing; gateway_username is missing; gateway_password is missing.",
    )
    assert [one["gateway_name"] for one in post(GATEWAYS).json()["gateways"]] == ["trunk_a"]


def test_a_gateway_is_up_once_its_carrier_took_it(post, remote):
    post(PROVISION, **TRUNK)
    at_first = post(GATEWAYS).json()["gateways"][0]["gateway_status"]

    remote.set_clock(NOON + timedelta(seconds=10))

    assert (at_first, post(GATEWAYS).json()["gateways"][0]["gateway_status"]) == ("DOWN", "UP")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gateway_name": "two words"}, "gateway_name must be 1 to 64 letters, digits and _.-."),
        (
            {"gateway_domain": "carrier"},
            "gateway_domain must be a host name or IPv4 address such as sip.carrier.example.",
        ),
        ({"gateway_enabled": "yes"}, "gateway_enabled must be true or false."),
    ],
)
def test_a_gateway_that_cannot_be_is_refused(post, change, message):
    assert refusal(post(PROVISION, **{**TRUNK, **change})) == (400, message)
    assert post(GATEWAYS).json()["gateways"] == []


# --- Extensions ---


def manage(post, action, **fields):
    return post(MANAGE, action=action, extension="1002", domain="acme.pbx.example", **fields)


def test_an_extension_is_created_once(post, agent):
    first, again = manage(post, "create").json(), manage(post, "create").json()

    uuid, secret = first.pop("extension_uuid"), first.pop("extension_password")
    assert first == {
        "status": "success",
        "message": "Extension 1002 was created.",
        "extension": "1002",
        "domain": "acme.pbx.example",
        "extension_enabled": "true",
    }
    assert len(secret) == 20
    assert (again["message"], again["extension_uuid"], again["extension_password"]) == (
        "Extension 1002 exists already.",
        uuid,
        secret,
    )
    assert agent.get(f"/api/v1/tenants/{TENANT}").json()["numbers"] == ["1002"]


def test_an_extension_is_renamed_disabled_enabled_and_deleted(post, agent):
    made = manage(post, "create").json()

    manage(post, "update", name="Reception")
    off = manage(post, "disable").json()
    kept_off = manage(post, "update").json()
    on = manage(post, "enable").json()
    seen = agent.get(f"/api/v1/tenants/{TENANT}/extensions").json()["extensions"]
    gone = manage(post, "delete").json()

    assert [one["extension_enabled"] for one in (off, kept_off, on)] == ["false", "false", "true"]
    assert [(one["name"], one["password"]) for one in seen] == [
        ("Reception", made["extension_password"])
    ]
    assert gone == {"status": "success", "message": "Extension 1002 was deleted."}
    assert refusal(manage(post, "delete")) == (404, "acme.pbx.example has no extension 1002.")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "action is missing; domain is missing; extension is missing."),
        (
            {"action": "drop", "extension": "1", "domain": "acme.pbx.example"},
            "action must be one of create, update, enable, disable, delete; "
            "extension must be 2 to 7 digits.",
        ),
    ],
)
def test_an_extension_that_cannot_be_is_refused(post, agent, fields, message):
    assert refusal(post(MANAGE, **fields)) == (400, message)


def test_the_token_in_the_form_is_never_taken_for_the_extensions_secret(post, agent):
    made = manage(post, "create").json()
    chosen = manage(post, "update", extension_password="abcdefGH1234").json()

    assert made["extension_password"] != "sandbox-token"
    assert chosen["extension_password"] == "abcdefGH1234"


# --- Calls ---


@pytest.fixture
def calls(post, agent, remote):
    """Calls on 9, 10 and 11 March, the last one a second before the next day begins."""
    put_extension(agent)
    remote.set_clock(NOON + timedelta(days=3))
    midnight = NOON + timedelta(hours=12)
    begins = [NOON - timedelta(days=1), NOON, midnight - timedelta(seconds=1), midnight]
    minutes = [(at - NOON).total_seconds() / 60 for at in begins]
    return remote.make_calls(TENANT, [call(minutes=minute) for minute in reversed(minutes)])[::-1]


def test_the_export_has_the_calls_of_whole_days_in_order(post, calls):
    answer = post(EXPORT, date_start="2026-03-09", date_end="2026-03-10").json()

    records = answer.pop("records")
    assert answer == {
        "status": "success",
        "message": "Calls: 3.",
        "total_records": 3,
        "date_range": "2026-03-09 to 2026-03-10",
        "export_format": "JSON",
    }
    assert [one["xml_cdr_uuid"] for one in records] == calls[:3]
    assert records[0]["destination_number"] == "4940123456"


def test_the_export_as_csv_and_xml_has_the_same_rows(post, calls):
    days = {"date_start": "2026-03-10", "date_end": "2026-03-10"}
    records = post(EXPORT, **days).json()["records"]
    as_csv, as_xml = post(EXPORT, **days, format="csv"), post(EXPORT, **days, format="XML")

    texts = [
        {name: "" if value is None else str(value) for name, value in one.items()}
        for one in records
    ]
    assert as_csv.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert list(csv.DictReader(io.StringIO(as_csv.text))) == texts
    assert as_xml.headers["Content-Type"] == "application/xml"
    root = ElementTree.fromstring(as_xml.content)
    assert root.attrib == {
        "status": "success",
        "message": "Calls: 2.",
        "total_records": "2",
        "date_range": "2026-03-10 to 2026-03-10",
        "export_format": "XML",
    }
    assert [{field.tag: field.text or "" for field in record} for record in root] == texts


def test_an_empty_export_still_has_its_header(post):
    days = {"date_start": "2026-03-10", "date_end": "2026-03-10"}

    assert post(EXPORT, **days).json()["records"] == []
    assert post(EXPORT, **days, format="CSV").text.startswith("xml_cdr_uuid,domain_uuid,")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "date_end is missing; date_start is missing."),
        (
            {"date_start": "2026-02-30", "date_end": "20260301", "format": "pdf"},
            "date_end must be a day such as 2026-01-31; "
            "date_start must be a day such as 2026-01-31; "
            "format must be one of JSON, CSV, XML.",
        ),
        (
            {"date_start": "2026-03-02", "date_end": "9999-12-31"},
            "date_end must be a day such as 2026-01-31.",
        ),
        (
            {"date_start": "2026-03-02", "date_end": "2026-03-01"},
            "date_end is before date_start.",
        ),
    ],
)
def test_an_export_that_cannot_be_is_refused(post, fields, message):
    assert refusal(post(EXPORT, **fields)) == (400, message)


def test_an_export_too_large_for_one_reply_is_refused(post, calls, monkeypatch):
    monkeypatch.setattr("pbx.agent.seed_export.MAX_RECORDS", 3)

    days = {"date_start": "2026-03-09", "date_end": "2026-03-11"}

    assert refusal(post(EXPORT, **days)) == (400, "More than 3 calls: ask for fewer days.")
