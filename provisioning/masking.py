"""Secrets out of what is logged.  Masks by name, deep, in JSON-like values and in text."""

import re
from typing import Any

MASK = "***"
_SECRET_NAME = re.compile(r"pass(word|wd)?|secret|token|authorization|api[-_]?key|hash|pin\b", re.I)
_BEARER = re.compile(r"(?i)(bearer|basic)\s+[\w.~+/=-]+")
_MAX_TEXT = 4000


def mask(value: Any) -> Any:
    """`value` with every secret replaced by `***`; long texts are cut.

    {"datastorePassword": "x", "size": 500} -> {"datastorePassword": "***", "size": 500}
    """
    if isinstance(value, dict):
        return {str(name): _mask_item(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask(item) for item in value]
    if isinstance(value, str):
        return _BEARER.sub(rf"\1 {MASK}", value)[:_MAX_TEXT]
    if value is None or isinstance(value, bool | int | float):
        return value
    return mask(str(value))


def _mask_item(name: str, item: Any) -> Any:
    return MASK if item not in (None, "") and _SECRET_NAME.search(name) else mask(item)
