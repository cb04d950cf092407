"""The seed's endpoints that change the PBX: gateways and extensions.

Their callers know names, not uuids: what a name already stands for is changed, anything
else is made.  A repeated request therefore makes nothing twice.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from . import inputs
from .backend import BackEnd, Extension, Gateway, NotThere, Tenant
from .wire import Problem, Reply, Request

_ACTIONS = ("create", "update", "enable", "disable", "delete")
_LISTED_ACTIONS = ", ".join(_ACTIONS)
_NEW_GATEWAY_NEEDS = ("gateway_domain", "gateway_username", "gateway_password")


def provision_gateway(back_end: BackEnd, request: Request) -> Reply:
    """Make or change a gateway.  What is not sent stays as it is; a new one needs it all."""
    wish = inputs.read_known_fields(
        request.form(),
        {
            "gateway_name": inputs.name,
            "gateway_domain": inputs.optional(inputs.sip_domain),
            "gateway_username": inputs.optional_line,
            "gateway_password": inputs.optional_line,
            "gateway_enabled": inputs.optional(inputs.truth),
        },
    )
    known = _known_gateway(back_end, wish["gateway_name"])
    gateway = _gateway_from(back_end, wish, known)
    done = "is set" if known else "was created"
    facts = _gateway_facts(gateway)
    return Reply(200, {**_success(f"Gateway {gateway.name} {done}."), **facts})


def list_gateways(back_end: BackEnd, request: Request) -> Reply:
    gateways = [
        {**_gateway_facts(gateway), "gateway_status": "UP" if gateway.is_up else "DOWN"}
        for gateway in back_end.list_gateways()
    ]
    return Reply(200, {**_success(f"Gateways: {len(gateways)}."), "gateways": gateways})


def manage_extension(back_end: BackEnd, request: Request) -> Reply:
    """Create, update, enable, disable or delete an extension, by `action`.

    Its secret is `extension_password`: `password` is the caller's own.
    """
    wish = inputs.read_known_fields(
        request.form(),
        {
            "action": _action,
            "extension": inputs.number,
            "domain": inputs.domain,
            "name": inputs.optional_line,
            "extension_password": inputs.optional_password,
        },
    )
    tenant = back_end.find_tenant(wish["domain"])
    known = _known_extension(back_end, tenant, wish["extension"])
    if known is None and wish["action"] == "create":
        return _extension_reply(tenant, _put(back_end, tenant, wish), "was created")
    if known is None:
        message = f"{tenant.domain} has no extension {wish['extension']}."
        raise NotThere("no_such_extension", message)
    return _changed_extension(back_end, tenant, known, wish)


def _changed_extension(
    back_end: BackEnd, tenant: Tenant, known: Extension, wish: Mapping[str, Any]
) -> Reply:
    action, ids = wish["action"], (tenant.tenant_id, known.extension_id)
    if action == "create":
        return _extension_reply(tenant, known, "exists already")
    if action == "delete":
        back_end.delete_extension(*ids)
        return Reply(200, _success(f"Extension {known.number} was deleted."))
    if action == "update":
        return _extension_reply(tenant, _put(back_end, tenant, wish, known), "was updated")
    changed = back_end.set_enabled(*ids, action == "enable")
    return _extension_reply(tenant, changed, f"was {action}d")


def _put(
    back_end: BackEnd, tenant: Tenant, wish: Mapping[str, Any], known: Extension | None = None
) -> Extension:
    name = wish["name"] if wish["name"] is not None else known.name if known else ""
    extension, _ = back_end.put_extension(
        tenant.tenant_id,
        known.extension_id if known else uuid4(),
        number=wish["extension"],
        name=name,
        password=wish["extension_password"],
    )
    return extension


def _known_extension(back_end: BackEnd, tenant: Tenant, number: str) -> Extension | None:
    for extension in back_end.list_extensions(tenant.tenant_id):
        if extension.number == number:
            return extension
    return None


def _extension_reply(tenant: Tenant, extension: Extension, done: str) -> Reply:
    facts = {
        "extension_uuid": str(extension.extension_id),
        "extension": extension.number,
        "domain": tenant.domain,
        "extension_enabled": _word(extension.enabled),
        "extension_password": extension.password,
    }
    return Reply(200, {**_success(f"Extension {extension.number} {done}."), **facts})


def _gateway_from(back_end: BackEnd, wish: Mapping[str, Any], known: Gateway | None) -> Gateway:
    """Raises Problem(400) naming what a new gateway lacks."""
    missing = [name for name in _NEW_GATEWAY_NEEDS if not wish[name]]
    if known is None and missing:
        sentence = "; ".join(f"{name} is missing" for name in missing)
        raise Problem(400, "invalid", sentence + ".", fields=dict.fromkeys(missing, "is missing"))
    if known and all(wish[name] is None for name in (*_NEW_GATEWAY_NEEDS, "gateway_enabled")):
        return known
    gateway, _ = back_end.put_gateway(
        known.gateway_id if known else uuid4(),
        name=wish["gateway_name"],
        domain=wish["gateway_domain"] or (known.domain if known else ""),
        username=wish["gateway_username"] or (known.username if known else ""),
        password=wish["gateway_password"] or None,
        enabled=_first(wish["gateway_enabled"], known.enabled if known else True),
    )
    return gateway


def _known_gateway(back_end: BackEnd, name: str) -> Gateway | None:
    for gateway in back_end.list_gateways():
        if gateway.name == name:
            return gateway
    return None


def _gateway_facts(gateway: Gateway) -> dict[str, Any]:
    return {
        "gateway_uuid": str(gateway.gateway_id),
        "gateway_name": gateway.name,
        "gateway_domain": gateway.domain,
        "gateway_enabled": _word(gateway.enabled),
    }


def _action(value: Any) -> str:
    if value not in _ACTIONS:
        raise ValueError("is missing" if value is None else f"must be one of {_LISTED_ACTIONS}")
    return str(value)


def _success(message: str) -> dict[str, Any]:
    return {"status": "success", "message": message}


def _word(is_on: bool) -> str:
    return "true" if is_on else "false"


def _first(wished: bool | None, otherwise: bool) -> bool:
    return otherwise if wished is None else wished
