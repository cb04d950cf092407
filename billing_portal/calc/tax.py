"""What tax the lines of one document bear, and how the cents are shared out.

A treatment says which taxes a client pays and which of them the prices already contain.
Whatever the rounding policy, the parts always add up to the totals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from .money import exact, round_money


class TaxCategory(StrEnum):
    """Why a tax is charged or not: the codes of EN 16931 (UNTDID 5305)."""

    STANDARD = "S"
    ZERO = "Z"
    EXEMPT = "E"
    REVERSE_CHARGE = "AE"
    INTRA_COMMUNITY = "K"
    EXPORT = "G"
    OUTSIDE_SCOPE = "O"


class Rounding(StrEnum):
    """Where tax is rounded to the currency's minor unit."""

    LINE = "line"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class TaxRate:
    """One tax.  A compound one is due on the amount with the taxes before it."""

    name: str
    percent: Decimal
    compound: bool = False


@dataclass(frozen=True, slots=True)
class TaxTreatment:
    """How one client is taxed on one day.

    `rates` are charged, in order.  `included` are the taxes already inside the prices:
    the same as `rates` when prices include tax, empty when they do not.  A client who
    pays no tax has no `rates`, and `category` and `note` say why.
    """

    rates: tuple[TaxRate, ...] = ()
    included: tuple[TaxRate, ...] = ()
    category: TaxCategory = TaxCategory.OUTSIDE_SCOPE
    note: str = ""
    rounding: Rounding = Rounding.DOCUMENT


NO_TAX = TaxTreatment()
"""For sellers who charge no tax at all."""


@dataclass(frozen=True, slots=True)
class TaxTotal:
    """One row of a document's tax summary.  `base` is what the percentage was taken of."""

    name: str
    percent: Decimal
    category: str
    base: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class TaxedAmounts:
    """Net and tax of each line in the order given, and the totals they add up to.

    `total` is `net_total` plus `tax_total`; `tax_total` is the sum of the summary's amounts
    and of the lines' taxes.
    """

    nets: tuple[Decimal, ...]
    taxes: tuple[Decimal, ...]
    summary: tuple[TaxTotal, ...]
    net_total: Decimal
    tax_total: Decimal
    total: Decimal


def tax_amounts(
    amounts: Sequence[Decimal], taxable: Sequence[bool], treatment: TaxTreatment, currency: str
) -> TaxedAmounts:
    """Tax the lines of a document; `amounts` are rounded, and gross where tax is included.

    100.00 at 20 % and 5 % is 20.00 and 5.00, or 20.00 and 6.00 when the second is
    compound.  120.00 that includes 20 % is 100.00 and 20.00.
    """
    nets = [
        round_money(_without(amount, treatment.included) if taxed else amount, currency)
        for amount, taxed in zip(amounts, taxable, strict=True)
    ]
    zero = round_money(0, currency)
    summary: list[TaxTotal] = []
    taxes = [zero] * len(nets)
    base = sum((net for net, taxed in zip(nets, taxable, strict=True) if taxed), zero)
    for rate, factor in zip(treatment.rates, _factors(treatment.rates), strict=True):
        per_line = [
            round_money(exact(net) * factor, currency) if taxed else zero
            for net, taxed in zip(nets, taxable, strict=True)
        ]
        if treatment.rounding == Rounding.DOCUMENT:
            wanted = round_money(exact(base) * factor, currency)
            per_line = _spread(wanted, per_line)
        taxes = [tax + more for tax, more in zip(taxes, per_line, strict=True)]
        summary.append(
            TaxTotal(rate.name, rate.percent, treatment.category, base, sum(per_line, zero))
        )
    net_total, tax_total = sum(nets, zero), sum(taxes, zero)
    return TaxedAmounts(
        tuple(nets), tuple(taxes), tuple(summary), net_total, tax_total, net_total + tax_total
    )


def _factors(rates: Sequence[TaxRate]) -> list[Fraction]:
    """What part of the net each tax is, the compound ones on top of those before them."""
    factors: list[Fraction] = []
    for rate in rates:
        base = 1 + sum(factors) if rate.compound else Fraction(1)
        factors.append(base * exact(rate.percent) / 100)
    return factors


def _without(amount: Decimal, included: Sequence[TaxRate]) -> Fraction:
    return exact(amount) / (1 + sum(_factors(included)))


def _spread(wanted: Decimal, parts: list[Decimal]) -> list[Decimal]:
    """The parts with what is missing to `wanted` added to the largest of them."""
    missing = wanted - sum(parts, Decimal(0))
    if missing and parts:
        largest = max(range(len(parts)), key=lambda index: abs(parts[index]))
        parts[largest] += missing
    return parts
