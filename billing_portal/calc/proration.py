"""What provisioned sizes cost: every size for exactly as long as it stood.

The price buys one GB (10**9 bytes) for a whole period, however many hours that has.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from .money import exact
from .periods import Period, in_utc


@dataclass(frozen=True, slots=True)
class SizeChange:
    """From `at` on the size is `size_gb`.  0 means there is nothing any more.

    A size between two whole GB is exact: 536870912000 bytes are Decimal("536.870912").
    Raises ValueError if `at` has no offset or the size is negative, TypeError for a float.
    """

    at: datetime
    size_gb: int | Decimal

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", in_utc(self.at))
        if exact(self.size_gb) < 0:
            raise ValueError(f"A size cannot be negative: {self.size_gb} GB.")


@dataclass(frozen=True, slots=True)
class Segment:
    """One size, the time it stood, and what that costs, not rounded."""

    period: Period
    size_gb: int | Decimal
    amount: Fraction


def in_time_order(changes: Iterable[SizeChange]) -> list[SizeChange]:
    """Recorded sizes as a clean history: oldest first, one per moment, each a real change.

    Of two at one moment the one given last wins.  A size repeated by the next record
    (every hourly record does) is not a change.
    """
    last_at = {change.at: change for change in changes}
    history: list[SizeChange] = []
    for _, change in sorted(last_at.items()):
        if not history or change.size_gb != history[-1].size_gb:
            history.append(change)
    return history


def prorate_sizes(
    changes: Sequence[SizeChange], *, period: Period, price_per_gb: Decimal | Fraction
) -> list[Segment]:
    """Split `period` at each size change and price every stretch, oldest first.

    `changes` are in time order (see `in_time_order`).  The first one starts the charge:
    nothing is owed before it.  A size of 0 ends it.  One before `period` is carried in.

        changes         500            1000              0
        period      |----|---------------|---------------|-----|
        segments         |---- 500 ------|---- 1000 -----|

    `price_per_gb` buys one GB for the whole of `period`, so February costs what March does.
    500 GB for 200 h, then 1000 GB for 520 h, at 0.01 per GB: 8.6111...
    Raises ValueError if `changes` are out of order.
    """
    if any(later.at < change.at for change, later in pairwise(changes)):
        raise ValueError("Size changes must be in time order.")
    rate = exact(price_per_gb) / period.microseconds
    segments = []
    for change, later in pairwise([*_standing_in(period, changes), SizeChange(period.end, 0)]):
        span = period.overlap(change.at, later.at)
        if span and change.size_gb:
            amount = rate * exact(change.size_gb) * span.microseconds
            segments.append(Segment(span, change.size_gb, amount))
    return segments


def total_amount(segments: Iterable[Segment]) -> Fraction:
    """What all segments cost together, to be rounded once."""
    return sum((segment.amount for segment in segments), Fraction())


def average_gb(segments: Iterable[Segment], period: Period) -> Fraction:
    """The size that, held for the whole of `period`, would have cost the same."""
    gb_microseconds = sum(
        (exact(segment.size_gb) * segment.period.microseconds for segment in segments), Fraction()
    )
    return gb_microseconds / period.microseconds


def _standing_in(period: Period, changes: Sequence[SizeChange]) -> Sequence[SizeChange]:
    """The change `period` starts under, and those inside it."""
    first = bisect_right(changes, period.start, key=lambda change: change.at) - 1
    end = bisect_left(changes, period.end, key=lambda change: change.at)
    return changes[max(first, 0) : end]
