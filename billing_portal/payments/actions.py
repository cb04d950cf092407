"""Money in: stored once, allocated once; what no invoice needs becomes credit.

Order of locks: client, invoice, then transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.money import round_money
from billing_portal.clients.models import Client
from billing_portal.clients.notices import notify
from billing_portal.errors import PortalError
from billing_portal.invoices import settling
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.payments import credit
from billing_portal.payments.credit import Kind, Movement
from billing_portal.payments.models import Allocation, PaymentSettings, Transaction, WebhookEvent

MAX_REFERENCE = 120
MAX_AMOUNT = Decimal(10**11)


class PaymentRefused(PortalError):
    """The payment cannot be booked as told."""


@dataclass(frozen=True, slots=True)
class Booked:
    """A payment as it is stored, and the invoices that this very booking settled."""

    payment: Transaction
    settled: tuple[Invoice, ...]


def receive(
    client: Client,
    invoices: Sequence[Invoice],
    *,
    gateway: str,
    external_id: str,
    amount: Decimal,
    currency: str,
    received_at: datetime,
    at: datetime,
    actor: User | None = None,
    note: str = "",
) -> Booked:
    """Book a payment for locked invoices of a locked client; also which of them it settled.

    It pays the invoices in the order given.  What they do not need becomes the client's
    credit; without an invoice that is all of it.  The same gateway and external id is
    booked once: again, it returns the first transaction and settles nothing.
    Raises PaymentRefused for a wrong currency, an amount that is not positive or has too
    many decimals, a missing reference, or one already used for another payment.
    """
    _check(client, invoices, external_id, amount, currency)
    payment, is_new = _book(
        Transaction(
            client=client,
            gateway=gateway,
            external_id=external_id,
            amount=amount,
            currency=currency,
            received_at=received_at,
            note=note[:200],
            problem=_problem(invoices),
        )
    )
    if not is_new:
        _same_payment(payment, client, invoices, amount, currency)
        return Booked(payment, ())
    settled = tuple(invoice for invoice in invoices if _allocate(payment, invoice, at=at))
    _keep_rest(payment, client, invoices, at=at, actor=actor)
    shown, numbers = format_amount(amount, currency), _numbers(invoices)
    audit.record(
        "payment.received",
        payment,
        summary=f"{shown} received for {numbers or 'credit'} by {gateway} ({external_id})",
        at=at,
        actor=actor,
        client_id=client.pk,
    )
    _thank(payment, client, invoices, shown, at=at)
    return Booked(payment, settled)


def note_looked_at(payment_id: int, *, at: datetime, actor: User | None) -> None:
    """A person dealt with what made the payment stand out."""
    with transaction.atomic():
        payment = Transaction.objects.select_for_update(no_key=True).get(pk=payment_id)
        if not payment.problem:
            return
        audit.record(
            "payment.looked_at",
            payment,
            summary=f"Dealt with: {payment.problem}",
            at=at,
            actor=actor,
            client_id=payment.client_id,
        )
        payment.problem = ""
        payment.save(update_fields=["problem"])


def save_rules(rules: PaymentSettings, *, at: datetime, actor: User | None) -> None:
    """Keep what clients may pay in advance."""
    with transaction.atomic():
        rules.save()
        audit.record(
            "payment.rules_changed",
            rules,
            summary=f"Deposits {'on' if rules.deposits else 'off'},"
            f" {rules.deposit_minimum} to {rules.deposit_maximum}",
            at=at,
            actor=actor,
        )


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


def _check(
    client: Client,
    invoices: Sequence[Invoice],
    external_id: str,
    amount: Decimal,
    currency: str,
) -> None:
    if not 0 < len(external_id.strip()) <= MAX_REFERENCE:
        raise PaymentRefused(f"A payment has a reference of 1 to {MAX_REFERENCE} characters.")
    for invoice in invoices:
        if invoice.status == InvoiceStatus.DRAFT:
            raise PaymentRefused(f"{invoice} is not issued, so it cannot be paid.")
        if currency != invoice.currency:
            raise PaymentRefused(f"{invoice} is in {invoice.currency}, not in {currency}.")
    if not invoices and currency != client.currency:
        raise PaymentRefused(f"{client} pays in {client.currency}, not in {currency}.")
    if not amount.is_finite() or amount <= 0:
        raise PaymentRefused("A payment is more than zero.")
    if amount >= MAX_AMOUNT:
        raise PaymentRefused(f"{amount} is more than can be booked.")
    if round_money(amount, currency) != amount:
        raise PaymentRefused(f"{amount} is finer than the smallest unit of {currency}.")


def _same_payment(
    known: Transaction,
    client: Client,
    invoices: Sequence[Invoice],
    amount: Decimal,
    currency: str,
) -> None:
    """Refuse a known reference told with anything else: that is another payment."""
    told = (client.pk, amount, currency)
    is_same = (known.client_id, known.amount, known.currency) == told
    paid = set(known.allocations.values_list("invoice_id", flat=True))
    if not is_same or (paid and paid.isdisjoint(invoice.pk for invoice in invoices)):
        raise PaymentRefused(f"The reference {known.external_id} belongs to another payment.")


def _problem(invoices: Sequence[Invoice]) -> str:
    """Why a person should look at a payment of these; empty if all is well."""
    void = [i for i in invoices if i.status in (InvoiceStatus.CANCELLED, InvoiceStatus.REFUNDED)]
    if not void:
        return ""
    was = void[0].get_status_display().lower()
    return f"Paid for {_numbers(void)}, which is {was}. The money is kept as credit."


def _allocate(payment: Transaction, invoice: Invoice, *, at: datetime) -> bool:
    """Use what is left of the payment for the invoice; True if the invoice is now paid."""
    part = min(payment.amount - _used(payment), invoice.balance)
    if not invoice.is_owed or part <= 0:
        return False
    Allocation.objects.create(transaction=payment, invoice=invoice, amount=part, allocated_at=at)
    return settling.pay(invoice, part, at=at)


def _used(payment: Transaction) -> Decimal:
    amounts = payment.allocations.values_list("amount", flat=True)
    return sum(amounts, Decimal(0))


def _keep_rest(
    payment: Transaction,
    client: Client,
    invoices: Sequence[Invoice],
    *,
    at: datetime,
    actor: User | None,
) -> None:
    """What no invoice needed becomes credit, so that no money lies about unclaimed."""
    rest = payment.amount - _used(payment)
    # A client has credit in one currency; a payment in an old one waits for a person.
    if rest <= 0 or payment.currency != client.currency:
        return
    what = f"Paid beyond {_numbers(invoices)}" if invoices else "Paid in advance"
    credit.move(
        client,
        Movement(
            key=f"payment:{payment.pk}",
            kind=Kind.OVERPAYMENT if invoices else Kind.DEPOSIT,
            amount=rest,
            currency=payment.currency,
            description=f"{what}, {payment.external_id}",
            invoice=invoices[0] if len(invoices) == 1 else None,
            transaction=payment,
        ),
        at=at,
        actor=actor,
    )


def _numbers(invoices: Sequence[Invoice]) -> str:
    return ", ".join(str(invoice) for invoice in invoices)


def _thank(
    payment: Transaction,
    client: Client,
    invoices: Sequence[Invoice],
    shown: str,
    *,
    at: datetime,
) -> None:
    one = invoices[0].pk if len(invoices) == 1 else None
    context = {
        "amount": shown,
        "number": _numbers(invoices),
        "balance": _balance(payment, client, invoices),
        "path": f"/invoices/{one}/" if one else "/payments/",
    }
    notify(client, "payment_received", key=str(payment.pk), context=context, at=at)


def _balance(payment: Transaction, client: Client, invoices: Sequence[Invoice]) -> str:
    """How the invoices stand now, and what of the payment they did not need."""
    rest = payment.amount - _used(payment)
    beyond = format_amount(rest, payment.currency)
    if any(invoice.status == InvoiceStatus.CANCELLED for invoice in invoices):
        return (
            f"That invoice was cancelled, so {beyond} are your credit now: it pays your next "
            "invoices, or we send it back if you ask."
        )
    said = []
    if open_ones := [invoice for invoice in invoices if invoice.is_owed]:
        left = sum((invoice.balance for invoice in open_ones), Decimal(0))
        said.append(f"{format_amount(left, payment.currency)} remain to be paid.")
    elif invoices:
        said.append("It is paid in full.")
    if rest:
        what = f"The {beyond} beyond it are" if invoices else "It is"
        said.append(f"{what} your credit, which pays your next invoices.")
    return " ".join(said)
