"""What the agent's OpenAPI document says of every address.

Written by hand, and held against what the agent really does by the tests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import inputs
from .tokens import CALLS, READ, WRITE

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
NULLABLE_TEXT: Schema = {"type": ["string", "null"]}
TRUTH: Schema = {"type": "boolean"}
UUID_TEXT: Schema = {"type": "string", "format": "uuid"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
DAY: Schema = {"type": "string", "format": "date"}


@dataclass(frozen=True, slots=True)
class Operation:
    """`body` are JSON fields, or form fields for the seed's addresses; `needs` of them must
    be sent.  `reply` is the answer to success, which comes with one of `statuses`, and may
    come as one of `other_types`."""

    method: str
    path: str
    scope: str
    summary: str
    reply: Schema | None = None
    statuses: Sequence[int] = (200,)
    query: Mapping[str, Schema] = field(default_factory=dict)
    body: Mapping[str, Schema] = field(default_factory=dict)
    needs: Sequence[str] = ()
    other_types: Sequence[str] = ()


def object_of(properties: Mapping[str, Schema], required: Sequence[str] | None = None) -> Any:
    """An object; unless said otherwise every property is always there."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list_of(name: str, record: str) -> Schema:
    schema: Schema = object_of({name: {"type": "array", "items": ref(record)}})
    return schema


def _seed_reply(**more: Schema) -> Schema:
    schema: Schema = object_of({"status": {"const": "success"}, "message": TEXT, **more})
    return schema


SEED_ERROR = object_of({"status": {"const": "error"}, "message": TEXT, "timestamp": MOMENT})

_CHKCON = object_of({"success": {"enum": [0, 1]}, "message": TEXT})
_LOGIN: Mapping[str, Schema] = {"username": TEXT, "password": TEXT}
_WORD: Schema = {"enum": ["true", "false"]}
_GATEWAY_FACTS: Mapping[str, Schema] = {
    "gateway_uuid": UUID_TEXT,
    "gateway_name": TEXT,
    "gateway_domain": TEXT,
    "gateway_enabled": _WORD,
}
_CALL_PAGE = object_of(
    {
        "calls": {"type": "array", "items": ref("CallRecord")},
        "next": NULLABLE_TEXT,
        "has_more": TRUTH,
        "now": MOMENT,
    }
)
_PAGE_QUERY: Mapping[str, Schema] = {
    "since": MOMENT,
    "after": TEXT,
    "limit": {"type": "integer", "minimum": 1, "maximum": inputs.MAX_PAGE},
}
_SEED_STATUS = _seed_reply(
    timestamp=MOMENT,
    version=TEXT,
    uptime=TEXT,
    active_calls={"type": "integer"},
    total_extensions={"type": "integer"},
    registered_extensions={"type": "integer"},
)
_SEED_PHONE = _seed_reply(
    registered={"enum": ["yes", "no"]},
    register_ip=TEXT,
    register_port=TEXT,
    register_useragent=TEXT,
)
_SEED_GATEWAYS = _seed_reply(
    gateways={
        "type": "array",
        "items": object_of({**_GATEWAY_FACTS, "gateway_status": {"enum": ["UP", "DOWN"]}}),
    }
)
_SEED_EXTENSION = {
    **_seed_reply(
        extension_uuid=UUID_TEXT,
        extension=TEXT,
        domain=TEXT,
        extension_enabled=_WORD,
        extension_password=TEXT,
    ),
    "required": ["status", "message"],
}
_SEED_EXPORT = _seed_reply(
    total_records={"type": "integer"},
    date_range=TEXT,
    export_format={"enum": ["JSON", "CSV", "XML"]},
    records={"type": "array", "items": ref("CallRecord")},
)
_API = "/api/v1/"
_TENANT = _API + "tenants/{tenant_id}"
_EXTENSION = _TENANT + "/extensions/{extension_id}"
_GATEWAY = _API + "gateways/{gateway_id}"
_MADE = (200, 201)

