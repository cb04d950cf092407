"""Secrets out of what is logged.  Masks by name, deep, in JSON-like values and in text."""

import math
import re
from typing import Any

MASK = "***"

_SECRET = (
    r"pass|secret|token|authorization|credential|cookie|hash|pin(?![a-z])"
    r"|(?:api|private|access)[-_]?key"
)
_SECRET_NAME = re.compile(_SECRET, re.IGNORECASE)
_SECRET_IN_TEXT = re.compile(
    rf"""
    (?P<name> (?<![\w-]) [\w-]* (?:{_SECRET}) [\w-]* \\?["']? \s* [:=] \s* )
    (?! (?:bearer|basic) \b )
    (?: (?P<quote>["']) (?: \\. | (?!(?P=quote)) . )* (?P=quote)? | [^\s&,;"'}}\])]+ )
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_BEARER = re.compile(r"(?i)(bearer|basic)\s+[\w.~+/=-]+")
_MAX_TEXT = 4000


def mask(value: Any) -> Any:
    """`value` with every secret replaced by `***`; long texts are cut.

    {"datastorePassword": "x", "size": 500} -> {"datastorePassword": "***", "size": 500}
    The result can always be stored as JSON.
    """
    if isinstance(value, dict):
        return {str(name): _mask_item(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask(item) for item in value]
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return mask_text(str(value))


def mask_text(text: str) -> str:
    """`text` without the secrets that look like `password=...`, `"token": "..."` or a bearer's."""
    text = _BEARER.sub(rf"\1 {MASK}", text)
    text = _SECRET_IN_TEXT.sub(lambda found: found["name"] + _in_quotes(found["quote"]), text)
    return _storable(text[:_MAX_TEXT])


def _mask_item(name: str, item: Any) -> Any:
    return MASK if item not in (None, "") and _SECRET_NAME.search(name) else mask(item)


def _in_quotes(quote: str | None) -> str:
    return f"{quote or ''}{MASK}{quote or ''}"


def _storable(text: str) -> str:
    # PostgreSQL refuses both, and a vendor's odd answer must not fail the job.
    return text.replace("\x00", "").encode(errors="replace").decode()
