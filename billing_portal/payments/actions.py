"""Money in: stored once, allocated once.

Order of locks: invoice, then transaction.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.money import round_money
from billing_portal.clients.notices import notify
from billing_portal.errors import PortalError
from billing_portal.invoices import actions as invoices
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.payments.models import Allocation, Transaction, WebhookEvent

MAX_REFERENCE = 120
MAX_AMOUNT = Decimal(10**11)


class PaymentRefused(PortalError):
    """The payment cannot be booked as told."""


def receive(
    invoice: Invoice,
    *,
    gateway: str,
    external_id: str,
    amount: Decimal,
    currency: str,
    received_at: datetime,
    at: datetime,
    actor: User | None = None,
    note: str = "",
) -> tuple[Transaction, bool]:
    """Book a payment for a locked invoice; also whether this very payment settled it.

    The same gateway and external id is booked once: again, it returns the first
    transaction and False.  What exceeds the balance stays on the transaction, unallocated.
    Raises PaymentRefused for a wrong currency, an amount that is not positive or has too
    many decimals, a missing reference, or one already used for another payment.
    """
    _check(invoice, external_id, amount, currency)
    payment, is_new = _book(
        Transaction(
            client_id=invoice.client_id,
            gateway=gateway,
            external_id=external_id,
            amount=amount,
            currency=currency,
            received_at=received_at,
            note=note[:200],
        )
    )
    if not is_new:
        _same_payment(payment, invoice, amount, currency)
        return payment, False
    settled = _allocate(payment, invoice, at=at)
    shown = format_amount(amount, currency)
    audit.record(
        "payment.received",
        payment,
        summary=f"{shown} received for {invoice.number} by {gateway} ({external_id})",
        at=at,
        actor=actor,
        client_id=invoice.client_id,
    )
    _thank(payment, invoice, shown, at=at)
    return payment, settled


def store_event(
    gateway: str, *, event_id: str, body: Mapping[str, Any], at: datetime
) -> WebhookEvent:
    """Keep what a gateway said before anything is done about it; the same event is one row."""
    event, _ = WebhookEvent.objects.get_or_create(
        gateway=gateway,
        event_id=event_id,
        defaults={"body": dict(body), "received_at": at},
    )
    return event


def close_event(event: WebhookEvent, *, at: datetime, problem: str = "") -> None:
    """Note what became of an event: applied, or the problem a person must look at."""
    event.problem = problem
    event.applied_at = None if problem else at
    event.save(update_fields=["problem", "applied_at"])


def _book(payment: Transaction) -> tuple[Transaction, bool]:
    """The payment as stored, and whether it is new."""
    same = Transaction.objects.filter(gateway=payment.gateway, external_id=payment.external_id)
    if known := same.first():
        return known, False
    try:
        with transaction.atomic():
            payment.save(force_insert=True)
    except IntegrityError:
        # Told of it twice at once, for two invoices: the lock of neither held us back.
        return same.get(), False
    return payment, True


def _check(invoice: Invoice, external_id: str, amount: Decimal, currency: str) -> None:
    if not 0 < len(external_id.strip()) <= MAX_REFERENCE:
        raise PaymentRefused(f"A payment has a reference of 1 to {MAX_REFERENCE} characters.")
    if currency != invoice.currency:
        raise PaymentRefused(f"{invoice.number} is in {invoice.currency}, not in {currency}.")
    if not amount.is_finite() or amount <= 0:
        raise PaymentRefused("A payment is more than zero.")
    if amount >= MAX_AMOUNT:
        raise PaymentRefused(f"{amount} is more than can be booked.")
    if round_money(amount, currency) != amount:
        raise PaymentRefused(f"{amount} is finer than the smallest unit of {currency}.")


def _same_payment(known: Transaction, invoice: Invoice, amount: Decimal, currency: str) -> None:
    """Refuse a known reference told with anything else: that is another payment."""
    told = (invoice.client_id, amount, currency)
    is_same = (known.client_id, known.amount, known.currency) == told
    paid = set(known.allocations.values_list("invoice_id", flat=True))
    if not is_same or (paid and invoice.pk not in paid):
        raise PaymentRefused(f"The reference {known.external_id} belongs to another payment.")


def _allocate(payment: Transaction, invoice: Invoice, *, at: datetime) -> bool:
    """Use the payment for the invoice as far as it goes; True if the invoice is now paid."""
    part = min(payment.amount, invoice.balance)
    if invoice.status != InvoiceStatus.UNPAID or part <= 0:
        return False
    Allocation.objects.create(transaction=payment, invoice=invoice, amount=part, allocated_at=at)
    return invoices.add_payment(invoice, part, at=at)


def _thank(payment: Transaction, invoice: Invoice, shown: str, *, at: datetime) -> None:
    context = {
        "amount": shown,
        "number": invoice.number,
        "balance": _balance(payment, invoice),
        "path": f"/invoices/{invoice.pk}/",
    }
    notify(invoice.client, "payment_received", key=str(payment.pk), context=context, at=at)


def _balance(payment: Transaction, invoice: Invoice) -> str:
    """How the invoice stands now, and what of the payment it did not need."""
    if invoice.status == InvoiceStatus.CANCELLED:
        return "That invoice was cancelled, so we keep the amount for you and will write to you."
    if invoice.balance:
        return f"{format_amount(invoice.balance, invoice.currency)} remain to be paid."
    used = sum((part.amount for part in payment.allocations.all()), Decimal(0))
    if excess := payment.amount - used:
        shown = format_amount(excess, payment.currency)
        return f"It is paid in full. We keep the {shown} beyond it for you."
    return "It is paid in full."
