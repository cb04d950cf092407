"""Stretches of time, and calendar months counted from an anchor day.

A period is half-open: its start belongs to it, its end does not.  Months are always
counted from the anchor, never from the month before, so the 31st comes back after
February: 31 Jan, 28 Feb, 31 Mar.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import lru_cache
from itertools import count, takewhile
from zoneinfo import ZoneInfo

from billing_portal.errors import PortalError

_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_PER_SECOND = 10**6
_MICROSECONDS_PER_HOUR = 3600 * _MICROSECONDS_PER_SECOND


class UnknownTimezone(PortalError):
    """The text is not the name of a time zone."""


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of real time, `[start, end)`.  Both ends are kept in UTC.

    Raises ValueError if an end has no offset or `end` is not after `start`.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        # Two moments of one zone are compared by their wall clocks, which is wrong
        # across a clock change; in UTC it is right.
        object.__setattr__(self, "start", in_utc(self.start))
        object.__setattr__(self, "end", in_utc(self.end))
        if self.end <= self.start:
            raise ValueError(f"A period must end after it starts: {self.start} to {self.end}.")

    @property
    def microseconds(self) -> int:
        return (self.end - self.start) // _MICROSECOND

    @property
    def seconds(self) -> Fraction:
        return Fraction(self.microseconds, _MICROSECONDS_PER_SECOND)

    @property
    def hours(self) -> Fraction:
        return Fraction(self.microseconds, _MICROSECONDS_PER_HOUR)

    def contains(self, at: datetime) -> bool:
        return self.start <= in_utc(at) < self.end

    def overlap(self, start: datetime, end: datetime) -> "Period | None":
        """The part of this period inside `[start, end)`; None if they do not meet.

        this     |-----------|
        other          |-----------|
        overlap        |-----|
        """
        first, last = max(self.start, in_utc(start)), min(self.end, in_utc(end))
        return Period(first, last) if first < last else None


def in_utc(at: datetime) -> datetime:
    """The same moment in UTC.  Raises ValueError if `at` does not say its offset."""
    if at.utcoffset() is None:
        raise ValueError(f"{at} has no time zone.")
    return at.astimezone(UTC)


def add_months(day: date, months: int, *, anchor_day: int) -> date:
    """The `anchor_day` of the month `months` after `day`'s, or that month's last day.

    28 Feb 2026 plus one month is 31 Mar with anchor day 31, 28 Mar with anchor day 28.
    Raises ValueError if `anchor_day` is not 1 to 31.
    """
    if not 1 <= anchor_day <= 31:
        raise ValueError(f"{anchor_day} is not a day of a month.")
    year, month0 = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month0 + 1, min(anchor_day, monthrange(year, month0 + 1)[1]))


@lru_cache(maxsize=4096)
def local_midnight(day: date, timezone: str) -> datetime:
    """The moment, in UTC, at which `day` starts in `timezone`.

    Of two midnights (clocks go back) it is the first; a midnight that is skipped (clocks
    go forward) is the moment of the change.
    Raises UnknownTimezone if there is no such zone.
    """
    return datetime.combine(day, time(), tzinfo=_zone(timezone)).astimezone(UTC)


def local_date(at: datetime, timezone: str) -> date:
    """The calendar day it is in `timezone` at that moment."""
    return in_utc(at).astimezone(_zone(timezone)).date()


@lru_cache(maxsize=4096)
def month_slice(anchor: date, index: int, *, timezone: str, months: int = 1) -> Period:
    """The billing slice number `index` (from 0) of `months` months each.

    It runs from local midnight to local midnight, so a March in Berlin has 743 hours.
    """
    first, last = (
        add_months(anchor, number * months, anchor_day=anchor.day) for number in (index, index + 1)
    )
    return Period(local_midnight(first, timezone), local_midnight(last, timezone))


def slices_until(anchor: date, at: datetime, *, timezone: str, months: int = 1) -> list[Period]:
    """Every slice that has ended by `at`, oldest first; one that ends at `at` has ended."""
    slices = slices_from(anchor, timezone=timezone, months=months)
    return list(takewhile(lambda one: one.end <= at, slices))


def slices_from(anchor: date, *, timezone: str, months: int = 1) -> Iterator[Period]:
    """The slices from `anchor` on, without end."""
    return (month_slice(anchor, index, timezone=timezone, months=months) for index in count())


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        raise UnknownTimezone(f"{timezone!r} is not a time zone such as Europe/Berlin.") from error
