"""Issuing: a draft becomes an invoice, and what the client has in credit pays it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.calc.invoice import DraftInvoice
from billing_portal.clients.models import Client
from billing_portal.invoices import actions as invoices
from billing_portal.invoices import announcing
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.invoices.queries import billing_rules
from billing_portal.payments import credit
from billing_portal.payments.credit import Kind, Movement
from billing_portal.products.rates import rates_of
from billing_portal.workflows import settled


def issue(
    client: Client, draft: DraftInvoice, *, at: datetime, actor: User | None = None
) -> Invoice:
    """Issue one draft, as `issue_all` does."""
    (invoice,) = issue_all([(client, draft)], at=at, actor=actor)
    return invoice


def issue_all(
    drafts: Sequence[tuple[Client, DraftInvoice]], *, at: datetime, actor: User | None = None
) -> list[Invoice]:
    """Issue every draft to its client and tell them, in one transaction, as `write_all` does."""
    with transaction.atomic(savepoint=False):
        issued = write_all(drafts, at=at, actor=actor)
        announcing.announce(issued, at=at)
    return issued


def write_all(
    drafts: Sequence[tuple[Client, DraftInvoice]], *, at: datetime, actor: User | None = None
) -> list[Invoice]:
    """Issue every draft to its client, to be told of later.  The clients are locked.

    A client's credit pays its invoices in the order given, if the billing settings say so.
    Clients without credit cost no statement here.  An order's invoice is attached to it
    later: whoever places the order calls `settled.follow_up` for one that is paid by now.
    """
    # Without a savepoint: the caller holds the clients' locks, so a transaction is open.
    with transaction.atomic(savepoint=False):
        owners = _with_credit(drafts)
        used = _credit_for(drafts, owners)
        issued = invoices.write_all(
            drafts, at=at, actor=actor, credit=used, rates=rates_of(_currencies(drafts))
        )
        _take_credit(owners, issued, used, at=at)
    for client, _ in drafts:
        if client.pk in owners:
            client.credit_balance = owners[client.pk].credit_balance
    return issued


def _currencies(drafts: Sequence[tuple[Client, DraftInvoice]]) -> set[str]:
    return {draft.currency for _, draft in drafts}


def _with_credit(drafts: Sequence[tuple[Client, DraftInvoice]]) -> Mapping[int, Client]:
    """The clients whose credit pays new invoices, by id, with what they have at this moment."""
    rich = {client.pk for client, _ in drafts if client.credit_balance}
    if not rich or not billing_rules().credit_applies_itself:
        return {}
    return {client.pk: client for client in credit.locked_clients(rich)}


def _credit_for(
    drafts: Sequence[tuple[Client, DraftInvoice]], owners: Mapping[int, Client]
) -> Mapping[int, Decimal]:
    """What the clients' credit pays of each draft, by place."""
    left = {client.pk: client.credit_balance for client in owners.values()}
    used = {}
    for place, (client, draft) in enumerate(drafts):
        part = min(left.get(client.pk, Decimal(0)), draft.total)
        if part > 0 and draft.currency == client.currency:
            used[place] = part
            left[client.pk] -= part
    return used


def _take_credit(
    owners: Mapping[int, Client],
    issued: Sequence[Invoice],
    used: Mapping[int, Decimal],
    *,
    at: datetime,
) -> None:
    if not used:
        return
    paid_for = [(issued[place], part) for place, part in used.items()]
    credit.move_all([(owners[i.client_id], _used_for(i, part)) for i, part in paid_for], at=at)
    for invoice, _ in paid_for:
        if invoice.status == InvoiceStatus.PAID:
            settled.follow_up(invoice, at=at)


def _used_for(invoice: Invoice, part: Decimal) -> Movement:
    return Movement(
        key=f"issued:{invoice.pk}",
        kind=Kind.APPLIED,
        amount=-part,
        currency=invoice.currency,
        description=f"Used for {invoice}",
        invoice=invoice,
    )
