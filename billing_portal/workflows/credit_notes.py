"""An invoice is corrected: a credit note lowers what is owed, and what was paid is credit.

Order of locks: client, invoice, then number series.
"""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.invoices import settling
from billing_portal.invoices.crediting import Correction
from billing_portal.invoices.models import CreditNote, Invoice, InvoiceStatus
from billing_portal.payments import credit
from billing_portal.workflows import note_issuing, overdue_services, settled

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
        note = note_issuing.issue(
            client,
            invoice,
            correction,
            reason=reason,
            request_key=request_key,
            at=at,
            actor=actor,
        )
        if was_owed and invoice.status == InvoiceStatus.PAID:
            settled.follow_up(invoice, at=at)
        elif was_owed and not invoice.is_owed:
            overdue_services.lift_after_payment(invoice, at=at)
        return note
