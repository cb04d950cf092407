"""How amounts, quantities and days are written for people, on pages, in mails and on paper alike.

Moments are written in the seller's time zone, in which periods are counted.
"""

from copy import copy
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal
from django.conf import settings

from billing_portal.calc.money import minor_units

MINUS = "\N{MINUS SIGN}"


def format_amount(amount: Decimal, currency: str, *, locale: str = "en") -> str:
    """The amount with its currency and all minor units, a true minus if negative.

    Decimal("8.61"), "EUR" -> "€8.61"
    """
    return _with_currency(amount, currency, minor_units(currency), locale)


def format_price(price: Decimal, currency: str, *, at_least: int = 0, locale: str = "en") -> str:
    """A unit price: all minor units, every further digit it has, and `at_least` so many.

    Decimal("0.012500"), "EUR" -> "€0.0125"
    """
    digits = max(minor_units(currency), at_least, _decimals(price))
    return _with_currency(price, currency, digits, locale)


def format_quantity(value: Decimal | int, *, places: int = 4, locale: str = "en") -> str:
    """A number with separators and without trailing zeros: "1,000", "861.1111"."""
    return format_decimal(value, "#,##0." + "#" * places, locale=locale).replace("-", MINUS)


def format_day(day: date, *, locale: str = "en") -> str:
    """A calendar day: "Nov 20, 2026"."""
    return format_date(day, "medium", locale=locale)


def format_moment(at: datetime, *, locale: str = "en") -> str:
    """A day, a time and its zone: "Nov 20, 2026, 15:00 UTC"."""
    local = seller_time(at)
    return f"{format_day(local, locale=locale)}, {local:%H:%M} {local:%Z}"


def seller_time(at: datetime) -> datetime:
    """The same moment by the seller's clock."""
    return at.astimezone(ZoneInfo(settings.SELLER_TIMEZONE))


def _with_currency(amount: Decimal, currency: str, digits: int, locale: str) -> str:
    """Where the locale puts the currency, but with the decimals we say, not CLDR's."""
    pattern = copy(Locale.parse(locale).currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    text: str = pattern.apply(amount, locale, currency=currency, currency_digits=False)
    return text.replace("-", MINUS)


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0
