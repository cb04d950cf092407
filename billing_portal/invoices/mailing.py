"""The papers of mails about invoices; `MAIL_PAPERS` names these functions."""

from billing_portal.invoices.models import CreditNote, Invoice, InvoiceStatus
from billing_portal.invoices.pdf import credit_note_pdf, invoice_pdf
from billing_portal.mail.papers import Paper


def invoice_paper(key: str) -> list[Paper]:
    """The PDF of the invoice a mail is about; none of one that is no more or not yet issued."""
    invoice = Invoice.objects.exclude(status=InvoiceStatus.DRAFT).filter(pk=key).first()
    return [Paper(f"{invoice.number}.pdf", invoice_pdf(invoice))] if invoice else []


def credit_note_paper(key: str) -> list[Paper]:
    """The PDF of the credit note a mail is about."""
    note = CreditNote.objects.select_related("invoice").filter(pk=key).first()
    return [Paper(f"{note.number}.pdf", credit_note_pdf(note))] if note else []
