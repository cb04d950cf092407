"""The e-invoice of a document as a file, or why there is none."""

from collections.abc import Sequence

from billing_portal.invoices.einvoice import EInvoice, NoEInvoice
from billing_portal.invoices.einvoice_checks import missing, missing_for_xrechnung
from billing_portal.invoices.einvoice_cii import cii_xml
from billing_portal.invoices.einvoice_reading import of_credit_note, of_invoice
from billing_portal.invoices.einvoice_ubl import xrechnung_xml
from billing_portal.invoices.models import CreditNote, Invoice, InvoiceLine

Document = Invoice | CreditNote


def facturx_file(document: Document, lines: Sequence[InvoiceLine] | None = None) -> bytes | None:
    """What the PDF carries; None if the document is no e-invoice or lacks something."""
    try:
        einvoice = _read(document, lines)
    except NoEInvoice:
        return None
    return None if missing(einvoice) else cii_xml(einvoice)


def xrechnung_file(document: Document) -> bytes:
    """The XML a German authority takes.

    Raises NoEInvoice if it would refuse it, with all that is missing.
    """
    einvoice = _read(document)
    if lacks := missing_for_xrechnung(einvoice):
        raise NoEInvoice(" ".join(lacks))
    return xrechnung_xml(einvoice)


def why_no_facturx(document: Document, lines: Sequence[InvoiceLine] | None = None) -> list[str]:
    """Why the PDF carries no e-invoice, in sentences for staff; empty if it does."""
    try:
        return missing(_read(document, lines))
    except NoEInvoice as refusal:
        return [str(refusal)]


def why_no_xrechnung(document: Document, lines: Sequence[InvoiceLine] | None = None) -> list[str]:
    """Why there is no XRechnung, in sentences for staff; empty if there is one."""
    try:
        return missing_for_xrechnung(_read(document, lines))
    except NoEInvoice as refusal:
        return [str(refusal)]


def _read(document: Document, lines: Sequence[InvoiceLine] | None = None) -> EInvoice:
    if isinstance(document, CreditNote):
        return of_credit_note(document)
    return of_invoice(document, lines)
