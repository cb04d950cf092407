"""The JSON API, version 1: what the seed's endpoints lack.

One function per request.  Each reads its fields, calls the back end once and shapes the
answer; nothing here knows which back end it is.
"""

import re
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from . import inputs
from .backend import BackEnd, CallRecord, Cursor, Extension, Registration, Status, Tenant
from .wire import Problem, Reply, Request

PREFIX = "/api/v1/"

Handler = Callable[..., Reply]


def answer(back_end: BackEnd, request: Request) -> Reply:
    """Carry out one API request.  Raises Problem, or whatever the back end raises."""
    allowed = []
    for method, pattern, handler in _ROUTES:
        if match := pattern.fullmatch(request.path):
            if method == request.method:
                ids = inputs.read_fields(
                    match.groupdict(), {name: inputs.uuid for name in match.groupdict()}
                )
                return handler(back_end, request, **ids)
            allowed.append(method)
    if allowed:
        message = f"{request.method} is not possible here."
        raise Problem(405, "method", message, headers={"Allow": ", ".join(allowed)})
    raise Problem(404, "no_such_path", "There is nothing at this path.")


def _status(back_end: BackEnd, request: Request) -> Reply:
    return Reply(200, _plain(back_end.status()))


def _list_tenants(back_end: BackEnd, request: Request) -> Reply:
    return Reply(200, {"tenants": [_plain(tenant) for tenant in back_end.list_tenants()]})


def _put_tenant(back_end: BackEnd, request: Request, tenant_id: UUID) -> Reply:
    wish = inputs.read_fields(request.json(), {"domain": inputs.domain, "description": inputs.line})
    tenant, is_new = back_end.put_tenant(tenant_id, **wish)
    return Reply(201 if is_new else 200, _plain(tenant))


def _get_tenant(back_end: BackEnd, request: Request, tenant_id: UUID) -> Reply:
    return Reply(200, _plain(back_end.get_tenant(tenant_id)))


def _delete_tenant(back_end: BackEnd, request: Request, tenant_id: UUID) -> Reply:
    back_end.delete_tenant(tenant_id)
    return Reply(204)


def _suspend(back_end: BackEnd, request: Request, tenant_id: UUID) -> Reply:
    return Reply(200, _plain(back_end.set_suspended(tenant_id, True)))


def _unsuspend(back_end: BackEnd, request: Request, tenant_id: UUID) -> Reply:
    return Reply(200, _plain(back_end.set_suspended(tenant_id, False)))


def _list_extensions(back_end: BackEnd, request: Request, tenant_id: UUID) -> Reply:
    extensions = back_end.list_extensions(tenant_id)
    return Reply(200, {"extensions": [_plain(extension) for extension in extensions]})


def _put_extension(
    back_end: BackEnd, request: Request, tenant_id: UUID, extension_id: UUID
) -> Reply:
    wish = inputs.read_fields(
        request.json(),
        {"number": inputs.number, "name": inputs.line, "password": inputs.optional_password},
    )
    extension, is_new = back_end.put_extension(tenant_id, extension_id, **wish)
    return Reply(201 if is_new else 200, _plain(extension))


def _delete_extension(
    back_end: BackEnd, request: Request, tenant_id: UUID, extension_id: UUID
) -> Reply:
    back_end.delete_extension(tenant_id, extension_id)
    return Reply(204)


def _rotate_secret(
    back_end: BackEnd, request: Request, tenant_id: UUID, extension_id: UUID
) -> Reply:
    wish = inputs.read_fields(request.json(), {"password": inputs.optional_password})
    return Reply(200, _plain(back_end.rotate_secret(tenant_id, extension_id, **wish)))


def _list_registrations(back_end: BackEnd, request: Request) -> Reply:
    wish = inputs.read_fields(request.query, {"tenant_id": inputs.optional_uuid})
    found = back_end.list_registrations(wish["tenant_id"])
    return Reply(200, {"registrations": [_plain(registration) for registration in found]})


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
            "calls": [_plain(call) for call in calls],
            "next": inputs.write_cursor(after) if after else None,
            "has_more": len(calls) == wish["limit"],
            "now": inputs.write_moment(now),
        },
    )


def _plain(record: Tenant | Extension | Registration | CallRecord | Status) -> dict[str, Any]:
    """The record as JSON can carry it: uuids and moments as text."""
    return {field.name: _plain_value(getattr(record, field.name)) for field in fields(record)}


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return inputs.write_moment(value)
    if isinstance(value, UUID):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


_TENANT = "tenants/(?P<tenant_id>[^/]+)"
_EXTENSION = _TENANT + "/extensions/(?P<extension_id>[^/]+)"

_HANDLERS: list[tuple[str, str, Handler]] = [
    ("GET", "status", _status),
    ("GET", "tenants", _list_tenants),
    ("PUT", _TENANT, _put_tenant),
    ("GET", _TENANT, _get_tenant),
    ("DELETE", _TENANT, _delete_tenant),
    ("POST", _TENANT + "/suspend", _suspend),
    ("POST", _TENANT + "/unsuspend", _unsuspend),
    ("GET", _TENANT + "/extensions", _list_extensions),
    ("PUT", _EXTENSION, _put_extension),
    ("DELETE", _EXTENSION, _delete_extension),
    ("POST", _EXTENSION + "/rotate-secret", _rotate_secret),
    ("GET", "registrations", _list_registrations),
    ("GET", "calls", _list_calls),
]
_ROUTES = [(method, re.compile(PREFIX + path), handler) for method, path, handler in _HANDLERS]
