"""Noting what to charge by hand, and turning what is due into charges, once each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.billables.models import BillableItem
from billing_portal.billables.queries import next_day
from billing_portal.calc.invoice import LineKind
from billing_portal.calc.money import exact, round_money
from billing_portal.calc.periods import Period, local_midnight
from billing_portal.errors import PortalError
from billing_portal.invoices import actions as charging
from billing_portal.invoices.actions import NewCharge
from billing_portal.invoices.amounts import format_amount, format_day
from billing_portal.invoices.models import Charge
from billing_portal.invoices.queries import WAITING_METRIC

METRIC = "item"
MAX_AMOUNT = Decimal(10**9)
MOST_AT_ONCE = 120
"""Of one item, however long no run was: ten years of months."""

Billing = BillableItem.Billing


class ItemRefused(PortalError):
    """The item says something that cannot be billed."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One time an item is charged: the `number`th, for the day `on`."""

    item: BillableItem
    number: int
    on: date


def save(item: BillableItem, *, at: datetime, actor: User | None) -> BillableItem:
    """Store a new item, or a changed one nothing was charged for.  Raises ItemRefused."""
    _check(item)
    verb = "changed" if item.pk else "added"
    with transaction.atomic():
        if item.pk and BillableItem.objects.get(pk=item.pk).times_billed:
            raise ItemRefused(f"{item} was charged already. Close it and add another.")
        item.first_due_date = item.due_date
        item.save()
        _note(item, f"Billable item {verb}: {item}, {amount_text(item)}", verb, at=at, actor=actor)
    return item


def close(item_id: int, *, at: datetime, actor: User | None) -> BillableItem:
    """Charge nothing more for an item.  What was charged stays."""
    with transaction.atomic():
        item = BillableItem.objects.select_for_update(of=("self",), no_key=True).get(pk=item_id)
        if item.closed_at is None:
            item.closed_at = at
            item.save(update_fields=["closed_at"])
            _note(item, f"Billable item closed: {item}", "closed", at=at, actor=actor)
    return item


def charge(turns: Sequence[Turn], *, at: datetime) -> list[Charge]:
    """Charge each turn once, in a few statements for all of them.

    The caller holds the clients' locks; the items' clients are at hand.
    """
    if not turns:
        return []
    charges = charging.add_charges([_charge(turn) for turn in turns], at=at)
    items = {turn.item.pk: turn.item for turn in turns}
    for turn in turns:
        _count(items[turn.item.pk], turn, at=at)
    BillableItem.objects.bulk_update(items.values(), ["times_billed", "due_date", "closed_at"])
    audit.record_all(
        audit.entry(
            "billable.charged",
            turn.item,
            summary=f"{turn.item} charged: {amount_text(turn.item)}",
            at=at,
            actor=None,
            client_id=turn.item.client_id,
        )
        for turn in turns
    )
    return charges


def turns_until(item: BillableItem, last_day: date, *, today: date) -> list[Turn]:
    """The turns of an open item that are due by `last_day`, in order."""
    if item.billing == Billing.NOT_YET:
        return []
    if item.billing in (Billing.NEXT_RUN, Billing.NEXT_INVOICE):
        return [Turn(item, item.times_billed + 1, today)]
    turns: list[Turn] = []
    day, number = item.due_date, item.times_billed
    while day and day <= last_day and len(turns) < MOST_AT_ONCE:
        if item.times_limit is not None and number >= item.times_limit:
            break
        number += 1
        turns.append(Turn(item, number, day))
        if item.billing != Billing.RECURRING:
            break
        day = next_day(item, number)
    return turns


def amount_of(item: BillableItem, currency: str) -> Decimal:
    """What one time costs: 2.5 hours at 80.00 are 200.00."""
    return round_money(exact(item.quantity) * exact(item.unit_price), currency)


def amount_text(item: BillableItem) -> str:
    return format_amount(amount_of(item, item.client.currency), item.client.currency)


def _charge(turn: Turn) -> NewCharge:
    item = turn.item
    waits = item.billing == Billing.NEXT_INVOICE
    recurs = item.billing == Billing.RECURRING
    day = Period(
        local_midnight(turn.on, settings.SELLER_TIMEZONE),
        local_midnight(turn.on + timedelta(days=1), settings.SELLER_TIMEZONE),
    )
    return NewCharge(
        key=f"item:{item.pk}:{turn.number}",
        client_id=item.client_id,
        service_id=item.service_id,
        metric=WAITING_METRIC if waits else METRIC,
        description=f"{item.description} ({format_day(turn.on)})" if recurs else item.description,
        period=day,
        quantity=item.quantity,
        unit=item.unit,
        unit_price=item.unit_price,
        amount=amount_of(item, item.client.currency),
        currency=item.client.currency,
        evidence={},
        kind=LineKind.ITEM,
        taxable=item.taxable,
    )


def _count(item: BillableItem, turn: Turn, *, at: datetime) -> None:
    """Note a turn on its item, and when the next one is; close what has no more."""
    item.times_billed = turn.number
    has_more = item.billing == Billing.RECURRING and (
        item.times_limit is None or item.times_billed < item.times_limit
    )
    if has_more:
        item.due_date = next_day(item, item.times_billed)
    else:
        item.closed_at = at


def _check(item: BillableItem) -> None:
    if not item.description.strip():
        raise ItemRefused("Say what it is for.")
    if item.billing in (Billing.ON_DAY, Billing.RECURRING) and item.due_date is None:
        raise ItemRefused("Say on which day it is due first.")
    if item.service and item.service.client_id != item.client_id:
        raise ItemRefused("That service belongs to another client.")
    if item.every < 1:
        raise ItemRefused("It recurs every 1 or more days, weeks, months or years.")
    if item.times_limit == 0:
        raise ItemRefused("It is charged at least once; leave it empty for ever.")
    if not item.quantity or not item.unit_price:
        raise ItemRefused("Quantity and price cannot be zero.")
    if abs(amount_of(item, item.client.currency)) >= MAX_AMOUNT:
        raise ItemRefused(f"It comes to {amount_text(item)}. That is more than can be billed.")


def _note(item: BillableItem, summary: str, verb: str, *, at: datetime, actor: User | None) -> None:
    audit.record(
        f"billable.{verb}", item, summary=summary, at=at, actor=actor, client_id=item.client_id
    )
