"""What a choice would cost, as the order pages print it.

The amounts are those of the drafts the order itself would make, so the total shown is the
invoice's to the cent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing_portal.calc.invoice import DraftInvoice, DraftLine, LineKind
from billing_portal.calc.pricing import PricePart
from billing_portal.calc.tax import TaxTotal
from billing_portal.clientarea import printing
from billing_portal.clientarea.offers import PER_CYCLE, Meter, Offer, monthly_storage, summary
from billing_portal.orders.actions import ItemTerms
from billing_portal.products.models import Cycle
from billing_portal.workflows.place_order import OrderPreview


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the summary."""

    label: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """What a choice costs now, then per cycle, and by estimate for a month of use.

    `usage` is None where nobody can know the use beforehand.
    """

    currency: str
    cycle: str
    summary: str
    count: int
    parts: tuple[PricePart, ...]
    preview: OrderPreview
    meters: Sequence[Meter]
    usage: Decimal | None
    bills_calls: bool

    @property
    def rows(self) -> list[Row]:
        """What is due now before tax, alike lines of several services added up."""
        draft = self.preview.due_now
        if draft is None:
            return []
        totals: dict[str, Decimal] = {}
        for line in draft.lines:
            label = self._label(line)
            totals[label] = totals.get(label, Decimal(0)) + line.amount
        return [Row(label, amount) for label, amount in totals.items()]

    @property
    def taxes(self) -> tuple[TaxTotal, ...]:
        return self.preview.due_now.taxes if self.preview.due_now else ()

    @property
    def tax_note(self) -> str:
        return self.preview.due_now.tax_note if self.preview.due_now else ""

    @property
    def due_now(self) -> Decimal:
        return self.preview.due_now.total if self.preview.due_now else Decimal(0)

    @property
    def per_period(self) -> DraftInvoice | None:
        """What each later period costs, where that is not simply the same again."""
        later = self.preview.per_cycle
        return later if later and later.total != self.due_now else None

    @property
    def per_cycle(self) -> str:
        return PER_CYCLE[Cycle(self.cycle)]

    @property
    def cycle_name(self) -> str:
        return str(Cycle(self.cycle).label)

    @property
    def repeats(self) -> bool:
        return self.cycle != Cycle.ONE_TIME

    def _label(self, line: DraftLine) -> str:
        if line.addon_id is not None or line.kind == LineKind.DISCOUNT:
            return line.description
        if line.kind == LineKind.SETUP:
            return "Set-up, once"
        if not self.repeats:
            return "Once"
        if self._is_whole(line):
            return f"{self.per_cycle.capitalize()}, in advance"
        return f"{_day(line.period_start)} to {_last_day(line.period_end)}"

    def _is_whole(self, line: DraftLine) -> bool:
        """Whether a line is for a whole period, and not for the days up to its first one."""
        periods = [one for one in _lines(self.preview.due_now) if one.kind == LineKind.RECURRING]
        later = [one for one in _lines(self.preview.per_cycle) if one.kind == LineKind.RECURRING]
        if not later:
            return len({one.period_start for one in periods}) == 1
        return any(one.service_id == line.service_id and one.amount == line.amount for one in later)


def quote(offer: Offer, terms: Sequence[ItemTerms], preview: OrderPreview, *, today: date) -> Quote:
    """What `terms`, all of one product, cost; the estimate is for the month that starts today."""
    first = terms[0]
    currency = first.price.currency
    return Quote(
        currency=currency,
        cycle=first.price.cycle,
        summary=summary(offer.product, first.spec),
        count=len(terms),
        parts=first.priced.parts,
        preview=preview,
        meters=offer.meters,
        usage=monthly_storage(offer.meters, first.spec, currency=currency),
        bills_calls=offer.bills_calls,
    )


def _lines(draft: DraftInvoice | None) -> Iterable[DraftLine]:
    return draft.lines if draft else ()


def _day(day: date) -> str:
    return printing.day(day)


def _last_day(excluded: date) -> str:
    return printing.day(date.fromordinal(excluded.toordinal() - 1))
