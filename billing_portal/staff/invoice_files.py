"""Invoices and credit notes as files: the PDF with its e-invoice, and the XRechnung."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from billing_portal.invoices.einvoice import NoEInvoice
from billing_portal.invoices.einvoice_files import (
    Document,
    why_no_facturx,
    why_no_xrechnung,
    xrechnung_file,
)
from billing_portal.invoices.models import CreditNote, Invoice, InvoiceLine
from billing_portal.invoices.pdf import credit_note_pdf, invoice_pdf
from billing_portal.staff.page import staff_page


@dataclass(frozen=True, slots=True)
class EInvoiceCard:
    """Why the PDF carries no e-invoice and why there is no XRechnung; empty where all is well."""

    facturx_lacks: list[str]
    xrechnung_lacks: list[str]


def card(invoice: Invoice, lines: Sequence[InvoiceLine]) -> EInvoiceCard:
    """What the invoice's page says about its e-invoices."""
    return EInvoiceCard(why_no_facturx(invoice, lines), why_no_xrechnung(invoice, lines))


@staff_page("invoices.view_invoice")
def pdf(request: HttpRequest, pk: int) -> HttpResponse:
    """The invoice as the client gets it; a draft as it would be."""
    invoice = get_object_or_404(Invoice, pk=pk)
    return pdf_response(invoice_pdf(invoice), invoice.number or f"Draft-{invoice.pk}")


@staff_page("invoices.view_invoice")
def xrechnung(request: HttpRequest, pk: int) -> HttpResponse:
    """The invoice for a German authority, or what it lacks."""
    return _xrechnung(request, get_object_or_404(Invoice, pk=pk), invoice_id=pk)


@staff_page("invoices.view_creditnote")
def credit_note(request: HttpRequest, pk: int) -> HttpResponse:
    """The credit note as the client gets it."""
    note = _note(pk)
    return pdf_response(credit_note_pdf(note), note.number)


@staff_page("invoices.view_creditnote")
def credit_note_xrechnung(request: HttpRequest, pk: int) -> HttpResponse:
    """The credit note for a German authority, or what it lacks."""
    note = _note(pk)
    return _xrechnung(request, note, invoice_id=note.invoice_id)


def pdf_response(pdf: bytes, name: str) -> HttpResponse:
    """Shown in the browser, saved under the document's number."""
    shown = {"Content-Disposition": f'inline; filename="{name}.pdf"'}
    return HttpResponse(pdf, content_type="application/pdf", headers=shown)


def _xrechnung(request: HttpRequest, document: Document, *, invoice_id: int) -> HttpResponse:
    try:
        xml = xrechnung_file(document)
    except NoEInvoice as refusal:
        messages.error(request, f"There is no XRechnung of {document}: {refusal}")
        return redirect("staff:invoice", pk=invoice_id)
    saved = {"Content-Disposition": f'attachment; filename="{document.number}.xml"'}
    return HttpResponse(xml, content_type="application/xml", headers=saved)


def _note(pk: int) -> CreditNote:
    return get_object_or_404(CreditNote.objects.select_related("invoice"), pk=pk)
