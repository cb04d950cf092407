"""Invoices and credit notes as files: the PDF with its e-invoice, and the XRechnung."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from billing_portal.clientarea.access import ClientRequest, for_row
from billing_portal.clients.models import Permission
from billing_portal.invoices import queries
from billing_portal.invoices.einvoice import NoEInvoice
from billing_portal.invoices.einvoice_files import Document, xrechnung_file
from billing_portal.invoices.models import CreditNote, Invoice
from billing_portal.invoices.pdf import credit_note_pdf, invoice_pdf


def _notes() -> QuerySet[CreditNote]:
    return CreditNote.objects.select_related("invoice")


@require_GET
@for_row(Permission.INVOICES, queries.published)
def pdf(request: ClientRequest, invoice: Invoice) -> HttpResponse:
    """The invoice on paper; its e-invoice is inside."""
    return _shown(invoice_pdf(invoice), invoice.number)


@require_GET
@for_row(Permission.INVOICES, queries.published)
def xrechnung(request: ClientRequest, invoice: Invoice) -> HttpResponse:
    """The invoice for a German authority."""
    return _xrechnung(request, invoice, invoice_id=invoice.pk)


@require_GET
@for_row(Permission.INVOICES, _notes)
def credit_note(request: ClientRequest, note: CreditNote) -> HttpResponse:
    """A credit note on paper; its e-invoice is inside."""
    return _shown(credit_note_pdf(note), note.number)


@require_GET
@for_row(Permission.INVOICES, _notes)
def credit_note_xrechnung(request: ClientRequest, note: CreditNote) -> HttpResponse:
    """A credit note for a German authority."""
    return _xrechnung(request, note, invoice_id=note.invoice_id)


def _shown(pdf: bytes, number: str | None) -> HttpResponse:
    shown = {"Content-Disposition": f'inline; filename="{number}.pdf"'}
    return HttpResponse(pdf, content_type="application/pdf", headers=shown)


def _xrechnung(request: ClientRequest, document: Document, *, invoice_id: int) -> HttpResponse:
    try:
        xml = xrechnung_file(document)
    except NoEInvoice:
        # What exactly is missing is the seller's business.
        messages.error(
            request, f"There is no XRechnung of {document}. Write to us if you need one."
        )
        return redirect("clientarea:invoice", pk=invoice_id)
    saved = {"Content-Disposition": f'attachment; filename="{document.number}.xml"'}
    return HttpResponse(xml, content_type="application/xml", headers=saved)
