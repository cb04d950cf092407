"""What a call costs: the longest prefix wins, seconds round up, money rounds once.

Pure: values in, values out.  Prices become whole numbers when the tariff is built, so
rating a call is a look-up, a multiplication and a division, and still exact.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import MAX_PREC, Context, Decimal
from math import lcm
from typing import NamedTuple

from billing_portal.calc.money import exact
from billing_portal.errors import PortalError

AMOUNT_PLACES = 6
"""Amounts of single calls keep this many decimals; only their sum becomes money."""

_MICRO = Decimal("0.000001")
# Arithmetic of the ambient context would round to 28 digits.
_multiply = Context(prec=MAX_PREC).multiply


class InvalidRate(PortalError):
    """No call could sensibly be billed by this rate."""


class DuplicatePrefix(PortalError):
    """Two rates of one tariff claim the same prefix."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of calls to numbers that start with `prefix`.

    The first `initial_increment_s` seconds are always billed; by default that is one
    `increment_s`.
    Raises InvalidRate if the prefix is not all digits, an increment is below 1 second, or
    an amount is negative or not a number.
    """

    prefix: str
    description: str
    rate_per_minute: Decimal
    increment_s: int
    initial_increment_s: int | None = None
    connection_fee: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if not (self.prefix.isascii() and self.prefix.isdigit()):
            raise InvalidRate(f"A prefix is made of digits only, not {self.prefix!r}.")
        if min(self.increment_s, self.minimum_s) < 1:
            raise InvalidRate(f"Prefix {self.prefix}: an increment is at least 1 second.")
        for amount in (self.rate_per_minute, self.connection_fee):
            if not amount.is_finite() or amount < 0:
                raise InvalidRate(f"Prefix {self.prefix}: a price cannot be {amount}.")

    @property
    def minimum_s(self) -> int:
        """The seconds a call of one second is billed for."""
        return self.increment_s if self.initial_increment_s is None else self.initial_increment_s


class RatedCall(NamedTuple):
    """What one call costs, in whole millionths of the currency, and why.

    A tuple, because one run makes millions and a frozen dataclass takes twice as long.
    """

    rate: Rate
    billed_s: int
    micros: int

    @property
    def amount(self) -> Decimal:
        """The cost with all 6 decimals: Decimal("0.011000")."""
        return _multiply(self.micros, _MICRO)

    @property
    def prefix(self) -> str:
        return self.rate.prefix

    @property
    def description(self) -> str:
        return self.rate.description


@dataclass(frozen=True, slots=True)
class Unrated:
    """No prefix matched.  Nobody knows what this call costs, which is not the same as 0."""

    destination: str


class Tariff:
    """Rates, ready to look numbers up in.  Raises DuplicatePrefix if two share a prefix."""

    __slots__ = ("_lengths", "_prices")

    def __init__(self, rates: Iterable[Rate]) -> None:
        self._prices: dict[str, _Price] = {}
        for rate in rates:
            if rate.prefix in self._prices:
                raise DuplicatePrefix(f"Prefix {rate.prefix} is in the tariff twice.")
            self._prices[rate.prefix] = _price(rate)
        self._lengths = sorted({len(prefix) for prefix in self._prices}, reverse=True)

    def __len__(self) -> int:
        return len(self._prices)

    def rate_for(self, destination: str) -> Rate | None:
        """The rate with the longest prefix `destination` starts with, if any."""
        price = self._price_for(destination)
        return price.rate if price else None

    def _price_for(self, destination: str) -> "_Price | None":
        for length in self._lengths:
            if price := self._prices.get(destination[:length]):
                return price
        return None


def rate_call(tariff: Tariff, *, destination: str, billsec: int) -> RatedCall | Unrated:
    """Price one call of `billsec` answered seconds to `destination` (digits only, no +).

    A call that was not answered costs 0.  Otherwise its seconds round up to the minimum,
    then in steps of the increment, and it costs the connection fee plus the rate for
    those seconds, rounded once, half up, to 6 decimals.  A destination no prefix
    matches is Unrated however short the call was.

    61 s at 0.01 a minute in steps of 6 s: 66 s, 0.011000.
    """
    price = tariff._price_for(destination)
    if price is None:
        return Unrated(destination)
    rate, billed_s, increment_s, fixed, per_second, divisor = price
    if billsec > billed_s:
        # -(-a // b) is a / b rounded up.
        billed_s -= (billed_s - billsec) // increment_s * increment_s
    elif billsec == 0:
        return RatedCall(rate, 0, 0)
    elif billsec < 0:
        raise ValueError(f"A call cannot last {billsec} seconds.")
    return RatedCall(rate, billed_s, (fixed + per_second * billed_s) // divisor)


class _Price(NamedTuple):
    """A rate in whole numbers.

    (fixed + per_second x seconds) // divisor is the cost in millionths, rounded half up.
    """

    rate: Rate
    minimum_s: int
    increment_s: int
    fixed: int
    per_second: int
    divisor: int


def _price(rate: Rate) -> _Price:
    fee = exact(rate.connection_fee) * 10**AMOUNT_PLACES
    per_second = exact(rate.rate_per_minute) * 10**AMOUNT_PLACES / 60
    unit = lcm(fee.denominator, per_second.denominator)
    # Half up: (x + 1/2) rounded down, all of it times 2 x unit to stay in whole numbers.
    return _Price(
        rate=rate,
        minimum_s=rate.minimum_s,
        increment_s=rate.increment_s,
        fixed=int(2 * unit * fee) + unit,
        per_second=int(2 * unit * per_second),
        divisor=2 * unit,
    )
