"""What a new service pays first, when periods are to begin on one day of the month.

Such a service first pays for the days up to that day (the stub) and from then on for
whole periods:

    ordered        day P                  day P
       |--- stub ---|------ period --------|------ period ---
"""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from .periods import add_months

_LOOK_BACK = range(5)
"""In cycles.  Among so many schedule days there is one with the anchor day, or no month of
the schedule has it; of four Februaries a year apart one has 29 days."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """`[start, end)`, and which part of a whole period's price it costs."""

    start: date
    end: date
    share: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class FirstPeriods:
    """What the first invoice covers, in time order, and from where all others are counted.

    `anchor` may lie before the order: a 31st, when the first whole period begins on 28 Feb.
    `usage_anchor` is day one of the month of usage the service starts in.
    """

    stretches: tuple[Stretch, ...]
    anchor: date
    usage_anchor: date

    @property
    def billed_until(self) -> date:
        return self.stretches[-1].end


def first_periods(
    day: date,
    *,
    cycle_months: int,
    prorata_day: int | None = None,
    next_from: int | None = None,
) -> FirstPeriods:
    """What a service ordered on `day` pays first.

    Without `prorata_day`, or on that very day of the month (or the last one of a month that
    has no such day), it is one whole period; a one-time product has one without length.
    Else it is the stub up to that day and, for a monthly cycle ordered from `next_from` on,
    the whole period after it.  19 March, day 1, monthly: 13 of 31 days.
    """
    if prorata_day is None or not cycle_months:
        end = add_months(day, cycle_months, anchor_day=day.day)
        return FirstPeriods((Stretch(day, end),), day, day)
    start = _first_on_or_after(day, prorata_day)
    stretches = []
    if start > day:
        before = add_months(start, -cycle_months, anchor_day=prorata_day)
        stretches.append(Stretch(day, start, share_of((day, start), (before, start))))
    wants_next = next_from is not None and day.day >= next_from and cycle_months == 1
    if start == day or wants_next:
        stretches.append(Stretch(start, add_months(start, cycle_months, anchor_day=prorata_day)))
    month = start if start == day else add_months(start, -1, anchor_day=prorata_day)
    return FirstPeriods(
        tuple(stretches),
        _counted_from(start, cycle_months, prorata_day),
        _counted_from(month, 1, prorata_day),
    )


def share_of(part: tuple[date, date], whole: tuple[date, date]) -> Fraction:
    """How much of the days of `whole` the days of `part` are; both without their ends.

    The parts of a period add up to 1, however it is split.
    """
    return Fraction((part[1] - part[0]).days, (whole[1] - whole[0]).days)


def _first_on_or_after(day: date, day_of_month: int) -> date:
    this_month = add_months(day, 0, anchor_day=day_of_month)
    return this_month if day <= this_month else add_months(day, 1, anchor_day=day_of_month)


def _counted_from(start: date, cycle_months: int, day_of_month: int) -> date:
    """The latest day of the schedule, up to `start`, from which it never loses its day."""
    days = (
        add_months(start, -cycles * cycle_months, anchor_day=day_of_month) for cycles in _LOOK_BACK
    )
    return max(days, key=lambda found: found.day)  # the first, so the latest, of equal ones
