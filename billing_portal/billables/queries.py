"""Reading billable items: which are due, and on which days."""

from collections.abc import Collection
from datetime import date, timedelta

from django.db.models import Q, QuerySet

from billing_portal.billables.models import BillableItem
from billing_portal.calc.periods import add_months
from billing_portal.invoices.models import BillingSettings

Billing = BillableItem.Billing
Every = BillableItem.Every
_MONTHS = {Every.MONTHS: 1, Every.YEARS: 12}
_DAYS = {Every.DAYS: 1, Every.WEEKS: 7}


def last_day_of(rules: BillingSettings, *, today: date) -> date:
    """Items due on a day are invoiced as many days ahead as the periods of services."""
    return today + timedelta(days=rules.lead_days)


def due_items(last_day: date) -> QuerySet[BillableItem]:
    """Open items with something to charge by `last_day`."""
    on_time = Q(billing__in=[Billing.ON_DAY, Billing.RECURRING], due_date__lte=last_day)
    at_once = Q(billing__in=[Billing.NEXT_RUN, Billing.NEXT_INVOICE])
    return BillableItem.objects.filter(on_time | at_once, closed_at__isnull=True)


def due_items_of(client_ids: Collection[int], last_day: date) -> QuerySet[BillableItem]:
    """Those of these clients, locked, in order of key."""
    return (
        due_items(last_day)
        .filter(client__in=client_ids)
        .select_for_update(of=("self",), no_key=True)
        .select_related("client")
        .order_by("pk")
    )


def next_day(item: BillableItem, turn: int) -> date:
    """On which day a recurring item is due after `turn` times, counted from the first day.

    Every month from 31 January on: 28 February, 31 March.
    """
    first = item.first_due_date or item.due_date
    assert first is not None  # a recurring item has one
    unit = Every(item.every_unit)
    if unit in _MONTHS:
        return add_months(first, turn * item.every * _MONTHS[unit], anchor_day=first.day)
    return first + timedelta(days=turn * item.every * _DAYS[unit])
