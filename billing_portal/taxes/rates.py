"""Published rates to start from: a seller loads them once and then keeps them.

Sources: the Commission's table of standard VAT rates in force in 2026; the Canada Revenue
Agency's GST/HST rates and the provinces' own sales taxes; the general state rates of some
US states, as an example only: counties and cities add their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Rate:
    """One tax of a place, as `TaxRule` keeps it."""

    name: str
    country: str
    percent: Decimal
    state: str = ""
    level: int = 1


_EU = (
    "AT 20,BE 21,BG 20,CY 19,CZ 21,DE 19,DK 25,EE 24,ES 21,FI 25.5,FR 20,GR 24,HR 25,HU 27,IE 23,"
    "IT 22,LT 21,LU 17,LV 21,MT 18,NL 21,PL 23,PT 23,RO 21,SE 25,SI 22,SK 23"
)
_HST = {
    "New Brunswick": "15",
    "Newfoundland and Labrador": "15",
    "Nova Scotia": "14",
    "Ontario": "13",
    "Prince Edward Island": "15",
}
_PROVINCES = {
    "British Columbia": ("PST", "7"),
    "Manitoba": ("RST", "7"),
    "Quebec": ("QST", "9.975"),
    "Saskatchewan": ("PST", "6"),
}
_US_STATES = {
    "California": "7.25",
    "Florida": "6",
    "New York": "4",
    "Texas": "6.25",
    "Washington": "6.5",
}

EU = tuple(
    Rate("VAT", country, Decimal(percent))
    for country, percent in (one.split() for one in _EU.split(","))
)
CANADA = (
    Rate("GST", "CA", Decimal(5)),
    *(Rate("HST", "CA", Decimal(percent), state) for state, percent in _HST.items()),
    *(
        Rate(name, "CA", Decimal(percent), state, level=2)
        for state, (name, percent) in _PROVINCES.items()
    ),
)
US_EXAMPLE = tuple(
    Rate("Sales tax", "US", Decimal(percent), state) for state, percent in _US_STATES.items()
)


@dataclass(frozen=True, slots=True)
class Preset:
    """Rates that are loaded together."""

    title: str
    says: str
    rates: tuple[Rate, ...]


PRESETS: Mapping[str, Preset] = {
    "eu": Preset("EU VAT", "The standard rates of the 27 member states in 2026.", EU),
    "canada": Preset(
        "Canada", "GST 5 %, the HST of five provinces, and PST, RST or QST of four.", CANADA
    ),
    "us-example": Preset(
        "United States, examples",
        "The general rates of five states, to show how it is done: check your own.",
        US_EXAMPLE,
    ),
}
