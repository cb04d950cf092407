"""The JSON API, version 1: what the seed's endpoints lack.

One function per request.  Each reads its fields, calls the back end once and shapes the
answer; nothing here knows which back end it is.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from . import inputs, openapi
from .backend import BackEnd, Cursor, NotThere
from .gates import check_scope
from .outputs import plain
from .tokens import CALLS, READ, WRITE, Token
from .wire import Problem, Reply, Request

PREFIX = "/api/v1/"

Handler = Callable[..., Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """`path` is a pattern whose named groups are uuids.  `scope` is what the token needs."""

    method: str
    path: str
    scope: str
    handler: Handler

    def match(self, path: str) -> re.Match[str] | None:
        return re.fullmatch(PREFIX + self.path, path)


def answer(back_end: BackEnd, request: Request, token: Token) -> Reply:
    """Carry out one API request.  Raises Problem, or whatever the back end raises."""
    allowed = []
    for route in ROUTES:
        if match := route.match(request.path):
            if route.method == request.method:
                check_scope(token, route.scope)
                ids = inputs.read_fields(
                    match.groupdict(), {name: inputs.uuid for name in match.groupdict()}
                )
                reply = route.handler(back_end, request, **ids)
                return reply if WRITE in token.scopes else _without_secrets(reply)
            allowed.append(route.method)
    if allowed:
        message = f"{request.method} is not possible here."
        raise Problem(405, "method", message, headers={"Allow": ", ".join(allowed)})
    raise Problem(404, "no_such_path", "There is nothing at this path.")


def _document(back_end: BackEnd, request: Request) -> Reply:
    return Reply(200, openapi.document())


def _status(back_end: BackEnd, request: Request) -> Reply:
    return Reply(200, plain(back_end.status()))


def _list_tenants(back_end: BackEnd, request: Request) -> Reply:
    return Reply(200, {"tenants": [plain(tenant) for tenant in back_end.list_tenants()]})


def _put_tenant(back_end: BackEnd, request: Request, tenant_id: UUID) -> Reply:
    wish = inputs.read_fields(request.json(), {"domain": inputs.domain, "description": inputs.line})
    tenant, is_new = back_end.put_tenant(tenant_id, **wish)
    return Reply(201 if is_new else 200, plain(tenant))


def _get_tenant(back_end: BackEnd, request: Request, tenant_id: UUID) -> Reply:
    return Reply(200, plain(back_end.get_tenant(tenant_id)))


def _delete_tenant(back_end: BackEnd, request: Request, tenant_id: UUID) -> Reply:
    back_end.delete_tenant(tenant_id)
    return Reply(204)


def _suspend(back_end: BackEnd, request: Request, tenant_id: UUID) -> Reply:
    return Reply(200, plain(back_end.set_suspended(tenant_id, True)))


def _unsuspend(back_end: BackEnd, request: Request, tenant_id: UUID) -> Reply:
    return Reply(200, plain(back_end.set_suspended(tenant_id, False)))


def _list_extensions(back_end: BackEnd, request: Request, tenant_id: UUID) -> Reply:
    extensions = back_end.list_extensions(tenant_id)
    return Reply(200, {"extensions": [plain(extension) for extension in extensions]})


def _put_extension(
    back_end: BackEnd, request: Request, tenant_id: UUID, extension_id: UUID
) -> Reply:
    wish = inputs.read_fields(
        request.json(),
        {"number": inputs.number, "name": inputs.line, "password": inputs.optional_password},
    )
    extension, is_new = back_end.put_extension(tenant_id, extension_id, **wish)
    return Reply(201 if is_new else 200, plain(extension))


def _delete_extension(
    back_end: BackEnd, request: Request, tenant_id: UUID, extension_id: UUID
) -> Reply:
    back_end.delete_extension(tenant_id, extension_id)
    return Reply(204)


def _rotate_secret(
    back_end: BackEnd, request: Request, tenant_id: UUID, extension_id: UUID
) -> Reply:
    wish = inputs.read_fields(request.json(), {"password": inputs.optional_password})
    return Reply(200, plain(back_end.rotate_secret(tenant_id, extension_id, **wish)))


def _enable(back_end: BackEnd, request: Request, tenant_id: UUID, extension_id: UUID) -> Reply:
    return Reply(200, plain(back_end.set_enabled(tenant_id, extension_id, True)))


def _disable(back_end: BackEnd, request: Request, tenant_id: UUID, extension_id: UUID) -> Reply:
    return Reply(200, plain(back_end.set_enabled(tenant_id, extension_id, False)))


def _list_gateways(back_end: BackEnd, request: Request) -> Reply:
    return Reply(200, {"gateways": [plain(gateway) for gateway in back_end.list_gateways()]})


def _get_gateway(back_end: BackEnd, request: Request, gateway_id: UUID) -> Reply:
    return Reply(200, plain(back_end.get_gateway(gateway_id)))


def _put_gateway(back_end: BackEnd, request: Request, gateway_id: UUID) -> Reply:
    wish = inputs.read_fields(
        request.json(),
        {
            "name": inputs.name,
            "domain": inputs.sip_domain,
            "username": inputs.line,
            "password": inputs.optional_line,
            "enabled": inputs.truth,
        },
    )
    if wish["username"] and wish["password"] is None:
        _check_known(back_end, gateway_id)
    gateway, is_new = back_end.put_gateway(gateway_id, **wish)
    return Reply(201 if is_new else 200, plain(gateway))


def _check_known(back_end: BackEnd, gateway_id: UUID) -> None:
    """Raises Problem(400): a new gateway that registers needs a password."""
    try:
        back_end.get_gateway(gateway_id)
    except NotThere as error:
        reason = {"password": "is missing"}
        raise Problem(400, "invalid", "password is missing.", fields=reason) from error


def _delete_gateway(back_end: BackEnd, request: Request, gateway_id: UUID) -> Reply:
    back_end.delete_gateway(gateway_id)
    return Reply(204)


def _list_registrations(back_end: BackEnd, request: Request) -> Reply:
    wish = inputs.read_fields(request.query, {"tenant_id": inputs.optional_uuid})
    found = back_end.list_registrations(wish["tenant_id"])
    return Reply(200, {"registrations": [plain(registration) for registration in found]})


def _list_calls(back_end: BackEnd, request: Request) -> Reply:
    wish = inputs.read_fields(
        request.query,
        {
            "since": inputs.optional_moment,
            "after": inputs.optional_cursor,
            "limit": inputs.page_size,
        },
    )
    calls, now = back_end.list_calls(**wish)
    last = calls[-1] if calls else None
    after = Cursor(last.insert_date, last.xml_cdr_uuid) if last else wish["after"]
    return Reply(
        200,
        {
            "calls": [plain(call) for call in calls],
            "next": inputs.write_cursor(after) if after else None,
            "has_more": len(calls) == wish["limit"],
            "now": inputs.write_moment(now),
        },
    )


def _without_secrets(reply: Reply) -> Reply:
    """The reply for a token that may only look: SIP secrets are null."""
    if isinstance(reply.body, dict) and "extensions" in reply.body:
        extensions = [{**one, "password": None} for one in reply.body["extensions"]]
        return replace(reply, body={**reply.body, "extensions": extensions})
    return reply


_TENANT = "tenants/(?P<tenant_id>[^/]+)"
_GATEWAY = "gateways/(?P<gateway_id>[^/]+)"
_EXTENSION = _TENANT + "/extensions/(?P<extension_id>[^/]+)"

ROUTES = (
    Route("GET", "openapi.json", READ, _document),
    Route("GET", "status", READ, _status),
    Route("GET", "tenants", READ, _list_tenants),
    Route("PUT", _TENANT, WRITE, _put_tenant),
    Route("GET", _TENANT, READ, _get_tenant),
    Route("DELETE", _TENANT, WRITE, _delete_tenant),
    Route("POST", _TENANT + "/suspend", WRITE, _suspend),
    Route("POST", _TENANT + "/unsuspend", WRITE, _unsuspend),
    Route("GET", _TENANT + "/extensions", READ, _list_extensions),
    Route("PUT", _EXTENSION, WRITE, _put_extension),
    Route("DELETE", _EXTENSION, WRITE, _delete_extension),
    Route("POST", _EXTENSION + "/rotate-secret", WRITE, _rotate_secret),
    Route("POST", _EXTENSION + "/enable", WRITE, _enable),
    Route("POST", _EXTENSION + "/disable", WRITE, _disable),
    Route("GET", "gateways", READ, _list_gateways),
    Route("GET", _GATEWAY, READ, _get_gateway),
    Route("PUT", _GATEWAY, WRITE, _put_gateway),
    Route("DELETE", _GATEWAY, WRITE, _delete_gateway),
    Route("GET", "registrations", READ, _list_registrations),
    Route("GET", "calls", CALLS, _list_calls),
)
