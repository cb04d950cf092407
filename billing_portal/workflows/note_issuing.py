"""One credit note with all it brings but what follows from a settled invoice.

`credit_notes` is what pages and other flows call; here is what they share with those that
are themselves such a consequence.
"""

from datetime import datetime

from billing_portal.accounts.models import User
from billing_portal.clients.models import Client
from billing_portal.clients.notices import notify
from billing_portal.invoices import crediting
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.crediting import Correction
from billing_portal.invoices.models import CreditNote, Invoice
from billing_portal.payments import credit
from billing_portal.payments.credit import Kind, Movement


def issue(
    client: Client,
    invoice: Invoice,
    correction: Correction,
    *,
    reason: str,
    request_key: str,
    at: datetime,
    actor: User | None,
) -> CreditNote:
    """Write the note, give its client what was paid of it as credit, and mail it.

    The caller holds the locks of client and invoice and looks after what follows if the
    invoice is settled by it.
    """
    note = crediting.issue_note(
        invoice, correction, reason=reason, request_key=request_key, at=at, actor=actor
    )
    _give_back(client, note, correction, at=at, actor=actor)
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
        said.append(f"{rest} had been paid and is your credit now.")
    return " ".join(said)
