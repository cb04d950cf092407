"""Reading what callers send: every field is checked, and all bad ones are named at once."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from .backend import Cursor
from .wire import Problem

MAX_PAGE = 5000
DEFAULT_PAGE = 1000

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_PORT = re.compile(r":[0-9]{1,5}")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NUMBER = re.compile(r"[0-9]{2,7}")
# FusionPBX writes the secret unescaped into XML, so nothing XML would stumble over.
_PASSWORD = re.compile(r"[A-Za-z0-9!^$*?._-]{12,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def read_fields(
    source: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]
) -> dict[str, Any]:
    """Each field through its reader; a missing one is read as None.

    Raises Problem(400) naming every field that was wrong, and every field nobody reads.
    """
    values, wrong = {}, {}
    for name, reader in readers.items():
        try:
            values[name] = reader(source.get(name))
        except ValueError as error:
            wrong[name] = str(error)
    for name in source.keys() - readers.keys():
        wrong[name] = "is not a field of this request"
    if wrong:
        sentence = "; ".join(f"{name} {reason}" for name, reason in sorted(wrong.items()))
        raise Problem(400, "invalid", sentence + ".", fields=wrong)
    return values


def read_known_fields(
    source: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]
) -> dict[str, Any]:
    """As `read_fields`, but what nobody reads is left alone, as old callers expect."""
    return read_fields({name: source[name] for name in source.keys() & readers.keys()}, readers)


def optional(reader: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The reader, but a missing value is None."""
    return lambda value: None if value is None else reader(value)


def required(reader: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The reader, but a missing value is wrong."""

    def read(value: Any) -> Any:
        if value is None:
            raise ValueError("is missing")
        return reader(value)

    return read


def uuid(value: Any) -> UUID:
    try:
        return UUID(str(value))
    except ValueError as error:
        raise ValueError("must be a uuid") from error


def optional_uuid(value: Any) -> UUID | None:
    return None if value is None else uuid(value)


def domain(value: Any) -> str:
    """A host name of at least two labels, in lower case."""
    name = _text(value).lower()
    labels = name.split(".")
    if len(name) > 253 or len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("must be a host name such as acme.pbx.example")
    return name


def line(value: Any) -> str:
    """One line of free text, 100 characters at most; none is empty."""
    text = "" if value is None else _text(value)
    if len(text) > 100 or _CONTROL.search(text):
        raise ValueError("must be one line of 100 characters at most")
    return text


def name(value: Any) -> str:
    text = _text(value)
    if not _NAME.fullmatch(text):
        raise ValueError("must be 1 to 64 letters, digits and _.-")
    return text


def sip_domain(value: Any) -> str:
    """A carrier's host name or IPv4 address, with a port if it is not the usual one."""
    text = _text(value).lower()
    host, colon, port = text.partition(":")
    labels = host.split(".")
    is_host = len(host) <= 253 and len(labels) > 1 and all(map(_LABEL.fullmatch, labels))
    if not is_host or (colon and not _PORT.fullmatch(colon + port)):
        raise ValueError("must be a host name or IPv4 address such as sip.carrier.example")
    return text


def optional_line(value: Any) -> str | None:
    return None if value is None else line(value)


def truth(value: Any) -> bool:
    """A boolean, or its name as forms send it."""
    if value is None:
        raise ValueError("is missing")
    word = str(value).lower()
    if not isinstance(value, str | bool) or word not in ("true", "false"):
        raise ValueError("must be true or false")
    return word == "true"


def number(value: Any) -> str:
    text = _text(value)
    if not _NUMBER.fullmatch(text):
        raise ValueError("must be 2 to 7 digits")
    return text


def optional_password(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not _PASSWORD.fullmatch(value):
        raise ValueError("must be 12 to 64 characters out of letters, digits and !^$*?._-")
    return value


def optional_moment(value: Any) -> datetime | None:
    return None if value is None else _moment(value)


def whole_number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("must be a whole number, 0 or more")
    return value


def page_size(value: Any) -> int:
    text = str(DEFAULT_PAGE if value is None else value)
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= MAX_PAGE:
        raise ValueError(f"must be 1 to {MAX_PAGE}")
    return int(text)


def optional_cursor(value: Any) -> Cursor | None:
    """The place `write_cursor` wrote."""
    if value is None:
        return None
    moment, _, row = str(value).partition("_")
    try:
        return Cursor(_moment(moment), UUID(row))
    except ValueError as error:
        raise ValueError("must be a cursor as an earlier reply gave it") from error


def write_cursor(cursor: Cursor) -> str:
    """The cursor as callers carry it around: `2026-11-20T13:36:48.395499Z_<uuid>`."""
    return f"{write_moment(cursor.insert_date)}_{cursor.xml_cdr_uuid}"


def write_moment(moment: datetime) -> str:
    """ISO 8601 in UTC, ending in Z so that it needs no quoting in an address."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError("must be a moment such as 2026-11-20T13:36:48Z") from error
    if moment.tzinfo is None:
        raise ValueError("must name its time zone")
    return moment


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is missing" if value is None else "must be text")
    return value.strip()
