"""Records as replies carry them: JSON, CSV, XML."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from io import StringIO
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

from . import inputs
from .backend import CallRecord, Extension, Gateway, Registration, Status, Tenant

CALL_COLUMNS = [field.name for field in fields(CallRecord)]

_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def plain(
    record: Tenant | Extension | Registration | Gateway | CallRecord | Status,
) -> dict[str, Any]:
    """The record as JSON can carry it: uuids and moments as text."""
    return {field.name: _plain_value(getattr(record, field.name)) for field in fields(record)}


def csv_of_calls(calls: Sequence[CallRecord]) -> bytes:
    """A header line and a line per call; what is unknown is empty."""
    lines = StringIO()
    writer = csv.DictWriter(lines, CALL_COLUMNS)
    writer.writeheader()
    writer.writerows(plain(call) for call in calls)
    return lines.getvalue().encode()


def xml_of_calls(calls: Sequence[CallRecord], facts: Mapping[str, Any]) -> bytes:
    """`<export>` with the facts as attributes and a `<record>` per call."""
    root = ElementTree.Element("export", {name: str(fact) for name, fact in facts.items()})
    for call in calls:
        record = ElementTree.SubElement(root, "record")
        for name, value in plain(call).items():
            text = "" if value is None else _NOT_IN_XML.sub("", str(value))
            ElementTree.SubElement(record, name).text = text
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return inputs.write_moment(value)
    if isinstance(value, UUID):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
