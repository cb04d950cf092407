"""Exact amounts and the one place where they are rounded.

Amounts are stored as `Decimal`, computed as `Fraction`, and rounded once per line by
`round_money`.  A float is refused everywhere: it is already wrong when it arrives.
"""

from decimal import Decimal
from fractions import Fraction
from functools import cache

from babel.numbers import get_currency_precision, list_currencies

from billing_portal.errors import PortalError


class UnknownCurrency(PortalError):
    """The text is not an ISO 4217 currency code."""


# Babel knows how many decimals are usually shown; for these that is none, though banks,
# payment gateways and tax offices count in the minor unit.  Source: ISO 4217, list one.
_ISO_MINOR_UNITS = {"IQD": 3} | dict.fromkeys(
    ("AFN", "ALL", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK", "RSD", "SOS", "SYP", "YER"), 2
)


@cache
def minor_units(currency: str) -> int:
    """How many decimal places amounts in `currency` have: EUR 2, JPY 0, KWD 3.

    Raises UnknownCurrency unless `currency` is an upper-case ISO 4217 code.
    """
    if currency not in list_currencies():
        raise UnknownCurrency(f"{currency!r} is not a currency code such as EUR.")
    return _ISO_MINOR_UNITS.get(currency, get_currency_precision(currency))


def round_money(amount: Fraction | Decimal | int, currency: str) -> Decimal:
    """`amount` to the minor unit of `currency`, halves away from zero.

    All minor units are kept: 8 EUR is Decimal("8.00").  2.675 EUR is 2.68, -2.675 is -2.68.
    """
    return round_places(amount, minor_units(currency))


def round_places(amount: Fraction | Decimal | int, places: int) -> Decimal:
    """`amount` with exactly `places` decimals, halves away from zero, at any magnitude."""
    if isinstance(amount, Decimal) and amount.as_tuple().exponent == -places and amount:
        return amount  # as it comes from a price list; Fractions are slow
    scaled = exact(amount) * 10**places
    units = (2 * abs(scaled.numerator) + scaled.denominator) // (2 * scaled.denominator)
    sign = "-" if scaled < 0 and units else ""
    # From text: Decimal arithmetic would round to 28 digits, construction never does.
    return Decimal(f"{sign}{units}E-{places}")


def exact(value: Decimal | int | Fraction) -> Fraction:
    """`value` as the fraction it is.

    Raises TypeError for a float, ValueError for NaN and infinity.
    """
    if not isinstance(value, Decimal | int | Fraction):
        raise TypeError(f"{value!r} is not exact; use Decimal, int or Fraction.")
    if isinstance(value, Decimal) and not value.is_finite():
        raise ValueError(f"{value} is not a number.")
    return Fraction(value)
