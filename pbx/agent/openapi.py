"""The agent's OpenAPI document: every address, what it takes, what it answers.

Schemas of records follow from the records themselves, addresses from the table beside this.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from types import NoneType
from typing import Any, get_args, get_type_hints
from uuid import UUID

from .backend import CallRecord, Extension, Gateway, Registration, Status, Tenant
from .openapi_operations import (
    MOMENT,
    NULLABLE_TEXT,
    OPERATIONS,
    SEED_ERROR,
    TEXT,
    TRUTH,
    UUID_TEXT,
    Operation,
    Schema,
    object_of,
    ref,
)


def document() -> dict[str, Any]:
    """The document as JSON can carry it."""
    paths: dict[str, Any] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PBX agent",
            "version": "1",
            "description": "Every caller must be on the allow-list, and is limited by the minute.",
        },
        "paths": paths,
        "components": {
            "schemas": {**{kind.__name__: _record(kind) for kind in _RECORDS}, "Error": _ERROR},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(one: Operation) -> dict[str, Any]:
    ids = [part[1:-1] for part in one.path.split("/") if part.startswith("{")]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": UUID_TEXT} for name in ids
    ]
    parameters += [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in one.query.items()
    ]
    operation: dict[str, Any] = {
        "summary": one.summary,
        "security": [{"bearer": [one.scope]}] if one.scope else [],
        "parameters": parameters,
        "responses": _responses(one),
    }
    if one.body:
        is_api = one.path.startswith("/api/")
        kind = "application/json" if is_api else "application/x-www-form-urlencoded"
        schema = object_of(one.body, required=one.needs)
        operation["requestBody"] = {
            "required": bool(one.needs),
            "content": {kind: {"schema": {**schema, "additionalProperties": not is_api}}},
        }
    return operation


def _responses(one: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Answered."}
    if one.reply is not None:
        others: dict[str, Any] = {kind: {} for kind in one.other_types}
        answer["content"] = {"application/json": {"schema": one.reply}, **others}
    if one.path.startswith("/api/"):
        refusal = {"application/json": {"schema": ref("Error")}}
    else:
        refusal = {"application/json": {"schema": SEED_ERROR}}
    return {
        **{str(status): answer for status in one.statuses},
        "default": {"description": "Refused.", "content": refusal},
    }


def _record(kind: type) -> dict[str, Any]:
    """The schema of a record as `outputs.plain` writes it."""
    hints = get_type_hints(kind)
    properties = {one.name: _type(hints[one.name]) for one in fields(kind)}
    if kind is Extension:
        # Null for a token that may only look.
        properties["password"] = dict(NULLABLE_TEXT)
    return {"description": (kind.__doc__ or "").split("\n")[0], **object_of(properties)}


def _type(hint: Any) -> dict[str, Any]:
    kinds = set(get_args(hint)) or {hint}
    schema = dict(_TYPES.get(next(iter(kinds - {NoneType})), {}))
    if str(hint).startswith("collections.abc.Sequence"):
        return {"type": "array", "items": schema}
    if NoneType in kinds:
        schema["type"] = [schema["type"], "null"]
    return schema


_TYPES: Mapping[Any, Schema] = {
    str: TEXT,
    int: {"type": "integer"},
    bool: TRUTH,
    UUID: UUID_TEXT,
    datetime: MOMENT,
}
_RECORDS = (Status, Tenant, Extension, Registration, Gateway, CallRecord)
_ERROR = object_of(
    {
        "error": object_of(
            {
                "code": TEXT,
                "message": TEXT,
                "fields": {"type": "object", "additionalProperties": TEXT},
            },
            required=["code", "message"],
        )
    }
)
