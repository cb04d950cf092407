"""An invoice is corrected: a credit note lowers what is owed, and what was paid is credit.

Order of locks: client, invoice, then number series.
"""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.clients.models import Client
from billing_portal.clients.notices import notify
from billing_portal.invoices import crediting, settling
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.crediting import Correction
from billing_portal.invoices.models import CreditNote, Invoice, InvoiceStatus
from billing_portal.payments import credit
from billing_portal.payments.credit import Kind, Movement
from billing_portal.workflows import overdue_services, settled

Wish = Callable[[Invoice], Correction]
"""What is to be corrected, worked out once the invoice is locked: `crediting.correct_all`,
or one of the others with its amounts."""


def credit_invoice(
    invoice_id: int,
    wish: Wish,
    *,
    reason: str,
    request_key: str,
    at: datetime,
    actor: User | None,
) -> CreditNote:
    """Issue a credit note and mail it.  The same `request_key` returns the same note.

    Charges on the invoice stay closed: nothing of it is billed again by itself.
    Raises CreditNoteRefused or NotCreditable; nothing is stored then.
    """
    with transaction.atomic():
        client_id = Invoice.objects.values_list("client_id", flat=True).get(pk=invoice_id)
        client = credit.locked_client(client_id)
        if known := CreditNote.objects.filter(request_key=request_key).first():
            return known
        (invoice,) = settling.locked_invoices([invoice_id])
        correction = wish(invoice)
        was_owed = invoice.is_owed
        note = crediting.issue_note(
            invoice, correction, reason=reason, request_key=request_key, at=at, actor=actor
        )
        _give_back(client, note, correction, at=at, actor=actor)
        if was_owed and invoice.status == InvoiceStatus.PAID:
            settled.follow_up(invoice, at=at)
        elif was_owed and not invoice.is_owed:
            overdue_services.lift_after_payment(invoice, at=at)
        _tell(client, note, invoice, correction, at=at)
        return note


def _give_back(
    client: Client,
    note: CreditNote,
    correction: Correction,
    *,
    at: datetime,
    actor: User | None,
) -> None:
    """What was paid of the corrected amount is the client's."""
    if not correction.rest:
        return
    movement = Movement(
        key=f"credit_note:{note.pk}",
        kind=Kind.CREDIT_NOTE,
        amount=correction.rest,
        currency=note.currency,
        description=f"{note} for {note.invoice}",
        invoice=note.invoice,
        credit_note=note,
    )
    credit.move(client, movement, at=at, actor=actor)


def _tell(
    client: Client, note: CreditNote, invoice: Invoice, correction: Correction, *, at: datetime
) -> None:
    context = {
        "note": note.number,
        "number": invoice.number,
        "total": format_amount(note.total, note.currency),
        "reason": note.reason,
        "what_follows": _what_follows(invoice, correction),
        "path": f"/invoices/{invoice.pk}/",
    }
    notify(client, "credit_note_issued", key=str(note.pk), context=context, at=at)


def _what_follows(invoice: Invoice, correction: Correction) -> str:
    said = []
    if invoice.is_owed:
        left = format_amount(invoice.balance, invoice.currency)
        said.append(f"{left} of the invoice are left to pay.")
    elif correction.applied:
        said.append("Nothing of the invoice is left to pay.")
    if correction.rest:
        rest = format_amount(correction.rest, invoice.currency)
        said.append(f"{rest} had been paid and are your credit now.")
    return " ".join(said)
