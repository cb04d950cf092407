"""The PDF is a Factur-X: for people and, embedded, for their bookkeeping."""

import re
from decimal import Decimal
from io import BytesIO

import facturx
import pytest
from lxml import etree
from pypdf import PdfReader

from billing_portal.calc.tax import TaxCategory, TaxTreatment
from billing_portal.clients.models import ClientField
from billing_portal.invoices.einvoice_cii import cii_xml
from billing_portal.invoices.einvoice_files import why_no_facturx
from billing_portal.invoices.einvoice_reading import of_invoice
from billing_portal.invoices.models import InvoiceStatus
from billing_portal.invoices.pdf import credit_note_pdf, invoice_pdf
from tests.invoices.documents import (
    REVERSE_CHARGE,
    VAT_19,
    advance,
    credit_note,
    discount,
    issued,
    make_business,
    storage,
)
from tests.invoices.rules import broken_rules

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return make_business()


@pytest.fixture
def invoice(client):
    return issued(client, recurring=[advance(client, "29.95")], treatment=VAT_19)


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page, every stretch of white space as one blank."""
    return [" ".join(p.extract_text().split()) for p in PdfReader(BytesIO(pdf)).pages]


def catalog_of(pdf: bytes):
    return PdfReader(BytesIO(pdf)).trailer["/Root"]


def test_the_embedded_file_is_the_valid_e_invoice(invoice):
    name, xml = facturx.get_facturx_xml_from_pdf(invoice_pdf(invoice), check_xsd=True)

    assert name == "factur-x.xml"
    assert xml == cii_xml(of_invoice(invoice))
    assert broken_rules(xml, "cii") == []


def test_the_file_is_attached_as_the_alternative_of_the_whole_document(invoice):
    (attached,) = catalog_of(invoice_pdf(invoice))["/AF"]

    spec = attached.get_object()
    assert (spec["/AFRelationship"], spec["/UF"]) == ("/Alternative", "factur-x.xml")
    assert spec["/EF"]["/F"].get_object()["/Subtype"] == "/text/xml"


def test_the_metadata_say_pdf_a_3b_and_factur_x(invoice):
    metadata = etree.fromstring(
        catalog_of(invoice_pdf(invoice))["/Metadata"].get_object().get_data()
    )

    said = {etree.QName(one).localname: one.text for one in metadata.iter(etree.Element)}
    assert (said["part"], said["conformance"]) == ("3", "B")
    assert (said["DocumentType"], said["DocumentFileName"]) == ("INVOICE", "factur-x.xml")
    assert (said["Version"], said["ConformanceLevel"]) == ("1.0", "EN 16931")
    described = metadata.iterfind(".//{http://www.aiim.org/pdfa/ns/property#}name")
    assert {one.text for one in described} == {
        "DocumentFileName",
        "DocumentType",
        "Version",
        "ConformanceLevel",
    }


def test_nothing_in_the_file_forbids_archiving_it(invoice):
    pdf = invoice_pdf(invoice)
    catalog = catalog_of(pdf)

    (intent,) = catalog["/OutputIntents"]
    assert intent["/S"] == "/GTS_PDFA1"
    assert intent["/DestOutputProfile"].get_object().get_data()[36:40] == b"acsp"
    fonts = PdfReader(BytesIO(pdf)).pages[0]["/Resources"]["/Font"]
    for font in fonts.values():
        (inner,) = font.get_object()["/DescendantFonts"]
        assert "/FontFile2" in inner.get_object()["/FontDescriptor"].get_object()
        assert "/ToUnicode" in font.get_object()
    assert PdfReader(BytesIO(pdf)).trailer["/ID"]
    for forbidden in (b"/JavaScript", b"/Encrypt", b"/Launch", b"/SMask", b"/LZWDecode"):
        assert forbidden not in pdf


def test_letters_the_font_lacks_are_question_marks_on_paper_and_true_in_the_file():
    client = make_business(company_name="日本 Handel\x07 GmbH")

    pdf = invoice_pdf(issued(client, recurring=[advance(client, "1.00")]))

    assert "Billed to ?? Handel GmbH Ann Smith" in pages_of(pdf)[0]
    _, xml = facturx.get_facturx_xml_from_pdf(pdf, check_xsd=False)
    assert "<ram:Name>日本 Handel GmbH</ram:Name>" in xml.decode()


def test_the_same_invoice_gives_the_same_bytes(invoice):
    assert invoice_pdf(invoice) == invoice_pdf(invoice)


@pytest.mark.parametrize(
    ("fields", "said", "why"),
    [
        ({"status": "draft", "number": None}, "Draft invoice", "A draft is no e-invoice."),
        ({"is_proforma": True}, "Proforma invoice", "A proforma is no e-invoice."),
        ({"status": "cancelled"}, "State Cancelled", "is cancelled, so it is no e-invoice"),
        ({"currency": "KWD"}, "KWD29.95", "KWD has three."),
    ],
)
def test_what_is_no_invoice_is_marked_and_carries_none(invoice, fields, said, why):
    for name, value in fields.items():
        setattr(invoice, name, value)

    pdf = invoice_pdf(invoice)

    assert said in " ".join(pages_of(pdf)).replace("\xa0", "")
    assert "/AF" not in catalog_of(pdf)
    assert [why in sentence for sentence in why_no_facturx(invoice)] == [True]


def test_an_invoice_that_lacks_something_is_printed_all_the_same():
    client = make_business(tax_id="")
    lines = [advance(client, "29.95")]
    invoice = issued(client, recurring=lines, treatment=REVERSE_CHARGE)

    assert "/AF" not in catalog_of(invoice_pdf(invoice))
    assert why_no_facturx(invoice) == ["Acme Ltd has no VAT id, so no tax can be left to it."]


# --- What is printed ----------------------------------------------------------------------


def test_taxes_discounts_and_what_settled_it_are_printed(client):
    items = [
        advance(client, "30.00", quantity=3, discounts=(discount("4.50"),)),
        advance(client, "15.00", taxable=False),
    ]
    invoice = issued(client, recurring=items, charges=[storage(client)], treatment=VAT_19)
    invoice.paid_amount, invoice.credit_applied = Decimal("20.00"), Decimal("5.00")
    invoice.notes = "Thank you."

    sheet, _ = pages_of(invoice_pdf(invoice))

    for text in (
        "1 Hosted PBX Dec 1, 2026 to Dec 31, 2026 3 €10.00 19 % €30.00",
        "2 Promotion SPRING Dec 1, 2026 to Dec 31, 2026 1 −€4.50 19 % −€4.50",  # noqa: RUF001
        "3 Hosted PBX Dec 1, 2026 to Dec 31, 2026 1 €15.00 none €15.00",
        "861.111111 GB €10.00 per 1,000 GB 19 % €8.61",
        "Total without tax €49.11 VAT 19 % on €34.11 €6.48 Without tax on €15.00 €0.00"
        " Total €55.59 Paid −€20.00 Paid from credit −€5.00 Left to pay €30.59",  # noqa: RUF001
        "Thank you. Please pay €30.59 by Dec 15, 2026",
    ):
        assert text in sheet


def test_reverse_charge_is_said_in_the_sums_and_in_words():
    client = make_business(country="AT", tax_id="ATU12345678")
    lines = [advance(client, "29.95")]

    (sheet,) = pages_of(invoice_pdf(issued(client, recurring=lines, treatment=REVERSE_CHARGE)))

    assert "Total without tax €29.95 Reverse charge on €29.95 €0.00 Total €29.95" in sheet
    assert "Reverse charge: the recipient of the service is liable for VAT." in sheet


def test_prices_that_held_tax_are_printed_without_it(client):
    inclusive = TaxTreatment(VAT_19.rates, VAT_19.rates, TaxCategory.STANDARD)
    gross = storage(client, "10.25", unit_price=Decimal("11.90"))
    items = [advance(client, "119.00", quantity=2)]

    invoice = issued(client, recurring=items, charges=[gross], treatment=inclusive)

    sheet = pages_of(invoice_pdf(invoice))[0]
    assert "2 €50.00 19 % €100.00" in sheet
    assert "861.111111 GB €9.99871 per 1,000 GB 19 % €8.61" in sheet
    assert "Total €129.25" in sheet


def test_tax_in_another_currency_is_printed_in_the_sellers_too():
    client = make_business(currency="USD")
    invoice = issued(client, recurring=[advance(client, "100.00")], treatment=VAT_19)
    invoice.exchange_rate = Decimal("1.1875")

    (sheet,) = pages_of(invoice_pdf(invoice))

    assert "Tax in EUR: €16.00, at 1.1875 USD for 1 EUR." in sheet


def test_the_buyers_references_are_printed(settings):
    settings.SELLER_REGISTRATION_ID = "HRB 12345"
    ClientField.objects.create(key="po", label="Order no.", on_invoice=True)
    client = make_business(custom_fields={"po": "4711-A"})

    (sheet,) = pages_of(invoice_pdf(issued(client, recurring=[advance(client, "1.00")])))

    assert "Your reference 04011000-12345-34 Order no. 4711-A" in sheet
    assert "Registered as: HRB 12345" in sheet


def test_a_proforma_asks_for_payment_and_a_draft_does_not(invoice):
    invoice.is_proforma, invoice.number = True, "PRO-2026-00001"
    (proforma,) = pages_of(invoice_pdf(invoice))
    invoice.is_proforma, invoice.number, invoice.status = False, None, InvoiceStatus.DRAFT
    (draft,) = pages_of(invoice_pdf(invoice))

    assert "Proforma number PRO-2026-00001 Proforma date Dec 1, 2026" in proforma
    assert "Please pay €35.64 by Dec 15, 2026" in proforma
    assert "Invoice number none yet" in draft
    assert "Please pay" not in draft


def test_a_credit_note_names_its_invoice_and_says_what_became_of_the_money(client, invoice):
    taxes = [{**invoice.taxes[0], "base": "10.00", "amount": "1.90"}]
    note = credit_note(invoice, "10.00", taxes=taxes, tax="1.90")
    note.applied_amount = Decimal("5.00")

    pdf = credit_note_pdf(note)

    (sheet,) = pages_of(pdf)
    for text in (
        f"Credit note number {note.number} Date Dec 5, 2026 For invoice {invoice.number}"
        " Invoice date Dec 1, 2026",
        "1 Hosted PBX, part 1 19 % €10.00",
        "Credit in total €11.90",
        "Reason: Cancelled within the first week",
        f"€5.00 less is owed on {invoice.number}. €6.90 was paid already and is credited or"
        " paid back.",
    ):
        assert text in sheet
    _, xml = facturx.get_facturx_xml_from_pdf(pdf, check_xsd=True)
    assert re.findall(rb"<ram:TypeCode>(\d+)<", xml)[0] == b"381"
    assert broken_rules(xml, "cii") == []


def test_a_hundred_lines_go_over_pages_with_headings_and_one_total(client):
    lines = [advance(client, "3.33") for _ in range(100)]

    pages = pages_of(invoice_pdf(issued(client, recurring=lines, treatment=VAT_19)))

    assert len(pages) == 6
    assert all("Quantity Unit price Tax Amount" in page for page in pages)
    assert [page.count("Total €396.27") for page in pages] == [0, 0, 0, 0, 0, 1]
    assert pages[2].endswith("page 3 of 6")
