"""Prices of metered units: as rules to compute with, as sentences, and as staff write them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from billing_portal.calc.tiers import Scheme, UnitPricing, read_tiers


class PricedMeter(Protocol):
    """A row with a metered price: of the catalogue, or as agreed with a service."""

    metric: str
    price: Decimal
    scheme: str
    included: Decimal
    tiers: Sequence[Mapping[str, Any]]


def pricing_of(row: PricedMeter, *, per: int = 1) -> UnitPricing:
    """The row as a rule; its prices are for `per` units."""
    scheme = Scheme(row.scheme)
    tiers = read_tiers(row.tiers) if scheme != Scheme.FLAT else ()
    return UnitPricing(row.price, scheme, row.included, tiers, per=per)


def tiers_from_text(text: str) -> list[dict[str, str]]:
    """Brackets as staff write them, a line each: "1000: 0.020", the last one "0.010".

    Raises BadTiers with a sentence.
    """
    rows = []
    for line in filter(None, map(str.strip, text.splitlines())):
        top, _, price = line.rpartition(":")
        row = {"price": price.strip()}
        rows.append({"up_to": top.strip(), **row} if top.strip() else row)
    read_tiers(rows)
    return rows


def tiers_as_text(tiers: Sequence[Mapping[str, Any]]) -> str:
    """What `tiers_from_text` reads."""
    return "\n".join(
        f"{tier['up_to']}: {tier['price']}" if tier.get("up_to") else str(tier["price"])
        for tier in tiers
    )
