"""Credit by hand: staff give and take it, and clients or staff use it for an invoice.

Order of locks: client, then invoice.
"""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.invoices import settling
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice
from billing_portal.payments import credit
from billing_portal.payments.credit import CreditRefused, Kind, Movement
from billing_portal.payments.models import CreditEntry
from billing_portal.workflows import settled


def add_credit(
    client_id: int,
    amount: Decimal,
    *,
    reason: str,
    request_key: str,
    at: datetime,
    actor: User | None,
) -> CreditEntry:
    """Give a client credit.  The same `request_key` gives it once.  Raises CreditRefused."""
    return _by_hand(client_id, amount, Kind.GRANT, reason, request_key, at=at, actor=actor)


def remove_credit(
    client_id: int,
    amount: Decimal,
    *,
    reason: str,
    request_key: str,
    at: datetime,
    actor: User | None,
) -> CreditEntry:
    """Take credit away; `amount` is positive.  Raises CreditRefused for more than there is."""
    return _by_hand(client_id, amount, Kind.REMOVED, reason, request_key, at=at, actor=actor)


def apply_credit(
    invoice_id: int,
    amount: Decimal | None,
    *,
    request_key: str,
    at: datetime,
    actor: User | None,
) -> Invoice:
    """Pay an invoice from its client's credit; without an `amount`, as much as goes.

    What settles it starts what it bought.  The same `request_key` pays once.
    Raises CreditRefused for more than the credit or more than the invoice's balance, or if
    nothing is owed on it.
    """
    with transaction.atomic():
        client_id = Invoice.objects.values_list("client_id", flat=True).get(pk=invoice_id)
        client = credit.locked_client(client_id)
        (invoice,) = settling.locked_invoices([invoice_id])
        key = f"applied:{request_key}"
        if CreditEntry.objects.filter(key=key).exists():
            return invoice
        if not invoice.is_owed:
            was = invoice.get_status_display().lower()
            raise CreditRefused(f"{invoice} is {was}, so no credit can be used for it.")
        part = min(invoice.balance, client.credit_balance) if amount is None else amount
        credit.check_amount(part, invoice.currency)
        if part > invoice.balance:
            left = format_amount(invoice.balance, invoice.currency)
            raise CreditRefused(f"Only {left} of {invoice} are left to pay.")
        used = Movement(
            key=key,
            kind=Kind.APPLIED,
            amount=-part,
            currency=invoice.currency,
            description=f"Used for {invoice}",
            invoice=invoice,
        )
        credit.move(client, used, at=at, actor=actor)
        is_settled = settling.use_credit(invoice, part, at=at)
        audit.record(
            "invoice.credit_used",
            invoice,
            summary=f"{format_amount(part, invoice.currency)} of credit used for {invoice}",
            at=at,
            actor=actor,
            client_id=client.pk,
        )
        if is_settled:
            settled.follow_up(invoice, at=at)
        return invoice


def _by_hand(
    client_id: int,
    amount: Decimal,
    kind: CreditEntry.Kind,
    reason: str,
    request_key: str,
    *,
    at: datetime,
    actor: User | None,
) -> CreditEntry:
    with transaction.atomic():
        client = credit.locked_client(client_id)
        credit.check_amount(amount, client.currency)
        movement = Movement(
            key=f"staff:{request_key}",
            kind=kind,
            amount=-amount if kind == Kind.REMOVED else amount,
            currency=client.currency,
            description=reason,
        )
        return credit.move(client, movement, at=at, actor=actor)
