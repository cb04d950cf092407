"""VAT ids as the member states of the EU write them.

Source: the formats the Commission publishes for its register of VAT ids (VIES).  Only the
shape is checked here; whether an id exists, the register knows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VatId:
    """A well-formed id: the prefix of its member state and the number after it."""

    prefix: str
    number: str

    def __str__(self) -> str:
        return self.prefix + self.number


_SHAPES = {
    "AT": ("AT", r"U\d{8}", "U12345678"),
    "BE": ("BE", r"[01]\d{9}", "0123456789"),
    "BG": ("BG", r"\d{9,10}", "123456789"),
    "CY": ("CY", r"\d{8}[A-Z]", "12345678L"),
    "CZ": ("CZ", r"\d{8,10}", "12345678"),
    "DE": ("DE", r"\d{9}", "123456789"),
    "DK": ("DK", r"\d{8}", "12345678"),
    "EE": ("EE", r"\d{9}", "123456789"),
    "ES": ("ES", r"[A-Z0-9]\d{7}[A-Z0-9]", "X1234567X"),
    "FI": ("FI", r"\d{8}", "12345678"),
    "FR": ("FR", r"[A-HJ-NP-Z0-9]{2}\d{9}", "12345678901"),
    "GR": ("EL", r"\d{9}", "123456789"),
    "HR": ("HR", r"\d{11}", "12345678901"),
    "HU": ("HU", r"\d{8}", "12345678"),
    "IE": ("IE", r"\d{7}[A-W][A-I]?|\d[A-Z+*]\d{5}[A-W]", "1234567FA"),
    "IT": ("IT", r"\d{11}", "12345678901"),
    "LT": ("LT", r"\d{9}|\d{12}", "123456789"),
    "LU": ("LU", r"\d{8}", "12345678"),
    "LV": ("LV", r"\d{11}", "12345678901"),
    "MT": ("MT", r"\d{8}", "12345678"),
    "NL": ("NL", r"[A-Z0-9+*]{9}B\d{2}", "123456789B01"),
    "PL": ("PL", r"\d{10}", "1234567890"),
    "PT": ("PT", r"\d{9}", "123456789"),
    "RO": ("RO", r"[1-9]\d{1,9}", "12345678"),
    "SE": ("SE", r"\d{12}", "123456789001"),
    "SI": ("SI", r"\d{8}", "12345678"),
    "SK": ("SK", r"\d{10}", "1234567890"),
}
"""Country -> prefix, shape of the number, an example."""

MEMBER_STATES = frozenset(_SHAPES)
"""Country codes of the EU's 27.  Greece is GR, though its VAT ids begin with EL."""
VAT_AREA_OF: Mapping[str, str] = {"MC": "FR"}
"""Places that are part of a member state's VAT area: Monaco's firms have French ids."""


def vat_country(country: str) -> str:
    """The country whose VAT law holds at an address in `country`."""
    return VAT_AREA_OF.get(country, country)


def read_vat_id(text: str, country: str) -> VatId | None:
    """`text` as a VAT id of `country`, a member state; None if it is none.

    Spaces, dots, dashes and lower case do not matter, and the prefix may be missing:
    "u 1234.5678" of AT is ATU12345678.
    """
    shape = _SHAPES.get(vat_country(country))
    if shape is None:
        return None
    prefix, pattern, _ = shape
    plain = re.sub(r"[\s.\-/]", "", text).upper()
    if not plain.startswith((prefix, vat_country(country))) and _is_anothers(plain):
        return None
    for number in (plain.removeprefix(prefix), plain.removeprefix(vat_country(country)), plain):
        if re.fullmatch(pattern, number, re.ASCII):
            return VatId(prefix, number)
    return None


def _is_anothers(plain: str) -> bool:
    """Whether this is a whole id of some member state: DE123456789 also looks like a French
    number without its prefix."""
    return any(
        plain.startswith(prefix) and re.fullmatch(pattern, plain[len(prefix) :], re.ASCII)
        for prefix, pattern, _ in _SHAPES.values()
    )


def example_of(country: str) -> str:
    """What a VAT id of a member state looks like."""
    prefix, _, number = _SHAPES[vat_country(country)]
    return prefix + number
