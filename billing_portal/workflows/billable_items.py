"""Billable items become charges: those that are due when a bill run begins, others on demand."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime

from django.conf import settings
from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.billables import actions, queries
from billing_portal.billables.actions import ItemRefused, Turn
from billing_portal.billables.models import BillableItem
from billing_portal.calc.invoice import draft_invoice
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client
from billing_portal.invoices.models import BillingSettings, Invoice
from billing_portal.invoices.queries import charge_items
from billing_portal.taxes.queries import treatments
from billing_portal.workflows import issuing


def charge_due(
    client_ids: Collection[int], rules: BillingSettings, *, today: date, at: datetime
) -> None:
    """Charge what is due of these clients, each turn once.  The clients are locked.

    One statement if nothing is due, a few for any number of items.
    """
    last_day = queries.last_day_of(rules, today=today)
    turns = [
        turn
        for item in queries.due_items_of(client_ids, last_day)
        for turn in actions.turns_until(item, last_day, today=today)
    ]
    actions.charge(turns, at=at)


def invoice_now(item_ids: Collection[int], *, at: datetime, actor: User | None) -> list[Invoice]:
    """Charge these items once more, whatever their plan, and invoice each client at once.

    Raises ItemRefused for a closed item, or if a client's items come to nothing or less.
    """
    today = local_date(at, settings.SELLER_TIMEZONE)
    with transaction.atomic():
        owners = BillableItem.objects.filter(pk__in=item_ids).values("client_id")
        locked = Client.objects.select_for_update(no_key=True).filter(pk__in=owners)
        clients = {client.pk: client for client in locked.order_by("pk")}
        rows = BillableItem.objects.select_for_update(of=("self",), no_key=True)
        items = rows.filter(pk__in=item_ids).select_related("client").order_by("pk")
        turns = [_turn_now(item, today) for item in items]
        found = defaultdict(list)
        for charge in actions.charge(turns, at=at):
            found[charge.client_id].append(charge)
        taxed = treatments(list(clients.values()), on=today)
        drafts = []
        for client_id, charges in found.items():
            draft = draft_invoice(
                currency=clients[client_id].currency,
                recurring=(),
                charges=charge_items(charges),
                billed=frozenset(),
                treatment=taxed[client_id],
                payment_method=clients[client_id].payment_method,
            )
            if draft is None or draft.total <= 0:
                raise ItemRefused(f"The items of {clients[client_id]} come to nothing or less.")
            drafts.append((clients[client_id], draft))
        return issuing.issue_all(drafts, at=at, actor=actor)


def _turn_now(item: BillableItem, today: date) -> Turn:
    if item.closed_at is not None:
        raise ItemRefused(f"{item} is closed: nothing more is charged for it.")
    return Turn(item, item.times_billed + 1, today)
