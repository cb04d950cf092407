"""Downloads of invoices and credit notes in the client area, and who gets them."""

from decimal import Decimal
from io import BytesIO

import pytest
from django.urls import reverse
from pypdf import PdfReader

from billing_portal.clients.models import Permission
from billing_portal.invoices.models import Invoice
from tests.factories import make_client, make_member, make_user, rewrite_issued
from tests.invoices.documents import VAT_19, advance, credit_note, issued, make_business
from tests.invoices.rules import broken_rules

from .conftest import browser_of

pytestmark = pytest.mark.django_db
FILES = ("invoice_pdf", "invoice_xrechnung", "credit_note_pdf", "credit_note_xrechnung")


@pytest.fixture
def owner():
    return make_user("books@acme.example")


@pytest.fixture
def client(owner, settings):
    settings.SELLER_PHONE = "+49 40 123456"
    return make_business(owner=owner)


@pytest.fixture
def invoice(client) -> Invoice:
    return issued(client, recurring=[advance(client, "10.00")], treatment=VAT_19)


@pytest.fixture
def note(invoice):
    taxes = [{**invoice.taxes[0], "base": "5.00", "amount": "0.95"}]
    return credit_note(invoice, "5.00", taxes=taxes, tax="0.95")


@pytest.fixture
def address(invoice, note):
    rows = {"invoice": invoice.pk, "credit": note.pk}
    return lambda name: reverse(f"clientarea:{name}", args=[rows[name.split("_")[0]]])


@pytest.mark.parametrize("name", FILES)
def test_the_owner_and_a_member_who_may_see_invoices_get_every_file(client, owner, address, name):
    member = make_member(client, Permission.INVOICES)

    assert browser_of(owner).get(address(name)).status_code == 200
    assert browser_of(member).get(address(name)).status_code == 200


@pytest.mark.parametrize("name", FILES)
def test_nobody_else_gets_a_file(client, address, name):
    stranger = make_user()
    make_client(owner=stranger)
    member = make_member(client, Permission.PRODUCTS)

    assert browser_of(stranger).get(address(name)).status_code == 404
    assert browser_of(member).get(address(name)).status_code == 403


def test_files_are_named_by_their_numbers(owner, address, invoice, note):
    browser = browser_of(owner)

    named = {name: browser.get(address(name))["Content-Disposition"] for name in FILES}

    assert named == {
        "invoice_pdf": f'inline; filename="{invoice.number}.pdf"',
        "invoice_xrechnung": f'attachment; filename="{invoice.number}.xml"',
        "credit_note_pdf": f'inline; filename="{note.number}.pdf"',
        "credit_note_xrechnung": f'attachment; filename="{note.number}.xml"',
    }


@pytest.mark.parametrize("name", ["invoice_xrechnung", "credit_note_xrechnung"])
def test_the_downloaded_xrechnung_is_valid(owner, address, name):
    answer = browser_of(owner).get(address(name))

    assert answer["Content-Type"] == "application/xml"
    assert broken_rules(answer.content, "ubl") == []


def test_without_a_buyer_reference_the_page_offers_no_xrechnung(owner):
    client = make_business(owner=owner, buyer_reference="")
    invoice = issued(client, recurring=[advance(client, "10.00")], treatment=VAT_19)
    browser = browser_of(owner)

    page = browser.get(reverse("clientarea:invoice", args=[invoice.pk]))
    refused = browser.get(reverse("clientarea:invoice_xrechnung", args=[invoice.pk]), follow=True)

    assert "XRechnung" not in page.content.decode()
    assert refused.redirect_chain == [(f"/invoices/{invoice.pk}/", 302)]
    said = f"There is no XRechnung of {invoice.number}. Write to us if you need one."
    assert said in refused.content.decode()


def test_the_page_shows_taxes_credit_and_credit_notes_and_leads_to_the_files(
    owner, invoice, note, address
):
    rewrite_issued(invoice, credit_applied=Decimal("2.00"), credited_amount=Decimal("3.00"))
    note.applied_amount = Decimal("3.00")
    note.save()

    page = browser_of(owner).get(reverse("clientarea:invoice", args=[invoice.pk])).content.decode()

    for text in (
        address("invoice_pdf"),
        address("invoice_xrechnung"),
        address("credit_note_pdf"),
        'data-label="Total without tax">€10.00<',
        'data-label="VAT 19 % on €10.00">€1.90<',
        'data-label="Paid from credit">−€2.00<',  # noqa: RUF001
        f'data-label="Credit note {note.number}">−€3.00<',  # noqa: RUF001
        'data-label="Balance">€6.90<',
    ):
        assert text in page


def test_the_pdf_is_the_invoice(owner, address, invoice):
    pdf = browser_of(owner).get(address("invoice_pdf")).content

    assert invoice.number in PdfReader(BytesIO(pdf)).pages[0].extract_text()
