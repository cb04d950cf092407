"""How an amount is written for people, on pages, in mails and on paper alike."""

from decimal import Decimal

from babel.numbers import format_currency


def format_amount(amount: Decimal, currency: str, *, locale: str = "en") -> str:
    """The amount with its currency and all minor units, a true minus if negative.

    Decimal("8.61"), "EUR" -> "€8.61"
    """
    return format_currency(amount, currency, locale=locale).replace("-", "\N{MINUS SIGN}")
