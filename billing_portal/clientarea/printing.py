"""Amounts, quantities and moments in the language of the page; see `invoices.amounts`."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from babel.dates import format_date
from django.conf import settings
from django.utils.translation import get_language, to_locale

from billing_portal.invoices import amounts

CALL_PLACES = 6


def locale() -> str:
    """The page's language in the spelling babel wants: "en", "pt_BR"."""
    return to_locale(get_language() or settings.LANGUAGE_CODE)


def money(amount: Decimal, currency: str) -> str:
    """An amount with all minor units of its currency: "€8.61"."""
    return amounts.format_amount(amount, currency, locale=locale())


def price(amount: Decimal, currency: str) -> str:
    """A unit price with every digit it has: "€0.0125"."""
    return amounts.format_price(amount, currency, locale=locale())


def call_cost(amount: Decimal, currency: str) -> str:
    """What calls cost, before it is rounded on the invoice: "€0.089000"."""
    return amounts.format_price(amount, currency, at_least=CALL_PLACES, locale=locale())


def quantity(value: Decimal | int, *, places: int = 4) -> str:
    """A number without trailing zeros: "1,000", "861.1111"."""
    return amounts.format_quantity(value, places=places, locale=locale())


def day(value: date) -> str:
    """A calendar day: "Nov 20, 2026"."""
    return amounts.format_day(value, locale=locale())


def last_day(ends_at: datetime) -> str:
    """The last day of a period whose end is excluded."""
    return day(local_day(ends_at - timedelta(microseconds=1)))


def short_day(at: datetime) -> str:
    """A day on an axis, without the year: "Nov 20"."""
    return format_date(amounts.seller_time(at), "MMM d", locale=locale())


def short_time(at: datetime) -> str:
    """A time of day on an axis: "15:00"."""
    return f"{amounts.seller_time(at):%H:%M}"


def moment(value: datetime) -> str:
    """A day, time and zone: "Nov 20, 2026, 15:00 UTC"."""
    return amounts.format_moment(value, locale=locale())


def clock_time(value: datetime) -> str:
    """A time of day and zone: "15:00 UTC"."""
    return f"{amounts.seller_time(value):%H:%M %Z}"


def local_day(value: datetime) -> date:
    """The calendar day of a moment for the seller."""
    return amounts.seller_time(value).date()


def duration(seconds: int) -> str:
    """A talk time: "0:42", "1:02:05"."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
