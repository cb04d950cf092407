"""What tax the lines of one document bear, and how the cents are shared out.

A treatment says which taxes a client pays and which of them the prices already contain.
Whatever the rounding policy, the taxes of the lines, the amounts of the summary and the
totals add up to each other.  Inside, amounts are whole numbers of the currency's minor unit
and a tax is a fraction of two whole numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

from .money import exact, minor_units


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
    """Where tax is rounded to the currency's minor unit, half away from zero.

    LINE rounds each tax of each line; totals are sums of lines.  DOCUMENT rounds each tax
    once, over all lines, and shares the result out among them (see `_share_out`).
    """

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

    `rates` are charged, in order.  `included` are the taxes already inside the prices,
    empty when there are none.  When they are the `rates` themselves, the client pays exactly
    the prices; when they are others, such as the seller's home tax for a client who pays none,
    they are taken out of each price first.  A client who pays no tax has no `rates`, and
    `category` and `note` say why.
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
    """One row of a document's tax summary.

    `base` is what the percentage was taken of: the net of the lines concerned, for a compound
    tax with the taxes before it.  Lines without tax have a row with 0 percent, no name, and
    the category that says why.
    """

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
    Raises ValueError unless there is one `taxable` for each amount.
    """
    places = minor_units(currency)
    prices = [_to_units(amount, places) for amount in amounts]
    plan = _plan(treatment)
    if plan.takes_out:
        prices = [
            _round_part(price, plan.takes_out) if taxed else price
            for price, taxed in zip(prices, taxable, strict=True)
        ]
    taxed_prices = [price for price, taxed in zip(prices, taxable, strict=True) if taxed]
    per_rate, per_taxed = plan.tax_of(taxed_prices)
    found = iter(per_taxed)
    taxes = [next(found) if taxed else 0 for taxed in taxable]
    nets = prices
    if plan.is_inside:
        nets = [price - tax for price, tax in zip(prices, taxes, strict=True)]
    net_total, tax_total = sum(nets), sum(per_rate)
    taxed_net = sum(taxed_prices) - (tax_total if plan.is_inside else 0)
    return TaxedAmounts(
        nets=tuple([_to_money(net, places) for net in nets]),
        taxes=tuple([_to_money(tax, places) for tax in taxes]),
        summary=_summary(treatment, per_rate, taxed_net, net_total, taxable, places),
        net_total=_to_money(net_total, places),
        tax_total=_to_money(tax_total, places),
        total=_to_money(net_total + tax_total, places),
    )


Part = tuple[int, int]
"""A share of an amount: so many of so many."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """A treatment made ready for counting in minor units.

    `parts` are the shares of a price that are tax, a compound one's with the taxes before it;
    `whole` is all of them.  With `is_inside` the price contains them.  `takes_out` is what is
    left of a price once other taxes are taken out of it.
    """

    parts: tuple[Part, ...]
    whole: Part
    is_inside: bool
    takes_out: Part | None
    rounds_lines: bool

    def tax_of(self, prices: Sequence[int]) -> tuple[list[int], list[int]]:
        """What each tax comes to, and what each price bears of all of them."""
        if not self.parts:
            return [], [0] * len(prices)
        if self.rounds_lines:
            rows = [[_round_part(price, part) for price in prices] for part in self.parts]
            return [sum(row) for row in rows], [sum(column) for column in zip(*rows, strict=True)]
        total = sum(prices)
        per_rate = [_round_part(total, part) for part in self.parts]
        return per_rate, _share_out(sum(per_rate), prices, self.whole)


@lru_cache(maxsize=1024)
def _plan(treatment: TaxTreatment) -> _Plan:
    """The few treatments of a run are worked out once each."""
    factors = _factors(treatment.rates)
    is_inside = bool(factors) and treatment.included == treatment.rates
    gross = 1 + sum(factors) if is_inside else Fraction(1)
    parts = tuple((factor / gross).as_integer_ratio() for factor in factors)
    takes_out = None
    if treatment.included and not is_inside:
        takes_out = (1 / (1 + sum(_factors(treatment.included)))).as_integer_ratio()
    return _Plan(
        parts=parts,
        whole=(sum(factors, Fraction()) / gross).as_integer_ratio(),
        is_inside=is_inside,
        takes_out=takes_out,
        rounds_lines=treatment.rounding == Rounding.LINE,
    )


def _factors(rates: Sequence[TaxRate]) -> list[Fraction]:
    """What part of the net each tax is, the compound ones on top of those before them."""
    factors: list[Fraction] = []
    for rate in rates:
        base = 1 + sum(factors) if rate.compound else Fraction(1)
        factors.append(base * exact(rate.percent) / 100)
    return factors


def _share_out(tax: int, prices: Sequence[int], part: Part) -> list[int]:
    """A tax on all prices as one amount per price, which add up to it.

    Each price gets its exact share, cut down to the whole unit.  The units left over go one
    each to the prices that lost most by cutting, the larger price first where that is equal,
    then the earlier.  So no share is two units away from the exact one, and the order of the
    lines decides nothing but between equals.
    """
    numerator, denominator = part
    cut = [divmod(price * numerator, denominator) for price in prices]
    shares = [share for share, _ in cut]
    left = tax - sum(shares)
    if not left:
        return shares
    bearing = [place for place, price in enumerate(prices) if price]
    bearing.sort(key=lambda place: (-cut[place][1], -abs(prices[place]), -prices[place]))
    for_each, more = divmod(left, len(bearing))
    for rank, place in enumerate(bearing):
        shares[place] += for_each + (rank < more)
    return shares


def _summary(
    treatment: TaxTreatment,
    per_rate: Sequence[int],
    taxed_net: int,
    net_total: int,
    taxable: Sequence[bool],
    places: int,
) -> tuple[TaxTotal, ...]:
    """A row per tax, and one for what bears none; no rows for a seller who charges no tax."""
    if not treatment.rates:
        if treatment == NO_TAX:
            return ()
        return (_untaxed(treatment.category, net_total, places),)
    rows, before = [], 0
    for rate, amount in zip(treatment.rates, per_rate, strict=True):
        base = taxed_net + (before if rate.compound else 0)
        rows.append(
            TaxTotal(
                rate.name,
                rate.percent,
                treatment.category,
                _to_money(base, places),
                _to_money(amount, places),
            )
        )
        before += amount
    if not any(taxable):
        return (_untaxed(TaxCategory.EXEMPT, net_total, places),)
    if not all(taxable):
        rows.append(_untaxed(TaxCategory.EXEMPT, net_total - taxed_net, places))
    return tuple(rows)


def _untaxed(category: TaxCategory, base: int, places: int) -> TaxTotal:
    return TaxTotal("", Decimal(0), category, _to_money(base, places), _to_money(0, places))


def _to_units(amount: Decimal, places: int) -> int:
    # Asked of the class, so that a float, which also has a ratio, is refused.
    numerator, denominator = Decimal.as_integer_ratio(amount)
    return _round_part(numerator * 10**places, (1, denominator))


def _round_part(units: int, part: Part) -> int:
    """That part of an amount in whole units, halves away from zero."""
    numerator, denominator = units * part[0], part[1]
    rounded = (2 * abs(numerator) + denominator) // (2 * denominator)
    return rounded if numerator >= 0 else -rounded


def _to_money(units: int, places: int) -> Decimal:
    # From text: Decimal arithmetic would round to 28 digits, construction never does.
    return Decimal(f"{units}E-{places}")
