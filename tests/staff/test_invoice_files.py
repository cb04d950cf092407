"""Downloads of invoices and credit notes for staff, and what the page says of them."""

import pytest
from django.urls import reverse

from tests.factories import make_invoice, make_service
from tests.invoices.documents import VAT_19, advance, credit_note, issued, make_business
from tests.invoices.rules import broken_rules

pytestmark = pytest.mark.django_db


@pytest.fixture
def callable_seller(settings):
    settings.SELLER_PHONE = "+49 40 123456"


@pytest.fixture
def client():
    return make_business()


@pytest.fixture
def invoice(client):
    return issued(client, recurring=[advance(client, "10.00")], treatment=VAT_19)


@pytest.fixture
def note(invoice):
    taxes = [{**invoice.taxes[0], "base": "5.00", "amount": "0.95"}]
    return credit_note(invoice, "5.00", taxes=taxes, tax="0.95")


def address(name, row):
    return reverse(f"staff:{name}", args=[row.pk])


def test_staff_get_the_pdfs_and_a_valid_xrechnung(staff, callable_seller, invoice, note):
    for name, row in (("invoice-pdf", invoice), ("credit-note-pdf", note)):
        assert staff.get(address(name, row))["Content-Type"] == "application/pdf"
    for name, row in (("invoice-xrechnung", invoice), ("credit-note-xrechnung", note)):
        answer = staff.get(address(name, row))
        assert answer["Content-Disposition"] == f'attachment; filename="{row.number}.xml"'
        assert broken_rules(answer.content, "ubl") == []


def test_the_page_says_what_the_xrechnung_lacks(staff, client, invoice):
    page = staff.get(address("invoice", invoice)).content.decode()
    refused = staff.get(address("invoice-xrechnung", invoice), follow=True)

    assert "The PDF carries the e-invoice (Factur-X and ZUGFeRD, EN 16931)." in page
    assert "<li>The seller has no telephone number: set SELLER_PHONE.</li>" in page
    assert address("invoice-xrechnung", invoice) not in page
    assert (
        f"There is no XRechnung of {invoice.number}: The seller has no telephone number:"
        " set SELLER_PHONE."
    ) in refused.content.decode()


def test_a_draft_has_a_pdf_and_no_e_invoice(staff, client):
    draft = make_invoice(
        client, advance={make_service(client): "1.00"}, status="draft", number=None
    )

    page = staff.get(address("invoice", draft)).content.decode()
    pdf = staff.get(address("invoice-pdf", draft))

    assert "<li>A draft is no e-invoice. Issue it first.</li>" in page
    assert pdf["Content-Disposition"] == f'inline; filename="Draft-{draft.pk}.pdf"'


def test_the_page_lists_the_credit_notes(staff, invoice, note):
    page = staff.get(address("invoice", invoice)).content.decode()

    assert f'<a href="{address("credit-note-pdf", note)}">{note.number}</a>' in page
    assert "Cancelled within the first week" in page


@pytest.mark.parametrize(
    "name", ["invoice-pdf", "invoice-xrechnung", "credit-note-pdf", "credit-note-xrechnung"]
)
def test_staff_without_a_role_get_no_file(as_role, invoice, note, name):
    row = note if name.startswith("credit") else invoice

    assert as_role("").get(address(name, row)).status_code == 403


@pytest.mark.parametrize(
    "name", ["invoice-pdf", "invoice-xrechnung", "credit-note-pdf", "credit-note-xrechnung"]
)
def test_staff_who_may_only_read_get_every_file(as_role, callable_seller, invoice, note, name):
    row = note if name.startswith("credit") else invoice

    assert as_role("Read only").get(address(name, row)).status_code == 200
