"""When a client is told how much of something is used: once at each step, and only of the highest.

used in %    30    55    85    85   110
told               50    80         100
"""

from collections.abc import Collection
from decimal import Decimal
from fractions import Fraction

from .money import exact

STEPS = (50, 80, 100)
"""In percent, from the lowest."""


def step_reached(used: Decimal | Fraction, limit: Decimal | Fraction) -> int:
    """The highest step `used` has reached of `limit`; 0 below the lowest.

    400 of 500 is 80 %.  Raises ValueError for a limit of nothing.
    """
    share = _percent(used, limit)
    return max((step for step in STEPS if share >= step), default=0)


def step_to_tell(
    used: Decimal | Fraction, limit: Decimal | Fraction, *, told: Collection[int]
) -> int | None:
    """The step to tell of now, with `told` those of this month; None if there is nothing new.

    Who crosses two steps at once is told of the higher one, and never of the lower one after it.
    """
    step = step_reached(used, limit)
    return step if step > max(told, default=0) else None


def whole_percent(used: Decimal | Fraction, limit: Decimal | Fraction) -> int:
    """The share in percent, rounded down: 100 is only said of what is all used."""
    return int(_percent(used, limit))


def _percent(used: Decimal | Fraction, limit: Decimal | Fraction) -> Fraction:
    if limit <= 0:
        raise ValueError(f"Nothing can be measured against a limit of {limit}.")
    return max(Fraction(), exact(used) / exact(limit) * 100)
