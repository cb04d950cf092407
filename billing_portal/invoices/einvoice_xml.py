"""The few XML tools both writers share.  Tags are written with their prefixes as they are."""

import re
from datetime import date
from decimal import Decimal
from xml.etree.ElementTree import Element, SubElement, tostring

from billing_portal.calc.money import minor_units

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not: control characters, mostly from pasted texts."""


def put(parent: Element, path: str, text: str | None = None, **attributes: str) -> Element:
    """Append the elements of `path` ("a/b"), each in the one before; the last gets the text.

    Nothing is appended for an empty text: EN 16931 allows no empty elements.
    """
    if text is not None and not (text := _FORBIDDEN.sub("", text).strip()):
        return parent
    for tag in path.split("/"):
        parent = SubElement(parent, tag)
    parent.text = text
    parent.attrib.update(attributes)
    return parent


def document(root: Element) -> bytes:
    """The whole file, with its declaration."""
    written: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return written


def money(amount: Decimal, currency: str) -> str:
    """An amount with exactly the currency's decimals: "8.61"; 0 is never minus 0."""
    return f"{amount + 0:.{minor_units(currency)}f}"


def number(value: Decimal) -> str:
    """A quantity, price or rate without needless zeros: "861.111111", "19"."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def compact_day(day: date) -> str:
    """As CII writes it: "20261201"."""
    return f"{day:%Y%m%d}"
