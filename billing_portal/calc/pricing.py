"""What one position of an order costs: the product, its options, its quantity.

Catalogue preview, checkout and the order itself all ask `price_item`, so what was shown
is what is charged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from .money import exact, round_money, round_places

STORED_PLACES = 3
"""Catalogue prices have at most so many decimals, and so has any multiple of them."""


@dataclass(frozen=True, slots=True)
class ChosenOption:
    """What was chosen of one option, with the price of one unit on that day.

    `value` is what a module reads: a choice's key, a number, or true and false.  `text` is
    the same for people.  `units` is how often the price counts: 0 for what was declined.
    """

    key: str
    name: str
    value: str | int | bool
    text: str
    units: int
    setup_fee: Decimal = Decimal(0)
    recurring: Decimal = Decimal(0)

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "ChosenOption":
        """The choice as `as_json` wrote it."""
        return cls(
            stored["key"],
            stored["name"],
            stored["value"],
            stored["text"],
            stored["units"],
            Decimal(stored["setup_fee"]),
            Decimal(stored["recurring"]),
        )

    def as_json(self) -> dict[str, Any]:
        """The choice as it is kept with a service; amounts become text."""
        return {
            "key": self.key,
            "name": self.name,
            "value": self.value,
            "text": self.text,
            "units": self.units,
            "setup_fee": str(self.setup_fee),
            "recurring": str(self.recurring),
        }


@dataclass(frozen=True, slots=True)
class PricePart:
    """What one thing adds to the price, for all its units and the whole quantity; exact."""

    name: str
    text: str
    units: int
    setup_fee: Decimal
    recurring: Decimal


@dataclass(frozen=True, slots=True)
class PricedItem:
    """Both amounts, rounded to the currency's minor unit, and the parts they come from.

    The product is the first part; options without a price are parts of 0.
    """

    setup_fee: Decimal
    recurring: Decimal
    parts: tuple[PricePart, ...]


def price_item(
    *,
    name: str,
    setup_fee: Decimal,
    recurring: Decimal,
    options: Sequence[ChosenOption] = (),
    quantity: int = 1,
    currency: str,
) -> PricedItem:
    """The price of `quantity` units of a product with `options`, per set-up and cycle.

    10.00 a month with 3 addresses at 1.50 each, twice: 29.00, of which 9.00 addresses.
    Raises ValueError for a quantity below 1.
    """
    if quantity < 1:
        raise ValueError(f"{quantity} of something cannot be priced.")
    product = _part(name, "", quantity, setup_fee, recurring)
    parts = (
        product,
        *(
            _part(one.name, one.text, one.units * quantity, one.setup_fee, one.recurring)
            for one in options
            if one.units
        ),
    )
    return PricedItem(
        round_money(sum((exact(part.setup_fee) for part in parts), Fraction()), currency),
        round_money(sum((exact(part.recurring) for part in parts), Fraction()), currency),
        parts,
    )


def _part(name: str, text: str, units: int, setup_fee: Decimal, recurring: Decimal) -> PricePart:
    return PricePart(
        name,
        text,
        units,
        round_places(exact(setup_fee) * units, STORED_PLACES),
        round_places(exact(recurring) * units, STORED_PLACES),
    )
