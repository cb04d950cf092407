"""What a service costs from here on: when the next invoice comes and what is on it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings

from billing_portal.calc.periods import Period, local_date, slices_from
from billing_portal.clientarea.offers import PER_CYCLE, Meter, meters
from billing_portal.invoices.models import BillingSettings
from billing_portal.products.metering import PricedMeter
from billing_portal.products.models import Cycle
from billing_portal.services.models import Service
from billing_portal.services.queries import billable_statuses


@dataclass(frozen=True, slots=True)
class Outlook:
    """The price of a service in words, and the day of its next invoice.

    `next_date` is None if no further invoice comes by itself.
    """

    currency: str
    recurring: Decimal
    per_cycle: str
    meters: list[Meter]
    next_date: date | None


def outlook(
    service: Service, agreed: Iterable[PricedMeter], *, rules: BillingSettings, at: datetime
) -> Outlook:
    """`agreed` are the metered prices agreed with the order."""
    agreed_meters = meters(service.product, agreed)
    return Outlook(
        currency=service.currency,
        recurring=service.recurring_amount,
        per_cycle=PER_CYCLE[Cycle(service.cycle)],
        meters=agreed_meters,
        next_date=_next_date(service, rules, at=at),
    )


def current_window(service: Service, at: datetime) -> Period:
    """The month of use that is running, counted from the anchor day; the first one if none ran."""
    windows = slices_from(service.usage_counted_from, timezone=settings.SELLER_TIMEZONE)
    return next(window for window in windows if at < window.end)


def _next_date(service: Service, rules: BillingSettings, *, at: datetime) -> date | None:
    if service.status not in billable_statuses():
        return None
    days = []
    if service.recurring_amount and service.cycle_months and service.has_periods_left:
        lead = rules.lead_days_of(service.cycle)
        days.append(service.billed_until - timedelta(days=lead))
    if service.product.module_key:
        end = current_window(service, at).end
        days.append(local_date(end, settings.SELLER_TIMEZONE))
    today = local_date(at, settings.SELLER_TIMEZONE)
    return max(min(days), today) if days else None
