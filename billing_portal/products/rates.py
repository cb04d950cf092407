"""Exchange rates: how many units of a currency one unit of the seller's buys."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from fractions import Fraction

from django.conf import settings

from billing_portal.calc.money import round_money
from billing_portal.errors import PortalError
from billing_portal.products.models import ExchangeRate


class RateMissing(PortalError):
    """Nobody has said what a currency is worth."""


def rates_of(currencies: Collection[str]) -> Mapping[str, Decimal]:
    """The known rates of these currencies; the seller's own is 1 and costs no statement."""
    others = set(currencies) - {settings.DEFAULT_CURRENCY}
    if not others:
        return {}
    return dict(
        ExchangeRate.objects.filter(currency__in=others).values_list("currency", "rate").order_by()
    )


def from_own(amount: Decimal, currency: str) -> Decimal:
    """An amount in the seller's currency as one in `currency`, rounded.

    Raises RateMissing.  10.00 EUR at 1.08 is 10.80 USD.
    """
    if currency == settings.DEFAULT_CURRENCY:
        return round_money(amount, currency)
    rates = rates_of([currency])
    if currency not in rates:
        raise RateMissing(f"There is no exchange rate for {currency}.")
    return converted(amount, rates[currency], currency)


def converted(amount: Decimal, rate: Decimal, currency: str) -> Decimal:
    """The amount times the rate, rounded to the currency's minor unit."""
    return round_money(Fraction(amount) * Fraction(rate), currency)
