"""Money in: stored once, allocated once.

Order of locks: invoice, then transaction.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.money import round_money
from billing_portal.clients.notices import notify
from billing_portal.errors import PortalError
from billing_portal.invoices import actions as invoices
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.payments.models import Allocation, Transaction, WebhookEvent


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
    many decimals, or a reference already used for another client.
    """
    if known := Transaction.objects.filter(gateway=gateway, external_id=external_id).first():
        _same_payment(known, invoice, amount, currency)
        return known, False
    _check(invoice, amount, currency)
    payment = Transaction.objects.create(
        client_id=invoice.client_id,
        gateway=gateway,
        external_id=external_id,
        amount=amount,
        currency=currency,
        received_at=received_at,
        note=note,
    )
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


def _check(invoice: Invoice, amount: Decimal, currency: str) -> None:
    if currency != invoice.currency:
        raise PaymentRefused(f"{invoice.number} is in {invoice.currency}, not in {currency}.")
    if not amount.is_finite() or amount <= 0:
        raise PaymentRefused("A payment is more than zero.")
    if round_money(amount, currency) != amount:
        raise PaymentRefused(f"{amount} is finer than the smallest unit of {currency}.")


def _same_payment(known: Transaction, invoice: Invoice, amount: Decimal, currency: str) -> None:
    same = (known.client_id, known.amount, known.currency) == (
        invoice.client_id,
        amount,
        currency,
    )
    if not same:
        raise PaymentRefused(f"The reference {known.external_id} belongs to another payment.")


def _allocate(payment: Transaction, invoice: Invoice, *, at: datetime) -> bool:
    """Use the payment for the invoice as far as it goes; True if the invoice is now paid."""
    part = min(payment.amount, invoice.balance)
    if invoice.status != InvoiceStatus.UNPAID or part <= 0:
        return False
    Allocation.objects.create(transaction=payment, invoice=invoice, amount=part, allocated_at=at)
    return invoices.add_payment(invoice, part, at=at)


def _thank(payment: Transaction, invoice: Invoice, shown: str, *, at: datetime) -> None:
    left = format_amount(invoice.balance, invoice.currency)
    context = {
        "amount": shown,
        "number": invoice.number,
        "balance": f"{left} remain to be paid." if invoice.balance else "It is paid in full.",
        "path": f"/invoices/{invoice.pk}/",
    }
    notify(invoice.client, "payment_received", key=str(payment.pk), context=context, at=at)
