"""An invoice leaves as an e-invoice, is paid in part, corrected, and each file stays valid."""

from decimal import Decimal
from functools import partial
from io import BytesIO

import facturx
import pytest
from django.core import mail
from pypdf import PdfReader

from billing_portal.invoices import crediting
from billing_portal.invoices.announcing import announce
from billing_portal.invoices.einvoice_files import xrechnung_file
from billing_portal.invoices.models import Invoice
from billing_portal.invoices.pdf import credit_note_pdf, invoice_pdf
from billing_portal.mail import delivery
from billing_portal.workflows.credit_notes import credit_invoice
from tests.factories import utc
from tests.invoices.documents import (
    AT,
    VAT_19,
    advance,
    discount,
    issued,
    make_business,
    storage,
)
from tests.invoices.rules import broken_rules

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(settings) -> Invoice:
    """29.95 less 3.00 and 15.00 without tax, and 8.61 of storage: 57.32 with 6.76 of VAT."""
    settings.SELLER_PHONE = "+49 40 123456"
    client = make_business()
    lines = [
        advance(client, "29.95", discounts=(discount("3.00"),)),
        advance(client, "15.00", taxable=False),
    ]
    return issued(client, recurring=lines, charges=[storage(client)], treatment=VAT_19)


def text_of(pdf: bytes) -> str:
    pages = PdfReader(BytesIO(pdf)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def embedded(pdf: bytes) -> bytes:
    _, xml = facturx.get_facturx_xml_from_pdf(pdf, check_xsd=True)
    return xml


def test_the_client_is_mailed_a_valid_e_invoice(invoice):
    announce([invoice], at=AT)

    delivery.deliver_queued()

    (message,) = (one for one in mail.outbox if invoice.number in one.subject)
    ((name, pdf, kind),) = message.attachments
    assert (name, kind) == (f"{invoice.number}.pdf", "application/pdf")
    assert broken_rules(embedded(pdf), "cii") == []
    assert (invoice.total, invoice.tax_total) == (Decimal("57.32"), Decimal("6.76"))


def test_a_corrected_invoice_and_its_note_are_valid_in_both_kinds(invoice):
    note = credit_invoice(
        invoice.pk,
        crediting.correct_all,
        reason="Cancelled within the first week",
        request_key="wish-1",
        at=utc(2026, 12, 5),
        actor=None,
    )

    invoice.refresh_from_db()
    for pdf in (invoice_pdf(invoice), credit_note_pdf(note)):
        assert broken_rules(embedded(pdf), "cii") == []
    assert "Left to pay €0.00" in text_of(invoice_pdf(invoice))
    for document in (invoice, note):
        assert broken_rules(xrechnung_file(document), "ubl") == []
    assert (note.total, note.tax_total) == (Decimal("57.32"), Decimal("6.76"))


def test_a_note_over_a_part_is_valid_too(invoice):
    line = invoice.lines.get(description="Hosted PBX", taxable=True)
    wish = partial(crediting.correct_lines, amounts={line.pk: Decimal("9.99")})

    note = credit_invoice(
        invoice.pk, wish, reason="A week down", request_key="1", at=utc(2026, 12, 5), actor=None
    )

    assert broken_rules(embedded(credit_note_pdf(note)), "cii") == []
    assert broken_rules(xrechnung_file(note), "ubl") == []
