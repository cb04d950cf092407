"""A payer's bank takes a payment back: what it paid is owed again.

The invoices go to collections, where they may be paid again and where overdue ones suspend
their services.  What the payment had become in credit is taken back; credit that was used
already is charged on the client's next invoice.
Order of locks: client, invoice, then transaction.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.invoice import LineKind
from billing_portal.calc.periods import Period
from billing_portal.clients.models import Client
from billing_portal.clients.notices import notify
from billing_portal.errors import PortalError
from billing_portal.invoices import actions as charging
from billing_portal.invoices import settling
from billing_portal.invoices.actions import NewCharge
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice
from billing_portal.mail import actions as mail
from billing_portal.payments import credit, refunds
from billing_portal.payments.credit import Kind, Movement
from billing_portal.payments.models import Allocation, Transaction

METRIC = "reversal"


class ReversalRefused(PortalError):
    """There is no such payment to take back."""


def reverse_payment(
    gateway_key: str,
    external_id: str,
    *,
    reason: str,
    at: datetime,
    actor: User | None = None,
) -> Transaction:
    """Undo a payment as far as it was not refunded.  Repeating it changes nothing.

    Raises ReversalRefused if no such payment was ever booked.
    """
    with transaction.atomic():
        known = Transaction.objects.filter(gateway=gateway_key, external_id=external_id).first()
        if known is None:
            raise ReversalRefused(f"There is no payment {external_id} by {gateway_key}.")
        client = credit.locked_client(known.client_id)
        invoices = settling.locked_invoices(
            list(known.allocations.values_list("invoice_id", flat=True))
        )
        payment = refunds.locked_payment(known.pk)
        if payment.reversed_at:
            return payment
        opened = _undo(client, payment, invoices, at=at, actor=actor)
        payment.reversed_at = at
        payment.problem = f"Taken back by the payer's bank: {reason}"[:300]
        payment.save(update_fields=["reversed_at", "problem"])
        _say(client, payment, opened, reason, at=at, actor=actor)
    return payment


def _undo(
    client: Client,
    payment: Transaction,
    invoices: list[Invoice],
    *,
    at: datetime,
    actor: User | None,
) -> list[Invoice]:
    """Take the money from the invoices it paid, then from credit; the invoices owed again."""
    left = payment.amount - payment.refunded_amount
    opened = []
    for invoice in reversed(invoices):
        part = payment.allocations.get(invoice=invoice)
        undone = min(left, part.amount, _still_claimed(invoice))
        if undone <= 0:
            continue
        _shrink(part, undone)
        settling.take_back(invoice, undone, at=at)
        left -= undone
        opened.append(invoice)
    from_credit = min(left, client.credit_balance)
    if from_credit:
        credit.move(client, _taken_back(payment, from_credit), at=at, actor=actor)
    if left > from_credit:
        charging.add_charge(_shortfall(client, payment, left - from_credit, at=at), at=at)
    return opened


def _still_claimed(invoice: Invoice) -> Decimal:
    """What payments still pay of an invoice; credit notes gave the rest back already."""
    given = invoice.credit_notes.aggregate(sum=Sum(F("total") - F("applied_amount")))["sum"]
    returned = (given or Decimal(0)).quantize(Decimal("0.001"))
    return min(invoice.paid_amount, invoice.paid_amount + invoice.credit_applied - returned)


def _shrink(part: Allocation, undone: Decimal) -> None:
    if part.amount == undone:
        part.delete()
        return
    part.amount -= undone
    part.save(update_fields=["amount"])


def _taken_back(payment: Transaction, amount: Decimal) -> Movement:
    return Movement(
        key=f"reversal:{payment.pk}",
        kind=Kind.REVERSED,
        amount=-amount,
        currency=payment.currency,
        description=f"{payment.external_id} taken back by the payer's bank",
        transaction=payment,
    )


def _shortfall(client: Client, payment: Transaction, amount: Decimal, *, at: datetime) -> NewCharge:
    """Credit that came from the payment and is used up: owed, and not taxed a second time."""
    return NewCharge(
        key=f"{METRIC}:{payment.pk}",
        client_id=client.pk,
        service_id=None,
        kind=LineKind.ITEM,
        metric=METRIC,
        description=f"Credit used from payment {payment.external_id}, which was taken back",
        period=Period(at, at + timedelta(seconds=1)),
        quantity=Decimal(1),
        unit="",
        unit_price=amount,
        amount=amount,
        currency=payment.currency,
        evidence={"payment": payment.external_id, "amount": str(payment.amount)},
        taxable=False,
    )


def _say(
    client: Client,
    payment: Transaction,
    opened: list[Invoice],
    reason: str,
    *,
    at: datetime,
    actor: User | None,
) -> None:
    """To history, to staff and to the client."""
    shown = format_amount(payment.amount, payment.currency)
    numbers = ", ".join(str(invoice) for invoice in opened)
    audit.record(
        "payment.reversed",
        payment,
        summary=f"{shown} of {payment.external_id} taken back by the payer's bank: {reason}",
        at=at,
        actor=actor,
        client_id=client.pk,
    )
    context = {
        "amount": shown,
        "payment": payment.external_id,
        "client": str(client),
        "reason": reason,
        "numbers": numbers,
    }
    mail.send(
        "payment_reversed_staff",
        to=settings.SELLER_EMAIL,
        key=str(payment.pk),
        context=context | {"path": f"/staff/payments/transaction/{payment.pk}/"},
        at=at,
        client_id=client.pk,
    )
    path = f"/invoices/{opened[0].pk}/" if len(opened) == 1 else "/invoices/"
    notify(client, "payment_reversed", key=str(payment.pk), context=context | {"path": path}, at=at)
