"""What add-ons owe in advance: set-up fees and periods, as plain values for the draft."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal

from billing_portal.calc.discounts import discounts_of
from billing_portal.calc.due import recurring_periods_due
from billing_portal.calc.first_period import Stretch, share_of
from billing_portal.calc.invoice import RecurringItem, SetupItem
from billing_portal.calc.money import exact, round_money
from billing_portal.clients.models import ClientGroup
from billing_portal.services import addons
from billing_portal.services.models import ServiceAddon

NOT_STORED = 0
"""Stands for the key of an add-on that is only looked at."""


def setup_item(row: ServiceAddon, *, day: date) -> SetupItem:
    return SetupItem(
        row.service_id,
        f"{_text(row)}: set-up",
        day,
        row.setup_fee,
        addon_id=row.pk or NOT_STORED,
        taxable=row.addon.taxable,
    )


def first_items(
    row: ServiceAddon, *, day: date, group: ClientGroup | None, note: str = ""
) -> list[RecurringItem]:
    """What an add-on ordered on `day` owes first: a period, or the days up to the first one.

    `note` is put behind its text.
    """
    schedule = addons.first_schedule(row.service.product, cycle=row.cycle, day=day)
    items = [_item(row, stretch, group) for stretch in schedule.stretches]
    if not note:
        return items
    return [replace(item, description=f"{item.description}, {note}") for item in items]


def items_due(
    row: ServiceAddon, *, today: date, lead_days: int, group: ClientGroup | None
) -> list[RecurringItem]:
    """The periods of a running add-on to invoice by `today`, oldest first.

    None begins on the day it ends or later; one that the end of its service's term cuts
    short costs its share of days.
    """
    if not row.cycle_months or not row.recurring_amount:
        return []
    periods = recurring_periods_due(
        anchor=row.anchor_date,
        cycle_months=row.cycle_months,
        billed_until=row.billed_until,
        today=today,
        lead_days=lead_days,
    )
    return [
        _item(row, _within_term(start, end, row.service.ends_on), group)
        for start, end in periods
        if all(day is None or start < day for day in (row.ends_on, row.service.ends_on))
    ]


def next_items(row: ServiceAddon, *, group: ClientGroup | None) -> list[RecurringItem]:
    """The next period of an add-on, whenever it is due."""
    return items_due(row, today=row.billed_until, lead_days=0, group=group)


def note_billed(items: Iterable[RecurringItem]) -> None:
    """Advance each add-on past the periods that are now invoiced."""
    addons.advance_billing({item.addon_id: item.period_end for item in items if item.addon_id})


def _within_term(start: date, end: date, ends_on: date | None) -> Stretch:
    cut = min(end, ends_on or end)
    return Stretch(start, cut, share_of((start, cut), (start, end)))


def _item(row: ServiceAddon, stretch: Stretch, group: ClientGroup | None) -> RecurringItem:
    amount = round_money(exact(row.recurring_amount) * stretch.share, row.currency)
    days = (stretch.end - stretch.start).days
    part = "" if stretch.share == 1 else f", {days} of {exact(days) / stretch.share} days"
    return RecurringItem(
        row.service_id,
        f"{_text(row)}{part}",
        stretch.start,
        stretch.end,
        amount,
        addon_id=row.pk or NOT_STORED,
        quantity=row.quantity,
        taxable=row.addon.taxable,
        discounts=discounts_of(
            amount,
            promotion=None,
            group_percent=group.discount_percent if group and row.cycle_months else Decimal(0),
            group_name=str(group or ""),
            currency=row.currency,
        ),
    )


def _text(row: ServiceAddon) -> str:
    service = row.service
    return f"{row.addon.name} for {service.product.name}" + (
        f" ({service.label})" if service.label else ""
    )
