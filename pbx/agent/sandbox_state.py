"""Records of the sandbox as JSON can carry them, and back."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar, get_args, get_type_hints
from uuid import UUID

Record = TypeVar("Record")


def dumped(record: Any) -> dict[str, Any]:
    """The fields of a dataclass; uuids and moments as text."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {
        name: str(value) if isinstance(value, UUID | datetime) else value
        for name, value in values.items()
    }


def revived(kind: type[Record], values: Mapping[str, Any]) -> Record:
    """What `dumped` was given."""
    hints = get_type_hints(kind)
    return kind(**{name: _read(hints[name], value) for name, value in values.items()})


def _read(hint: Any, value: Any) -> Any:
    kinds = {hint, *get_args(hint)}
    if value is not None and UUID in kinds:
        return UUID(value)
    if datetime in kinds:
        return datetime.fromisoformat(value)
    return tuple(value) if isinstance(value, list) else value
