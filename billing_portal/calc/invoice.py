"""What an invoice should say: everything owed, minus everything already invoiced.

Preview, dry run and the real bill run all ask `draft_invoice`.  It holds the decision;
numbers, rows and mail come after it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from billing_portal.errors import PortalError

from .money import round_money
from .periods import Period, add_months, in_utc, local_midnight, slices_from


class OffSchedule(PortalError):
    """A service is billed until a day on which none of its periods starts."""


class LineKind(StrEnum):
    """What a line is for, in the order lines of one service are printed."""

    SETUP = "setup"
    RECURRING = "recurring"
    USAGE = "usage"


BilledKey = tuple[int, str, date]
"""(service id, line kind, first day of the period): what may be invoiced only once."""


@dataclass(frozen=True, slots=True)
class SetupItem:
    """A one-off fee.  `period_start` is the day the service starts."""

    service_id: int
    description: str
    period_start: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class RecurringItem:
    """One period of a service, in advance.  `period_end` is excluded."""

    service_id: int
    description: str
    period_start: date
    period_end: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ChargeItem:
    """Usage already turned into an amount and not yet on an invoice."""

    charge_id: int
    service_id: int
    description: str
    period: Period
    quantity: Decimal
    unit: str
    unit_price: Decimal | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One line as it would be printed; `amount` is rounded to the currency's minor unit.

    `period_start` and `period_end` are days for setup and recurring lines and moments for
    usage; the end is excluded.  `charge_id` is set on usage lines only.
    """

    service_id: int
    kind: LineKind
    description: str
    period_start: date | datetime
    period_end: date | datetime
    quantity: Decimal
    unit: str
    unit_price: Decimal | None
    amount: Decimal
    charge_id: int | None = None


@dataclass(frozen=True, slots=True)
class DraftInvoice:
    """At least one line, by service, then setup, recurring, usage, then period, then as given."""

    currency: str
    lines: tuple[DraftLine, ...]
    total: Decimal


def draft_invoice(
    *,
    currency: str,
    recurring: Iterable[RecurringItem],
    charges: Iterable[ChargeItem],
    billed: frozenset[BilledKey],
    setup: Iterable[SetupItem] = (),
) -> DraftInvoice | None:
    """The lines that should exist and do not yet; None if there are none.

    Setup and recurring items whose key is in `billed` are left out, and so are those that
    cost nothing.  `charges` are the open ones: being on an invoice closes a charge, so
    `billed` has no say over them, and one of 0.00 still gets its line, which closes it.
    `total` is the sum of the rounded lines.
    Raises ValueError if two items claim the same service, kind and period start.
    """
    advance = [
        *(_advance_line(item, LineKind.SETUP, item.period_start, currency) for item in setup),
        *(_advance_line(item, LineKind.RECURRING, item.period_end, currency) for item in recurring),
    ]
    _refuse_duplicates(advance)
    lines = [line for line in advance if line.amount and _key(line) not in billed]
    lines += [_usage_line(item, currency) for item in charges]
    if not lines:
        return None
    lines.sort(key=_printing_order)
    total = sum((line.amount for line in lines), round_money(0, currency))
    return DraftInvoice(currency, tuple(lines), total)


def recurring_periods_due(
    *, anchor: date, cycle_months: int, billed_until: date, today: date, lead_days: int
) -> list[tuple[date, date]]:
    """The periods `[start, end)` to invoice by `today`, oldest first.

    A period is due `lead_days` before it starts.  Periods are counted from `anchor`, and
    those before `billed_until` (the end of the last one invoiced) are done.  A run that
    comes late returns all it missed.
    Raises OffSchedule if no period starts on `billed_until`, ValueError for a cycle
    without months.
    """
    if cycle_months < 1:
        raise ValueError(f"A cycle has at least one month, not {cycle_months}.")
    last_start = today + timedelta(days=lead_days)
    index = _period_index(anchor, billed_until, cycle_months=cycle_months)
    due = []
    start = max(anchor, billed_until)
    while start <= last_start:
        index += 1
        end = add_months(anchor, index * cycle_months, anchor_day=anchor.day)
        due.append((start, end))
        start = end
    return due


def usage_windows_due(
    *,
    anchor: date,
    timezone: str,
    closed: frozenset[datetime],
    at: datetime,
    settle: timedelta,
    ended_at: datetime | None,
) -> list[Period]:
    """The monthly windows whose usage may be charged at `at`, oldest first.

    A window is due `settle` after it ends, so that late records are in; if the service
    ended inside it, `settle` after that.  It is always the whole month, because the
    monthly price is spread over all of it.  `closed` holds the starts of windows already
    charged.  One more window follows the one of the end, for records that came late; it
    is due when it is over, and none starts after it.

        window   |-------------------------|-------------------------|
        ended              x
        due                   x + settle                               end + settle
    """
    at, ended_at = in_utc(at), ended_at and in_utc(ended_at)
    due: list[Period] = []
    for window in slices_from(anchor, timezone=timezone):
        is_late = ended_at is not None and ended_at <= window.start
        if is_late and window.start == local_midnight(anchor, timezone):
            return []  # it ended before it began
        complete_at = min(window.end, ended_at) if ended_at and not is_late else window.end
        if complete_at + settle > at:
            break
        if window.start not in closed:
            due.append(window)
        if is_late:
            break
    return due


def _period_index(anchor: date, start: date, *, cycle_months: int) -> int:
    """Which period of the schedule starts on `start`; 0 for any day up to the anchor."""
    if start <= anchor:
        return 0
    months = (start.year - anchor.year) * 12 + start.month - anchor.month
    index, rest = divmod(months, cycle_months)
    if rest or add_months(anchor, months, anchor_day=anchor.day) != start:
        raise OffSchedule(
            f"Billed until {start}, but periods of {cycle_months} months from {anchor} "
            "do not start on that day."
        )
    return index


def _advance_line(
    item: SetupItem | RecurringItem, kind: LineKind, period_end: date, currency: str
) -> DraftLine:
    amount = round_money(item.amount, currency)
    return DraftLine(
        service_id=item.service_id,
        kind=kind,
        description=item.description,
        period_start=item.period_start,
        period_end=period_end,
        quantity=Decimal(1),
        unit="",
        unit_price=amount,
        amount=amount,
    )


def _usage_line(item: ChargeItem, currency: str) -> DraftLine:
    return DraftLine(
        service_id=item.service_id,
        kind=LineKind.USAGE,
        description=item.description,
        period_start=item.period.start,
        period_end=item.period.end,
        quantity=item.quantity,
        unit=item.unit,
        unit_price=item.unit_price,
        amount=round_money(item.amount, currency),
        charge_id=item.charge_id,
    )


def _key(line: DraftLine) -> BilledKey:
    return line.service_id, line.kind, line.period_start


def _refuse_duplicates(lines: Sequence[DraftLine]) -> None:
    for (service_id, kind, start), times in Counter(map(_key, lines)).items():
        if times > 1:
            raise ValueError(f"Service {service_id} has {times} {kind} items for {start}.")


_KINDS = list(LineKind)


def _printing_order(line: DraftLine) -> tuple[int, int, str]:
    # The text of two days sorts by time, and so does that of two moments in UTC.
    return line.service_id, _KINDS.index(line.kind), line.period_start.isoformat()
