"""The invoice on paper, read back as a bookkeeper reads it."""

from decimal import Decimal
from io import BytesIO

import pytest
from pypdf import PdfReader

from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.invoices.pdf import invoice_pdf
from tests.factories import (
    CALL_EVIDENCE,
    make_charge,
    make_client,
    make_invoice,
    make_product,
    make_service,
)

pytestmark = pytest.mark.django_db


def text_of(invoice: Invoice) -> list[str]:
    """The text of each page, every stretch of white space as one blank."""
    reader = PdfReader(BytesIO(invoice_pdf(invoice)))
    return [" ".join(page.extract_text().split()) for page in reader.pages]


@pytest.fixture
def backup():
    product = make_product(module_key="remote_backups", usage={"storage": "10"})
    return make_service(product=product, spec={"size_gb": 1000}, usage={"storage": "10"})


def test_the_sheet_says_who_owes_whom_what_and_until_when(backup):
    invoice = make_invoice(
        backup.client,
        number="INV-2026-00042",
        charges=[make_charge(backup)],
        advance={backup: "29.00"},
    )

    sheet, _ = text_of(invoice)

    for text in (
        "Northwind Hosting 12 Harbour Street 20457 Hamburg Germany Tax id: DE000000000",
        "Billed to Acme Ltd Ann Smith 1 High Street 10115 Berlin Germany Tax id: DE123456789",
        "Invoice number INV-2026-00042",
        "Invoice date Dec 1, 2026",
        "Due date Dec 15, 2026",
        "1 Box in advance Dec 1, 2026 to Dec 31, 2026 1 €29.00 €29.00",
        "2 Backup storage in November Nov 1, 2026 to Nov 30, 2026 861.111111 GB"
        " €10.00 per 1,000 GB €8.61",
        "Total €37.61",
        "Please pay €37.61 by Dec 15, 2026",
        "Account IBAN DE00 1234",
        "Reference INV-2026-00042",
        "page 1 of 2",
    ):
        assert text in sheet


def test_the_appendix_lists_every_size_with_its_hours(backup):
    invoice = make_invoice(backup.client, charges=[make_charge(backup)])

    _, appendix = text_of(invoice)

    assert (
        "1. Backup storage in November Average of 861.111111 GB over 720 hours,"
        " at €10.00 per 1,000 GB for all of them."
    ) in appendix
    assert (
        "Nov 1, 2026, 00:00 UTC Nov 9, 2026, 08:00 UTC 500 GB 200 €1.39"
        " Nov 9, 2026, 08:00 UTC Dec 1, 2026, 00:00 UTC 1,000 GB 520 €7.22"
    ) in appendix


def test_the_appendix_lists_calls_by_destination():
    pbx = make_service(product=make_product(module_key="fusionpbx"))
    charge = make_charge(
        pbx,
        metric="calls",
        description="Calls: 3, 6 min",
        quantity=Decimal(6),
        unit="min",
        unit_price=None,
        amount=Decimal("0.37"),
        evidence=CALL_EVIDENCE,
    )

    sheet, appendix = text_of(make_invoice(pbx.client, charges=[charge]))

    assert "Calls: 3, 6 min Nov 1, 2026 to Nov 30, 2026 6 min by rate €0.37" in sheet
    assert "1 of these calls began before this period and arrived late." in appendix
    assert "2 more calls have no price yet and are not billed here." in appendix
    assert (
        "Germany mobile 2 0:03:01 4 €0.356000 Germany 1 0:02:00 2 €0.015000"
        " Together 3 0:05:01 6 €0.371000"
    ) in appendix


def test_a_part_payment_leaves_the_balance_to_pay(backup):
    invoice = make_invoice(
        backup.client, charges=[make_charge(backup)], paid_amount=Decimal("5.00")
    )

    sheet, _ = text_of(invoice)

    assert "Total €8.61 Paid −€5.00 Left to pay €3.61" in sheet  # noqa: RUF001
    assert "Please pay €3.61 by Dec 15, 2026" in sheet


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (InvoiceStatus.PAID, "This invoice is paid. Thank you."),
        (InvoiceStatus.PENDING, "Your payment is under way. Nothing more is to be done."),
        (InvoiceStatus.REFUNDED, "What was paid of this invoice was paid back."),
        (InvoiceStatus.CANCELLED, "State Cancelled"),
    ],
)
def test_nothing_is_asked_for_on_a_settled_invoice(backup, status, said):
    invoice = make_invoice(backup.client, advance={backup: "29.00"}, status=status)

    (sheet,) = text_of(invoice)

    assert said in sheet
    assert "Please pay" not in sheet


def test_the_same_invoice_gives_the_same_bytes(backup):
    invoice = make_invoice(backup.client, charges=[make_charge(backup)])

    assert invoice_pdf(invoice) == invoice_pdf(Invoice.objects.get(pk=invoice.pk))


def test_names_in_greek_and_cyrillic_are_printed():
    client = make_client(company_name="Αθηνά Ελλάς και Привет")
    invoice = make_invoice(client, advance={make_service(client): "1.00"})

    (sheet,) = text_of(invoice)

    assert "Αθηνά Ελλάς και Привет" in sheet


def test_a_long_invoice_repeats_its_headings_and_keeps_the_total(backup):
    services = [make_service(backup.client) for _ in range(60)]
    invoice = make_invoice(backup.client, advance=dict.fromkeys(services, "2.50"))

    pages = text_of(invoice)

    assert len(pages) == 4
    assert all("Description and period Quantity Unit price Amount" in page for page in pages[:3])
    assert "Total €150.00" in pages[-1]
