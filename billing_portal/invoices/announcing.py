"""Telling clients of their invoices: after issuing, in mails of their own transaction.

A bill run issues thousands of invoices and tells of them afterwards; one that was issued
and not told of, because its process died in between, is found again by `announce_waiting`.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from billing_portal.clients.notices import Notice, notify_all
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice, InvoiceStatus

AT_ONCE = 200
"""How many invoices are told of in one transaction."""


def announce(invoices: Sequence[Invoice], *, at: datetime) -> None:
    """Queue the mail of each invoice, once, in the caller's transaction."""
    notify_all("invoice_issued", [_notice(invoice) for invoice in invoices], at=at)
    keep_silent(invoices, at=at)


def keep_silent(invoices: Sequence[Invoice], *, at: datetime) -> None:
    """Never mail these invoices by itself: whoever issued them tells the client."""
    Invoice.objects.filter(pk__in=[invoice.pk for invoice in invoices]).update(announced_at=at)


def announce_waiting(*, at: datetime) -> int:
    """Tell of every invoice its client does not know of yet; returns how many.

    Must run outside a transaction: each part is committed by itself.
    """
    told = 0
    while invoices := _announce_some(at=at):
        told += invoices
    return told


def _announce_some(*, at: datetime) -> int:
    waiting = Invoice.objects.filter(announced_at__isnull=True).exclude(status=InvoiceStatus.DRAFT)
    with transaction.atomic():
        locked = waiting.select_for_update(of=("self",), no_key=True, skip_locked=True)
        invoices = list(locked.select_related("client").order_by("pk")[:AT_ONCE])
        if invoices:
            announce(invoices, at=at)
    return len(invoices)


def _notice(invoice: Invoice) -> Notice:
    context = {
        "document": invoice.document,
        "number": invoice.number,
        "total": format_amount(invoice.total, invoice.currency),
        "due_date": invoice.due_date.isoformat(),
        "is_paid": invoice.status == InvoiceStatus.PAID,
        "to_pay": _to_pay(invoice),
        "path": f"/invoices/{invoice.pk}/",
    }
    return Notice(invoice.client, str(invoice.pk), context)


def _to_pay(invoice: Invoice) -> str:
    """What the client still has to do about it, in a sentence or two."""
    due = invoice.due_date.isoformat()
    if invoice.status == InvoiceStatus.PAID:
        if invoice.credit_applied:
            return "Your credit paid it: there is nothing left to pay."
        return "There is nothing to pay."
    if invoice.credit_applied:
        used = format_amount(invoice.credit_applied, invoice.currency)
        left = format_amount(invoice.balance, invoice.currency)
        return f"Your credit paid {used} of it; {left} are due on {due}."
    return f"It is due on {due}."
