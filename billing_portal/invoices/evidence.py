"""What a usage charge follows from, as a table for people: pages and paper print the same.

The evidence was stored with the charge and says everything; only its appearance is made
here.  A module whose evidence has another shape shows its line without a table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing_portal.calc.money import exact, minor_units, round_places
from billing_portal.invoices.amounts import (
    format_amount,
    format_moment,
    format_price,
    format_quantity,
)
from billing_portal.invoices.models import Charge, InvoiceLine
from provisioning import registry

CALL_PLACES = 6
"""Decimals of what calls cost before the sum is rounded."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A table with sentences above it.  `align` has L or R, and `widths` a share, per column."""

    notes: tuple[str, ...]
    headings: tuple[str, ...]
    align: str
    widths: tuple[int, ...]
    rows: Sequence[tuple[str, ...]]

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Heading and alignment of each column."""
        return list(zip(self.headings, self.align, strict=True))

    @property
    def cells(self) -> list[list[tuple[str, str]]]:
        """Text and alignment of each cell, row by row."""
        return [list(zip(row, self.align, strict=True)) for row in self.rows]

    @property
    def labelled_cells(self) -> list[list[tuple[str, str, str]]]:
        """Heading, text and alignment of each cell, for pages too narrow for a heading row."""
        return [list(zip(self.headings, row, self.align, strict=True)) for row in self.rows]


def explain(charge: Charge, *, locale: str = "en") -> Explanation | None:
    """The segments of a size, or the calls by destination; None for other evidence."""
    if "segments" in charge.evidence:
        return _sizes(charge, locale)
    if "corrections" in charge.evidence:
        return _corrections(charge, locale)
    if "destinations" in charge.evidence:
        return _calls(charge, locale)
    return None


def quantity_text(line: InvoiceLine, *, locale: str = "en") -> str:
    """How much a line is for: "861.111111 GB"; whole units of nothing are just counted."""
    number = format_quantity(line.quantity, places=6, locale=locale)
    return f"{number} {line.unit}".strip()


def unit_price_text(line: InvoiceLine, currency: str, *, locale: str = "en") -> str:
    """What one unit costs: "€10.00 per 1,000 GB"; calls each have their own rate.

    Without tax, as the amount is, also where the catalogue's price holds it.
    """
    if line.unit_price is None:
        return "by rate" if line.charge_id else ""
    net, per = _net_price(line, currency)
    price = format_price(net, currency, locale=locale)
    if per == 1:
        return f"{price} per {line.unit}" if line.unit else price
    return f"{price} per {format_quantity(per, locale=locale)} {line.unit}"


def stored_price(line: InvoiceLine, currency: str) -> tuple[Decimal, int] | None:
    """The line's own price and how many units it buys, if that makes the line's amount.

    None if it does not: the price holds tax, or the amount has a floor or a cap.
    """
    if line.unit_price is None:
        return None
    per = units_per_price(line)
    amount = exact(line.quantity) * exact(line.unit_price) / per
    unit = Fraction(1, 10 ** minor_units(currency))
    return (line.unit_price, per) if abs(amount - exact(line.amount)) < unit else None


def units_per_price(line: InvoiceLine) -> int:
    """How many units the unit price buys: 1000 GB for storage."""
    if line.charge is None or line.service is None:
        return 1
    module = registry.modules().get(line.service.product.module_key)
    return next((m.per for m in module.metrics if m.key == line.charge.metric), 1) if module else 1


def _net_price(line: InvoiceLine, currency: str) -> tuple[Decimal, int]:
    """The stored price, or the one that follows from the amount."""
    if stored := stored_price(line, currency):
        return stored
    per = units_per_price(line)
    if not line.quantity:
        return line.unit_price or line.amount, per
    return round_places(per * exact(line.amount) / exact(line.quantity), 6), per


def _sizes(charge: Charge, locale: str) -> Explanation:
    evidence = charge.evidence
    average, hours, price = (
        Decimal(evidence[key]) for key in ("average_gb", "hours", "price_per_1000gb")
    )
    brackets = evidence.get("brackets")
    terms = (
        "."
        if brackets is not None
        else f", at {format_price(price, charge.currency, locale=locale)} per 1,000 GB for all"
        " of them."
    )
    notes = [
        f"Average of {format_quantity(average, places=6, locale=locale)} GB over"
        f" {format_quantity(hours, places=2, locale=locale)} hours{terms}"
    ]
    if brackets is not None:
        notes += _brackets(evidence, charge.currency, locale)
    notes += [
        f"Nobody could look from {_moment(gap['from'], locale)} to {_moment(gap['to'], locale)}."
        for gap in evidence.get("gaps", [])
    ]
    rows = [
        (
            _moment(segment["from"], locale),
            _moment(segment["to"], locale),
            f"{format_quantity(Decimal(segment['size_gb']), places=6, locale=locale)} GB",
            format_quantity(Decimal(segment["hours"]), places=4, locale=locale),
            format_amount(Decimal(segment["amount"]), charge.currency, locale=locale),
        )
        for segment in evidence["segments"]
    ]
    headings = ("From", "To", "Size", "Hours", "Amount")
    return Explanation(tuple(notes), headings, "LLRRR", (48, 48, 26, 24, 24), rows)


def _brackets(evidence: Mapping[str, Any], currency: str, locale: str) -> list[str]:
    """What was included, and a sentence for each price of the rest."""
    notes = []
    if included := Decimal(evidence["included_gb"]):
        shown = format_quantity(included, places=6, locale=locale)
        notes.append(f"{shown} GB are included and cost nothing.")
    for bracket in evidence["brackets"]:
        gb = format_quantity(Decimal(bracket["gb"]), places=6, locale=locale)
        price = format_price(Decimal(bracket["price_per_1000gb"]), currency, locale=locale)
        amount = format_price(Decimal(bracket["amount"]), currency, locale=locale)
        notes.append(f"{gb} GB at {price} per 1,000 GB: {amount}.")
    return notes


def _corrections(charge: Charge, locale: str) -> Explanation:
    evidence = charge.evidence
    price = format_price(Decimal(evidence["price_per_1000gb"]), charge.currency, locale=locale)
    learned = _moment(evidence["learned_at"], locale)
    notes = (
        "These hours were billed at another size than the one that stood, as became known later"
        f" ({learned}). The difference counts at {price} per 1,000 GB and month.",
    )
    rows = [
        (
            _moment(one["from"], locale),
            _moment(one["to"], locale),
            f"{format_quantity(Decimal(one['billed_gb']), places=6, locale=locale)} GB",
            f"{format_quantity(Decimal(one['size_gb']), places=6, locale=locale)} GB",
            format_quantity(Decimal(one["hours"]), places=4, locale=locale),
            format_amount(Decimal(one["amount"]), charge.currency, locale=locale),
        )
        for one in evidence["corrections"]
    ]
    headings = ("From", "To", "Billed", "Stood", "Hours", "Difference")
    return Explanation(notes, headings, "LLRRRR", (42, 42, 22, 22, 20, 22), rows)


def _calls(charge: Charge, locale: str) -> Explanation:
    evidence = charge.evidence
    notes = []
    if late := evidence.get("late_calls"):
        notes.append(f"{late} of these calls began before this period and arrived late.")
    if unrated := evidence.get("unrated_calls"):
        notes.append(f"{unrated} more calls have no price yet and are not billed here.")
    listed = [*evidence["destinations"], {**evidence, "description": "Together"}]
    rows = [_destination(one, charge.currency, locale) for one in listed]
    headings = ("Destination", "Calls", "Talked", "Billed minutes", "Cost")
    return Explanation(tuple(notes), headings, "LRRRR", (70, 20, 26, 28, 26), rows)


def _destination(one: Mapping[str, Any], currency: str, locale: str) -> tuple[str, ...]:
    return (
        one["description"] or "Other",
        format_quantity(one["calls"], locale=locale),
        _talked(one["talked_s"]),
        format_quantity(Decimal(one["billed_s"]) / 60, places=2, locale=locale),
        format_price(Decimal(one["amount"]), currency, at_least=CALL_PLACES, locale=locale),
    )


def _moment(text: str, locale: str) -> str:
    return format_moment(datetime.fromisoformat(text), locale=locale)


def _talked(seconds: int) -> str:
    """Hours, minutes and seconds: "1:02:05"."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
