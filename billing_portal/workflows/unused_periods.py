"""What a service gives back of its invoiced periods: which lines, and how much of each.

Reads and never writes.  The latest invoice gives first; what no line has left to give is
credit without tax, for no tax was charged on it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from billing_portal.calc.crediting import BilledLine
from billing_portal.calc.tax import TaxTotal
from billing_portal.invoices import crediting, settling
from billing_portal.invoices.crediting import Correction
from billing_portal.invoices.models import Invoice, InvoiceLine
from billing_portal.services.models import Service

Kind = InvoiceLine.Kind


@dataclass(frozen=True, slots=True)
class Part:
    """What one invoice gives back: `amounts` without tax by line id, and what they come to."""

    invoice: Invoice
    amounts: Mapping[int, Decimal]
    correction: Correction


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Credit notes to write, and credit for what no invoice billed."""

    parts: tuple[Part, ...] = ()
    without_tax: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        return sum((part.correction.total for part in self.parts), self.without_tax)

    @property
    def taxes(self) -> list[TaxTotal]:
        """The taxes given back, each name and rate once."""
        found: dict[tuple[str, Decimal], TaxTotal] = {}
        for tax in (tax for part in self.parts for tax in part.correction.taxes):
            key = (tax.name, tax.percent)
            same = found.get(key)
            found[key] = (
                replace(same, base=same.base + tax.base, amount=same.amount + tax.amount)
                if same
                else tax
            )
        return list(found.values())


NOTHING = GiveBack()


def give_back(service: Service, net: Decimal, *, since: date) -> GiveBack:
    """Where `net`, an amount without tax, comes from: what bills the days from `since` on.

    15.00 of a month of 60.00 with 19 % of tax: 15.00 and 2.85 of that line.
    """
    left, parts = net, list[Part]()
    for invoice in _invoices(service.pk, since):
        if left > 0 and (amounts := dict(_amounts(invoice, service, left, since))):
            parts.append(Part(invoice, amounts, crediting.correct_lines(invoice, amounts)))
            left -= sum(amounts.values(), Decimal(0))
    return GiveBack(tuple(parts), max(left, Decimal(0)))


def lock(service_id: int, *, since: date) -> None:
    """Lock the invoices a change may correct, before the service; the client is locked."""
    settling.locked_invoices([invoice.pk for invoice in _invoices(service_id, since)])


def _invoices(service_id: int, since: date) -> list[Invoice]:
    """Those that bill the service after `since` and can be corrected, the latest first."""
    lines = InvoiceLine.objects.filter(
        service=service_id,
        addon=None,
        kind__in=(Kind.RECURRING, Kind.UPGRADE),
        period_end__gt=since,
    )
    found = Invoice.objects.filter(
        pk__in=lines.values("invoice"), status__in=crediting.CORRECTABLE
    ).order_by("-pk")
    return [invoice for invoice in found if crediting.is_correctable(invoice)]


def _amounts(
    invoice: Invoice, service: Service, wanted: Decimal, since: date
) -> Iterator[tuple[int, Decimal]]:
    """Up to `wanted` of the lines; never more than discounts and earlier notes left of all."""
    states = {
        line: state
        for line, state in crediting.billed_lines(invoice).items()
        if _is_of(line, service, since)
    }
    wanted = min(wanted, _left(states.values()))
    for line, state in sorted(states.items(), key=lambda one: -one[1].left):
        part = min(wanted, state.left)
        if part <= 0:
            return
        yield line.pk, part
        wanted -= part


def _is_of(line: InvoiceLine, service: Service, since: date) -> bool:
    in_advance = line.kind in (Kind.RECURRING, Kind.UPGRADE, Kind.DISCOUNT)
    is_own = line.service_id == service.pk and line.addon_id is None
    return in_advance and is_own and line.period_end > since


def _left(states: Iterable[BilledLine]) -> Decimal:
    return sum((state.left for state in states), Decimal(0))
