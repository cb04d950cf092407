"""What changing a service costs now: the unused rest of the old price against the new one.

    credit  = old price / days in the old cycle x days left
    debit   = new price / days in the new cycle x days left
    payable = debit - credit - discount

The days of a cycle are the actual ones that end with the next due date.  When a change
starts the cycle anew, the debit is one full new cycle from today.  Credit and debit are
rounded once each: they are two lines of the invoice.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from .money import exact, round_money
from .periods import add_months

_LONGEST_REPEAT_MONTHS = 48
"""After four years every day of the calendar has come back, the 29th of February too."""


class ChangePolicy(StrEnum):
    """What happens to the next due date."""

    AUTO = "auto"
    KEEP_DUE_DATE = "keep_due_date"
    RESTART_CYCLE = "restart_cycle"


@dataclass(frozen=True, slots=True)
class Terms:
    """A price in advance: `amount` for every `cycle_months`, for all units and options.

    What a promotion takes off each period is already off.  0 months: nothing recurs.
    """

    amount: Decimal
    cycle_months: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What a service costs now, and until which day (excluded) that is invoiced."""

    terms: Terms
    anchor: date
    next_due: date


@dataclass(frozen=True, slots=True)
class ChangePrice:
    """What a change costs now, and the schedule after it.

    Amounts are in the currency's minor unit and without tax, unless prices include it.
    `payable` is negative when the client gets something back.  The debit pays for the days
    from today until `next_due`, excluded.
    """

    restarts: bool
    days_left: int
    credit: Decimal
    debit: Decimal
    discount: Decimal
    payable: Decimal
    anchor: date
    next_due: date


def price_change(
    standing: Standing,
    new: Terms,
    *,
    today: date,
    policy: ChangePolicy,
    currency: str,
    discount_percent: Decimal = Decimal(0),
    discount_amount: Decimal = Decimal(0),
) -> ChangePrice:
    """What it costs to change on `today`.  A discount is never more than what is payable.

    30.00 to 60.00 monthly with 15 of 30 days left: 30.00 - 15.00 = 15.00.
    """
    restarts = _restarts(standing.terms, new, policy)
    credit = round_money(unused(standing.terms, standing, today=today), currency)
    owed = exact(new.amount) if restarts else unused(new, standing, today=today)
    debit = round_money(owed, currency)
    due = max(debit - credit, Decimal(0))
    wished = round_money(exact(due) * exact(discount_percent) / 100, currency) + discount_amount
    discount = round_money(min(wished, due), currency)
    anchor, next_due = _schedule(standing, new, restarts=restarts, today=today)
    return ChangePrice(
        restarts=restarts,
        days_left=_days_left(standing, today),
        credit=credit,
        debit=debit,
        discount=discount,
        payable=debit - credit - discount,
        anchor=anchor,
        next_due=next_due,
    )


def unused(terms: Terms, standing: Standing, *, today: date) -> Fraction:
    """What the days from `today` to the next due date are worth at `terms`, not rounded.

    10.00 monthly with 15 days left of a month of 30 is 5.00; 120.00 yearly for the same
    15 days is 120 x 15/365 = 4.93.
    """
    days = _days_left(standing, today)
    if not days or not terms.cycle_months:
        return Fraction()
    return exact(terms.amount) * days / days_in_cycle(terms, standing)


def days_in_cycle(terms: Terms, standing: Standing) -> int:
    """The days of the cycle that ends with the next due date: 28 to 31 for a month."""
    start = add_months(standing.next_due, -terms.cycle_months, anchor_day=standing.anchor.day)
    return (standing.next_due - start).days


def _days_left(standing: Standing, today: date) -> int:
    return max((standing.next_due - today).days, 0)


def _restarts(old: Terms, new: Terms, policy: ChangePolicy) -> bool:
    if not new.amount:
        return False  # what costs nothing needs no cycle
    was_free = not old.amount or not old.cycle_months
    changes_cycle = old.cycle_months != new.cycle_months
    return (
        was_free
        or policy == ChangePolicy.RESTART_CYCLE
        or (policy == ChangePolicy.AUTO and changes_cycle)
    )


def _schedule(standing: Standing, new: Terms, *, restarts: bool, today: date) -> tuple[date, date]:
    """Anchor and next due date after the change."""
    if restarts:
        return today, add_months(today, new.cycle_months, anchor_day=today.day)
    if new.cycle_months == standing.terms.cycle_months:
        return standing.anchor, standing.next_due
    anchor = _anchor_before(standing.next_due, new.cycle_months, standing.anchor.day)
    return anchor, standing.next_due


def _anchor_before(next_due: date, cycle_months: int, anchor_day: int) -> date:
    """An anchor from which periods of `cycle_months` reach `next_due` and keep its day.

    Quarterly to 30 Apr with anchor day 31: 31 Jan, so that 31 Jul follows.
    """
    if not cycle_months:
        return next_due
    earlier = [
        add_months(next_due, -months, anchor_day=anchor_day)
        for months in range(0, _LONGEST_REPEAT_MONTHS + 1, cycle_months)
    ]
    fitting = [
        day
        for number, day in enumerate(earlier)
        if add_months(day, number * cycle_months, anchor_day=day.day) == next_due
    ]
    return max(fitting, key=lambda day: (day.day, day))