OPERATIONS = (
    Operation("GET", _API + "openapi.json", READ, "This document.", {"type": "object"}),
    Operation("GET", _API + "status", READ, "How the PBX is doing.", ref("Status")),
    Operation(
        "GET", _API + "tenants", READ, "All tenants, by uuid.", _list_of("tenants", "Tenant")
    ),
    Operation(
        "PUT",
        _TENANT,
        WRITE,
        "Make a tenant, or change its description.",
        ref("Tenant"),
        _MADE,
        body={"domain": TEXT, "description": NULLABLE_TEXT},
        needs=["domain"],
    ),
    Operation("GET", _TENANT, READ, "One tenant.", ref("Tenant")),
    Operation("DELETE", _TENANT, WRITE, "Remove a tenant; its calls stay.", None, (204,)),
    Operation("POST", _TENANT + "/suspend", WRITE, "Stop calls and phones.", ref("Tenant")),
    Operation("POST", _TENANT + "/unsuspend", WRITE, "Allow them again.", ref("Tenant")),
    Operation(
        "GET",
        _TENANT + "/extensions",
        READ,
        "A tenant's extensions, by number; secrets are null without the scope write.",
        _list_of("extensions", "Extension"),
    ),
    Operation(
        "PUT",
        _EXTENSION,
        WRITE,
        "Make or change an extension.  Without a password a new one gets a random one.",
        ref("Extension"),
        _MADE,
        body={"number": TEXT, "name": NULLABLE_TEXT, "password": NULLABLE_TEXT},
        needs=["number"],
    ),
    Operation("DELETE", _EXTENSION, WRITE, "Remove an extension.", None, (204,)),
    Operation(
        "POST",
        _EXTENSION + "/rotate-secret",
        WRITE,
        "Another SIP secret; drops the registration.",
        ref("Extension"),
        body={"password": NULLABLE_TEXT},
    ),
    Operation("POST", _EXTENSION + "/enable", WRITE, "Let it call.", ref("Extension")),
    Operation("POST", _EXTENSION + "/disable", WRITE, "Let it not call.", ref("Extension")),
    Operation(
        "GET", _API + "gateways", READ, "All gateways, by name.", _list_of("gateways", "Gateway")
    ),
    Operation("GET", _GATEWAY, READ, "One gateway.", ref("Gateway")),
    Operation(
        "PUT",
        _GATEWAY,
        WRITE,
        "Make or change a gateway.  A new one with a username needs a password.",
        ref("Gateway"),
        _MADE,
        body={
            "name": TEXT,
            "domain": TEXT,
            "username": NULLABLE_TEXT,
            "password": NULLABLE_TEXT,
            "enabled": TRUTH,
        },
        needs=["name", "domain", "enabled"],
    ),
    Operation("DELETE", _GATEWAY, WRITE, "Remove a gateway.", None, (204,)),
    Operation(
        "GET",
        _API + "registrations",
        READ,
        "Phones reachable now, of one tenant or of all.",
        _list_of("registrations", "Registration"),
        query={"tenant_id": UUID_TEXT},
    ),
    Operation(
        "GET",
        _API + "calls",
        CALLS,
        "Call records in order of arrival: since a moment, or after a reply's next.",
        _CALL_PAGE,
        query=_PAGE_QUERY,
    ),
    Operation("GET", "/chkcon.php", "", "Is the caller on the allow-list?", _CHKCON, (200, 403)),
    Operation("GET", "/app/xml_cdr/chkcon.php", "", "The same.", _CHKCON, (200, 403)),
    Operation(
        "POST", "/app/status/index.php", READ, "How the PBX is doing.", _SEED_STATUS, body=_LOGIN
    ),
    Operation("POST", "/app/status/", READ, "The same.", _SEED_STATUS, body=_LOGIN),
    Operation(
        "POST",
        "/app/registrations/check_registration.php",
        READ,
        "Is an extension's phone there?",
        _SEED_PHONE,
        body={**_LOGIN, "extension": TEXT, "tenant_domain": TEXT},
        needs=["extension", "tenant_domain"],
    ),
    Operation(
        "POST",
        "/app/gateways/provision.php",
        WRITE,
        "Make a gateway, which needs all but gateway_enabled, or change what is sent.",
        _seed_reply(**_GATEWAY_FACTS),
        body={
            **_LOGIN,
            "gateway_name": TEXT,
            "gateway_domain": TEXT,
            "gateway_username": TEXT,
            "gateway_password": TEXT,
            "gateway_enabled": _WORD,
        },
        needs=["gateway_name"],
    ),
    Operation(
        "POST", "/app/gateways/provision_list.php", READ, "Gateways.", _SEED_GATEWAYS, body=_LOGIN
    ),
    Operation(
        "POST",
        "/app/extensions/manage.php",
        WRITE,
        "Create, update, enable, disable or delete an extension.",
        _SEED_EXTENSION,
        body={
            **_LOGIN,
            "action": {"enum": ["create", "update", "enable", "disable", "delete"]},
            "extension": TEXT,
            "domain": TEXT,
            "name": TEXT,
            "extension_password": TEXT,
        },
        needs=["action", "extension", "domain"],
    ),
    Operation(
        "POST",
        "/app/xml_cdr/export_cdr.php",
        CALLS,
        "Calls that began on these days, in UTC, as JSON, CSV or XML.",
        _SEED_EXPORT,
        body={
            **_LOGIN,
            "date_start": DAY,
            "date_end": DAY,
            "format": {"enum": ["JSON", "CSV", "XML"]},
        },
        needs=["date_start", "date_end"],
        other_types=["text/csv", "application/xml"],
    ),
)
