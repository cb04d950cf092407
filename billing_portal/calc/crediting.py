"""What a credit note takes back of each line: never more than is left, tax in proportion.

Whatever is credited, in however many notes: once a line is credited whole, exactly its tax
was credited too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing_portal.errors import PortalError

from .money import minor_units, round_money
from .tax import TaxTotal


class NotCreditable(PortalError):
    """More than a line has left, or nothing at all, was to be credited."""


@dataclass(frozen=True, slots=True)
class BilledLine:
    """A line as it was invoiced, and what earlier notes took back of it."""

    amount: Decimal
    tax: Decimal
    taxable: bool = True
    credited: Decimal = Decimal(0)
    credited_tax: Decimal = Decimal(0)

    @property
    def left(self) -> Decimal:
        return self.amount - self.credited

    @property
    def left_gross(self) -> Decimal:
        return self.left + self.tax - self.credited_tax


@dataclass(frozen=True, slots=True)
class Part:
    """What is taken back of one line, without tax and tax."""

    amount: Decimal
    tax: Decimal

    @property
    def gross(self) -> Decimal:
        return self.amount + self.tax


def part_of(line: BilledLine, amount: Decimal, currency: str) -> Part:
    """`amount` of a line, without tax, with the tax that goes with it.

    4.00 of a line of 10.00 with 1.90 of tax is 4.00 and 0.76.  Of a discount, which is
    negative, the amount is negative too.
    Raises NotCreditable for more than is left or an amount finer than the currency.
    """
    if not amount.is_finite() or round_money(amount, currency) != amount:
        raise NotCreditable(f"{amount} is finer than the smallest unit of {currency}.")
    if amount and (amount > 0) != (line.amount > 0):
        raise NotCreditable(f"Of a line of {line.amount} nothing like {amount} can be credited.")
    if abs(amount) > abs(line.left):
        raise NotCreditable(f"Only {line.left} of a line of {line.amount} are left to credit.")
    if not line.amount:
        return Part(amount, round_money(0, currency))
    so_far = Fraction(line.credited + amount) / Fraction(line.amount)
    tax = round_money(Fraction(line.tax) * so_far, currency) - line.credited_tax
    return Part(amount, tax)


def spread(gross: Decimal, lines: Sequence[BilledLine], currency: str) -> list[Part]:
    """`gross`, tax included, taken back from all lines in proportion to what they have left.

    Raises NotCreditable for more than all of them have left together.
    """
    places = minor_units(currency)
    units = [_units(line.left_gross, places) for line in lines]
    wanted, whole = _units(gross, places), sum(units)
    if not 0 < wanted <= whole:
        left = round_money(Fraction(whole, 10**places), currency)
        raise NotCreditable(f"Between 0 and {left} can be credited, not {gross}.")
    exact = [Fraction(wanted * part, whole) for part in units]
    shares = [share.numerator // share.denominator for share in exact]
    by_loss = sorted(range(len(lines)), key=lambda i: shares[i] - exact[i])
    for place in by_loss[: wanted - sum(shares)]:
        shares[place] += 1
    return [
        _split(line, round_money(Fraction(share, 10**places), currency), currency)
        for line, share in zip(lines, shares, strict=True)
    ]


def taxes_of(
    rows: Sequence[TaxTotal],
    lines: Sequence[BilledLine],
    parts: Sequence[Part],
    currency: str,
) -> list[TaxTotal]:
    """The tax summary of a note, out of that of the invoice; its taxes add up to the parts'.

    The last note's rows are what is left, so that all notes together undo the invoice's.
    """
    taxed = [(line, part) for line, part in zip(lines, parts, strict=True) if line.taxable]
    before = _Standing.of(taxed, with_parts=False)
    after = _Standing.of(taxed, with_parts=True)
    net = sum((part.amount for part in parts), Decimal(0))
    untaxed = net - sum((part.amount for _, part in taxed), Decimal(0))
    everything = sum((line.amount for line in lines), Decimal(0))
    bearing = [row for row in rows if row.amount or row.percent]
    done = dict(zip(bearing, _amounts(bearing, after, currency), strict=True))
    earlier = dict(zip(bearing, _amounts(bearing, before, currency), strict=True))
    found = []
    for row in rows:
        if row not in done:
            base, amount = net if row.base == everything else untaxed, round_money(0, currency)
        else:
            amount = done[row] - earlier[row]
            base = after.base(row, currency) - before.base(row, currency)
        if base or amount:
            found.append(TaxTotal(row.name, row.percent, row.category, base, amount))
    return found


@dataclass(frozen=True, slots=True)
class _Standing:
    """How much of the taxed lines is credited: their nets and their taxes."""

    net: Decimal
    tax: Decimal
    of_net: Decimal
    of_tax: Decimal

    @classmethod
    def of(cls, taxed: Sequence[tuple[BilledLine, Part]], *, with_parts: bool) -> "_Standing":
        zero = Decimal(0)
        return cls(
            sum((ln.credited + (pt.amount if with_parts else 0) for ln, pt in taxed), zero),
            sum((ln.credited_tax + (pt.tax if with_parts else 0) for ln, pt in taxed), zero),
            sum((ln.amount for ln, _ in taxed), zero),
            sum((ln.tax for ln, _ in taxed), zero),
        )

    def base(self, row: TaxTotal, currency: str) -> Decimal:
        if not self.of_net:
            return round_money(0, currency)
        return round_money(
            Fraction(row.base) * Fraction(self.net) / Fraction(self.of_net), currency
        )


def _amounts(rows: Sequence[TaxTotal], standing: _Standing, currency: str) -> list[Decimal]:
    """The credited tax shared out over the rows; the last one takes what rounding leaves."""
    left = standing.tax
    found = []
    for place, row in enumerate(rows):
        last = place == len(rows) - 1
        share = Fraction(row.amount) / Fraction(standing.of_tax) if standing.of_tax else 0
        part = left if last else round_money(Fraction(standing.tax) * share, currency)
        found.append(part)
        left -= part
    return found


def _split(line: BilledLine, gross: Decimal, currency: str) -> Part:
    """A gross amount of a line as net and tax, in the proportion of what is left of it."""
    if gross == line.left_gross:
        return Part(line.left, line.tax - line.credited_tax)
    net = round_money(Fraction(gross) * Fraction(line.left) / Fraction(line.left_gross), currency)
    return Part(net, gross - net)


def _units(amount: Decimal, places: int) -> int:
    return int(amount.scaleb(places).to_integral_value())


def whole(lines: Mapping[int, BilledLine]) -> dict[int, Decimal]:
    """All that is left of every line that has something left."""
    return {key: line.left for key, line in lines.items() if line.left}
