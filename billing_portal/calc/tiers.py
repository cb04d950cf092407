"""What metered units cost: included ones, then one price, brackets, or the bracket of them all.

    flat        every unit at the same price
    graduated   each bracket prices the units that fall into it
    volume      the bracket that holds the total prices all units, so prices have cliffs

Brackets are inclusive at the top and count from the first unit that is not included.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from typing import Any

from billing_portal.errors import PortalError

from .money import exact


class Scheme(StrEnum):
    FLAT = "flat"
    GRADUATED = "graduated"
    VOLUME = "volume"


class BadTiers(PortalError):
    """Brackets that do not go from the lowest to an open end, or cost less than nothing."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A bracket up to and with `up_to` units; None is the open end."""

    up_to: Decimal | None
    price: Decimal


@dataclass(frozen=True, slots=True)
class UnitPricing:
    """How the units of one meter are priced.  `price` is the flat one; `per` units cost it.

    Storage costs 10.00 per 1000 GB: `per` is 1000, and so it is for the brackets' prices.
    """

    price: Decimal
    scheme: Scheme = Scheme.FLAT
    included: Decimal = Decimal(0)
    tiers: tuple[Tier, ...] = ()
    per: int = 1

    @property
    def is_linear(self) -> bool:
        """Whether every unit costs the same, so that parts may be priced by themselves."""
        return self.scheme == Scheme.FLAT and not self.included


@dataclass(frozen=True, slots=True)
class PricedUnits:
    """So many units at one price.  `amount` is exact."""

    units: Fraction
    price: Decimal
    amount: Fraction


def price_units(units: Fraction | Decimal | int, pricing: UnitPricing) -> list[PricedUnits]:
    """What the units cost, bracket by bracket from the lowest; nothing if all are included.

    6000 units at 0.020 to 1000, 0.015 to 5000 and 0.010 above: 90.00 graduated (20, 60
    and 10), 60.00 by volume.
    """
    billable = max(Fraction(0), exact(units) - exact(pricing.included))
    if not billable:
        return []
    if pricing.scheme == Scheme.FLAT:
        return [_priced(billable, pricing.price, pricing.per)]
    if pricing.scheme == Scheme.VOLUME:
        holds = next(t for t in pricing.tiers if t.up_to is None or billable <= t.up_to)
        return [_priced(billable, holds.price, pricing.per)]
    return [
        _priced(part, tier.price, pricing.per)
        for tier, part in _parts(billable, pricing.tiers)
        if part
    ]


def amount_of(units: Fraction | Decimal | int, pricing: UnitPricing) -> Fraction:
    """What the units cost together, exact."""
    return sum((part.amount for part in price_units(units, pricing)), Fraction(0))


def read_tiers(rows: Iterable[Mapping[str, Any]]) -> tuple[Tier, ...]:
    """Brackets as stored: [{"up_to": "1000", "price": "0.02"}, ..., {"price": "0.01"}].

    Raises BadTiers with a sentence for whoever wrote them.
    """
    tiers = tuple(_tier(row) for row in rows)
    if not tiers:
        raise BadTiers("At least one bracket is needed.")
    tops = [tier.up_to for tier in tiers[:-1]]
    if None in tops or tiers[-1].up_to is not None:
        raise BadTiers("Exactly the last bracket has no upper end.")
    bounded = [top for top in tops if top is not None]
    if any(top <= 0 for top in bounded) or bounded != sorted(set(bounded)):
        raise BadTiers("Each bracket ends above the one before it.")
    if any(tier.price < 0 for tier in tiers):
        raise BadTiers("A price is not below zero.")
    return tiers


def cliffs(pricing: UnitPricing) -> list[tuple[Decimal, Fraction, Fraction]]:
    """Where one more unit makes everything cheaper: the units, and what they and one more cost.

    1000 units at 0.020 are 20.00; 1001 at 0.015 are 15.015.
    """
    if pricing.scheme != Scheme.VOLUME:
        return []
    found = []
    for tier, following in zip(pricing.tiers, pricing.tiers[1:], strict=False):
        assert tier.up_to is not None  # only the last has no end
        at_top = exact(tier.up_to) * exact(tier.price) / pricing.per
        after = (exact(tier.up_to) + 1) * exact(following.price) / pricing.per
        if after < at_top:
            found.append((tier.up_to, at_top, after))
    return found


def _priced(units: Fraction, price: Decimal, per: int) -> PricedUnits:
    return PricedUnits(units, price, units * exact(price) / per)


def _parts(units: Fraction, tiers: Sequence[Tier]) -> list[tuple[Tier, Fraction]]:
    found, below = [], Fraction(0)
    for tier in tiers:
        top = units if tier.up_to is None else min(units, exact(tier.up_to))
        found.append((tier, max(Fraction(0), top - below)))
        below = max(below, top)
    return found


def _tier(row: Mapping[str, Any]) -> Tier:
    try:
        top = row.get("up_to")
        up_to = None if top in (None, "") else Decimal(str(top))
        price = Decimal(str(row["price"]))
    except (AttributeError, KeyError, InvalidOperation) as error:
        raise BadTiers("A bracket has a price, and but for the last an upper end.") from error
    if not price.is_finite() or (up_to is not None and not up_to.is_finite()):
        raise BadTiers("A bracket has a price, and but for the last an upper end.")
    return Tier(up_to, price)
