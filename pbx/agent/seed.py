"""The endpoints ictVoIP documents, with its parameters and its replies.

Two conventions live side by side there: `chkcon.php` says `"success": 1` as a number, the
others say `"status": "success"` as text, and so are booleans and ports.  Callers depend on
all of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from . import inputs, seed_export, seed_provisioning
from .backend import BackEnd, NotThere
from .gates import check_scope
from .tokens import CALLS, READ, WRITE, Token
from .wire import Problem, Reply, Request

CHKCON_PATHS = frozenset({"/chkcon.php", "/app/xml_cdr/chkcon.php"})

GRANTED = {"success": 1, "message": "API Access Granted: Whitelisted IP"}
DENIED = {
    "success": 0,
    "message": "API Access Denied: Only whitelisted IPs may access this endpoint.",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address; `scope` is what the token needs."""

    path: str
    scope: str
    handler: Callable[[BackEnd, Request], Reply]
    methods: tuple[str, ...] = ("POST",)


def has(path: str) -> bool:
    """Whether the path is one of ENDPOINTS."""
    return path in _BY_PATH


def answer(back_end: BackEnd, request: Request, token: Token) -> Reply:
    """Carry out a request to one of ENDPOINTS.  Raises Problem, or what the back end raises."""
    found = _BY_PATH[request.path]
    if request.method not in found.methods:
        message = f"Use {' or '.join(found.methods)}."
        raise Problem(405, "method", message, headers={"Allow": ", ".join(found.methods)})
    check_scope(token, found.scope)
    return found.handler(back_end, request)


def error(problem: Problem, at: datetime) -> dict[str, Any]:
    """A refusal: no code, only a sentence."""
    return {"status": "error", "message": problem.message, "timestamp": _timestamp(at)}


def uptime_in_words(seconds: int) -> str:
    """273600 is "3 days, 4 hours"."""
    days, hours = seconds // 86400, seconds % 86400 // 3600
    return f"{days} {_plural('day', days)}, {hours} {_plural('hour', hours)}"


def _status(back_end: BackEnd, request: Request) -> Reply:
    """The status page's answer: uptime in words, counters as numbers."""
    seen = back_end.status()
    return Reply(
        200,
        {
            "status": "success",
            "message": "The PBX is running.",
            "timestamp": _timestamp(seen.now),
            "version": seen.version,
            "uptime": uptime_in_words(seen.uptime_s),
            "active_calls": seen.active_calls,
            "total_extensions": seen.total_extensions,
            "registered_extensions": seen.registered_extensions,
        },
    )


def _check_registration(back_end: BackEnd, request: Request) -> Reply:
    """Whether an extension's phone is there.  Of several phones the first is told."""
    wish = inputs.read_known_fields(
        request.form(), {"extension": inputs.number, "tenant_domain": inputs.domain}
    )
    tenant = back_end.find_tenant(wish["tenant_domain"])
    number = wish["extension"]
    if number not in tenant.numbers:
        raise NotThere("no_such_extension", f"{tenant.domain} has no extension {number}.")
    registrations = back_end.list_registrations(tenant.tenant_id)
    phones = [one for one in registrations if one.number == number]
    first = phones[0] if phones else None
    return Reply(
        200,
        {
            "status": "success",
            "message": f"Extension {number} is {'' if first else 'not '}registered.",
            "registered": "yes" if first else "no",
            "register_ip": first.address if first else "",
            "register_port": str(first.port) if first else "",
            "register_useragent": first.user_agent if first else "",
        },
    )


def _timestamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plural(word: str, count: int) -> str:
    return word if count == 1 else word + "s"


_GET_TOO = ("GET", "POST")

ENDPOINTS = (
    Endpoint("/app/status/index.php", READ, _status, _GET_TOO),
    Endpoint("/app/status/", READ, _status, _GET_TOO),
    Endpoint("/app/registrations/check_registration.php", READ, _check_registration),
    Endpoint("/app/gateways/provision.php", WRITE, seed_provisioning.provision_gateway),
    Endpoint("/app/gateways/provision_list.php", READ, seed_provisioning.list_gateways),
    Endpoint("/app/extensions/manage.php", WRITE, seed_provisioning.manage_extension),
    Endpoint("/app/xml_cdr/export_cdr.php", CALLS, seed_export.export_calls),
)
_BY_PATH = {one.path: one for one in ENDPOINTS}
