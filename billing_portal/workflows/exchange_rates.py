"""Exchange rates: fetched daily if the seller wants it, or entered by hand.

Only currencies that are in use are kept: those of clients, of prices, and those staff have
entered.  A rate that moves by more than a fifth in one step is not believed.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from celery import current_app
from django.conf import settings
from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.automation.actions import Deed
from billing_portal.automation.queries import BusinessDay
from billing_portal.automation.queries import rules as automation_rules
from billing_portal.calc.money import UnknownCurrency, minor_units
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.products import rate_feed
from billing_portal.products.models import ExchangeRate, Price
from billing_portal.workflows import convert_prices

MOST_MOVED = Decimal("0.2")
THE_FEED = 1
"""The one unit of the daily task."""


class RateRefused(PortalError):
    """The rate cannot be kept as asked."""


@dataclass(frozen=True, slots=True)
class Update:
    """What a fetch changed, and what it did not believe."""

    changed: tuple[str, ...]
    refused: tuple[str, ...]


def feeds_to_ask(on: BusinessDay) -> list[int]:
    """The one feed, unless no address is set."""
    return [THE_FEED] if settings.EXCHANGE_RATES_URL else []


def ask(feed: int, on: BusinessDay) -> Deed | None:
    """Have the rates fetched after the commit: nothing waits for a network here."""
    # The name, because tasks import the day's work, which imports this file.
    transaction.on_commit(_send)
    return Deed("The exchange rates of the day are asked for")


def update(*, at: datetime) -> Update:
    """Fetch the rates and keep those in use; prices follow if the settings say so.

    The network is asked first, then everything is written in one transaction.
    Raises FeedUnavailable; the rates stay as they are then.
    """
    feed = rate_feed.fetch(settings.EXCHANGE_RATES_URL)
    rates = feed.per_unit_of(settings.DEFAULT_CURRENCY)
    changed, refused = [], []
    with transaction.atomic():
        for currency in sorted(currencies_in_use() & set(rates)):
            try:
                if keep(currency, rates[currency], source=f"feed of {feed.day}", at=at, actor=None):
                    changed.append(currency)
            except RateRefused as error:
                refused.append(str(error))
                _note_refusal(currency, str(error), at=at)
        if changed and automation_rules().update_prices:
            convert_prices.apply(convert_prices.plan(changed), at=at, actor=None)
    return Update(tuple(changed), tuple(refused))


def keep(currency: str, rate: Decimal, *, source: str, at: datetime, actor: User | None) -> bool:
    """Write down a rate; False if it is the one that is known.

    What people enter is believed; what a feed says only if it moved by no more than a fifth.
    Raises RateRefused.
    """
    _check(currency, rate)
    known = ExchangeRate.objects.select_for_update(no_key=True).filter(currency=currency).first()
    if known and known.rate == rate:
        return False
    if known and actor is None and abs(rate - known.rate) > known.rate * MOST_MOVED:
        raise RateRefused(
            f"{currency} would go from {known.rate.normalize()} to {rate.normalize()}: "
            "that is too much to believe. Enter it by hand if it is right."
        )
    entry = known or ExchangeRate(currency=currency)
    entry.rate, entry.as_of, entry.source = rate, at, source[:40]
    entry.save()
    own = settings.DEFAULT_CURRENCY
    audit.record(
        "rate.changed",
        entry,
        summary=f"1 {own} is {rate.normalize():f} {currency} ({source})",
        at=at,
        actor=actor,
    )
    return True


def currencies_in_use() -> set[str]:
    """Those of clients, of prices and of rates already kept, without the seller's own."""
    found = set(Client.objects.order_by().values_list("currency", flat=True).distinct())
    found |= set(Price.objects.order_by().values_list("currency", flat=True).distinct())
    found |= set(ExchangeRate.objects.values_list("currency", flat=True))
    return found - {settings.DEFAULT_CURRENCY}


def _note_refusal(currency: str, why: str, *, at: datetime) -> None:
    known = ExchangeRate.objects.get(currency=currency)
    audit.record("rate.refused", known, summary=why, at=at)


def _check(currency: str, rate: Decimal) -> None:
    try:
        minor_units(currency)
    except UnknownCurrency as error:
        raise RateRefused(str(error)) from error
    if currency == settings.DEFAULT_CURRENCY:
        raise RateRefused(f"{currency} is your own currency: its rate is 1.")
    if not rate.is_finite() or rate <= 0:
        raise RateRefused("A rate is more than zero.")


def _send() -> None:
    current_app.send_task("billing_portal.workflows.tasks.update_rates")
