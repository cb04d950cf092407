"""Moving invoices from one state to another, as `states.TRANSITIONS` allows.

Who moves an invoice holds its row lock.
"""

from datetime import datetime

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.errors import PortalError
from billing_portal.invoices import numbering
from billing_portal.invoices.models import Invoice
from billing_portal.invoices.states import BY_HAND, OWED, TRANSITIONS, InvoiceStatus


class InvoiceNotMovable(PortalError):
    """The invoice cannot go from the state it is in to the one asked for."""


def may_move(invoice: Invoice, to: InvoiceStatus) -> bool:
    return to in TRANSITIONS[InvoiceStatus(invoice.status)]


def move(invoice: Invoice, to: InvoiceStatus, *, at: datetime) -> None:
    """Give a locked invoice another state; one it has already changes nothing.

    A proforma that is paid becomes an invoice here: it gets the next number and the day of
    `at`.  A cancelled one frees its periods to be billed again.
    Raises InvoiceNotMovable for a step the table does not have.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an invoice is moved in the transaction that locked it")
    if invoice.status == to:
        return
    if not may_move(invoice, to):
        raise InvoiceNotMovable(
            f"{invoice} is {invoice.get_status_display().lower()} and cannot become"
            f" {to.label.lower()}."
        )
    if to == InvoiceStatus.PAID and invoice.is_proforma:
        numbering.turn_into_invoice(invoice, at=at)
    if to == InvoiceStatus.PAID:
        invoice.paid_at = at
    elif to in OWED:
        invoice.paid_at = None
    invoice.status = to
    invoice.save(update_fields=["status", "paid_at"])
    if to == InvoiceStatus.CANCELLED:
        invoice.lines.update(billed=False)


def mark(
    invoice_id: int, to: InvoiceStatus, *, reason: str, at: datetime, actor: User | None
) -> Invoice:
    """Staff put an invoice that is owed in another state in which it is still owed.

    Payment pending holds reminders, fees and suspensions; collections leaves them to people.
    Raises InvoiceNotMovable for anything else.
    """
    if to not in BY_HAND:
        raise InvoiceNotMovable(f"An invoice becomes {to.label.lower()} only by itself.")
    with transaction.atomic():
        invoice = Invoice.objects.select_for_update(no_key=True).get(pk=invoice_id)
        if not invoice.is_owed:
            raise InvoiceNotMovable(f"{invoice} is {invoice.get_status_display().lower()}.")
        if invoice.status == to:
            return invoice
        move(invoice, to, at=at)
        audit.record(
            "invoice.marked",
            invoice,
            summary=f"{invoice.document} {invoice} is now {to.label.lower()}: {reason}",
            at=at,
            actor=actor,
            client_id=invoice.client_id,
        )
        return invoice
