"""What an e-invoice says, and what staff are told when something is missing."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from billing_portal.calc.tax import TaxCategory, TaxRate, TaxTreatment
from billing_portal.invoices.einvoice import Line, NoEInvoice, TaxRow
from billing_portal.invoices.einvoice_checks import missing, missing_for_xrechnung
from billing_portal.invoices.einvoice_codes import payment_means
from billing_portal.invoices.einvoice_reading import of_credit_note, of_invoice
from billing_portal.invoices.models import InvoiceStatus
from billing_portal.invoices.parties import Account
from tests.factories import make_charge, make_invoice, make_service
from tests.invoices.documents import (
    REVERSE_CHARGE,
    VAT_19,
    advance,
    credit_note,
    discount,
    issued,
    item_of,
    make_business,
    storage,
)

pytestmark = pytest.mark.django_db
STANDARD = (TaxCategory.STANDARD, Decimal(19))


@pytest.fixture
def client():
    return make_business()


def test_a_line_has_its_net_price_its_units_and_its_days(client):
    invoice = issued(client, recurring=[advance(client, "30.00", quantity=3)], treatment=VAT_19)

    (line,) = of_invoice(invoice).lines

    assert line == Line(
        number=1,
        name="Hosted PBX",
        quantity=Decimal(3),
        unit="C62",
        price=Decimal(10),
        price_per=1,
        amount=Decimal("30.00"),
        category=TaxCategory.STANDARD,
        percent=Decimal(19),
        first_day=date(2026, 12, 1),
        last_day=date(2026, 12, 31),
    )


def test_storage_is_counted_in_gigabytes_at_a_price_per_thousand(client):
    (line,) = of_invoice(issued(client, charges=[storage(client)])).lines

    assert (line.quantity, line.unit, line.price, line.price_per) == (
        Decimal("861.111111"),
        "E34",
        Decimal(10),
        1000,
    )


def test_a_discount_is_a_negative_quantity_at_a_positive_price(client):
    item = advance(client, "30.00", discounts=(discount("4.50"),))

    _, line = of_invoice(issued(client, recurring=[item], treatment=VAT_19)).lines

    assert (line.quantity, line.price, line.amount) == (
        Decimal(-1),
        Decimal("4.50"),
        Decimal("-4.50"),
    )


def test_a_price_that_held_tax_is_told_without_it(client):
    inclusive = TaxTreatment(VAT_19.rates, VAT_19.rates, TaxCategory.STANDARD)
    item = advance(client, "119.00", quantity=2)

    (line,) = of_invoice(issued(client, recurring=[item], treatment=inclusive)).lines

    assert (line.quantity, line.price, line.amount) == (Decimal(2), Decimal(50), Decimal("100.00"))


def test_calls_are_one_piece_whose_name_says_how_many_minutes(client):
    charge = make_charge(
        make_service(client),
        metric="calls",
        description="Calls: 3",
        quantity=Decimal(6),
        unit="min",
        unit_price=None,
    )

    (line,) = of_invoice(issued(client, charges=[item_of(charge)])).lines

    assert (line.name, line.quantity, line.unit, line.price) == (
        "Calls: 3 (6 min)",
        Decimal(1),
        "C62",
        Decimal("8.61"),
    )


def test_lines_without_tax_beside_taxed_ones_are_exempt(client):
    items = [advance(client, "100.00"), advance(client, "15.00", taxable=False)]

    invoice = of_invoice(issued(client, recurring=items, treatment=VAT_19))

    assert invoice.taxes == (
        TaxRow(*STANDARD, Decimal("100.00"), Decimal("19.00")),
        TaxRow(
            TaxCategory.EXEMPT,
            Decimal(0),
            Decimal("15.00"),
            Decimal(0),
            reason="Exempt from tax",
        ),
    )
    assert (invoice.net_total, invoice.tax_total, invoice.total) == (
        Decimal("115.00"),
        Decimal("19.00"),
        Decimal("134.00"),
    )


def test_two_taxes_of_one_line_are_one_rate(client):
    rates = (TaxRate("GST", Decimal(5)), TaxRate("PST", Decimal(7)))
    treatment = TaxTreatment(rates, category=TaxCategory.STANDARD)

    invoice = of_invoice(issued(client, recurring=[advance(client, "100.00")], treatment=treatment))

    assert invoice.taxes == (
        TaxRow(TaxCategory.STANDARD, Decimal(12), Decimal("100.00"), Decimal("12.00")),
    )


def test_reverse_charge_says_so_in_code_and_in_the_words_of_the_invoice():
    client = make_business(country="AT", tax_id="ATU 1234.5678")
    lines = [advance(client, "10.00")]

    invoice = of_invoice(issued(client, recurring=lines, treatment=REVERSE_CHARGE))

    (row,) = invoice.taxes
    assert (row.category, row.reason_code, row.reason) == (
        "AE",
        "VATEX-EU-AE",
        "Reverse charge: the recipient of the service is liable for VAT.",
    )
    assert invoice.notes == ("Reverse charge: the recipient of the service is liable for VAT.",)
    assert (invoice.seller.vat_id, invoice.buyer.vat_id) == ("DE000000000", "ATU12345678")
    assert missing(invoice) == []


def test_a_document_outside_the_scope_of_vat_names_no_vat_ids(client):
    invoice = of_invoice(issued(client, recurring=[advance(client, "10.00")]))

    assert (invoice.seller.vat_id, invoice.seller.identifier) == ("", "DE000000000")
    assert (invoice.buyer.vat_id, invoice.buyer.tax_number) == ("", "DE123456789")
    assert [row.reason_code for row in invoice.taxes] == ["VATEX-EU-O"]


@pytest.mark.parametrize(
    ("rate", "treatment", "home_tax"),
    [
        ("1.1875", VAT_19, ("EUR", Decimal("16.00"))),
        ("1", VAT_19, None),
        ("1.1875", REVERSE_CHARGE, None),
    ],
)
def test_tax_in_another_currency_is_told_in_the_sellers_too(rate, treatment, home_tax):
    client = make_business(currency="USD")
    row = issued(client, recurring=[advance(client, "100.00")], treatment=treatment)
    row.exchange_rate = Decimal(rate)

    assert of_invoice(row).home_tax == home_tax


def test_payments_and_credit_are_prepaid_and_credit_notes_are_not(client):
    row = issued(client, recurring=[advance(client, "100.00")], treatment=VAT_19)
    row.paid_amount, row.credit_applied = Decimal("50.00"), Decimal("9.00")
    row.credited_amount = Decimal("20.00")

    invoice = of_invoice(row)

    assert (invoice.prepaid, invoice.payable) == (Decimal("59.00"), Decimal("60.00"))


def test_a_credit_note_names_its_invoice_and_counts_positively(client):
    invoice = issued(client, recurring=[advance(client, "10.00")], treatment=VAT_19)

    note = of_credit_note(credit_note(invoice, "10.00", taxes=invoice.taxes, tax="1.90"))

    assert (note.type_code, note.corrects, note.total) == (
        "381",
        (invoice.number, date(2026, 12, 1)),
        Decimal("11.90"),
    )
    assert [(line.quantity, line.price) for line in note.lines] == [(1, Decimal("10.00"))]
    assert note.notes == ("Cancelled within the first week",)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"status": InvoiceStatus.DRAFT}, "A draft is no e-invoice. Issue it first."),
        (
            {"is_proforma": True},
            "A proforma is no e-invoice. The invoice follows when it is paid.",
        ),
        (
            {"status": InvoiceStatus.CANCELLED},
            "INV-7 is cancelled, so it is no e-invoice any more.",
        ),
        ({"currency": "KWD"}, "E-invoices have two decimals at most; KWD has three."),
    ],
)
def test_what_is_no_invoice_is_no_e_invoice(client, fields, said):
    row = make_invoice(client, advance={make_service(client): "1.00"}, number="INV-7")
    for name, value in fields.items():
        setattr(row, name, value)

    with pytest.raises(NoEInvoice) as refused:
        of_invoice(row)

    assert str(refused.value) == said


def test_an_invoice_of_an_earlier_version_is_read_out_of_its_printed_address(client):
    row = make_invoice(client, advance={make_service(client): "1.00"})

    invoice = of_invoice(row)

    assert (invoice.seller.address.city, invoice.buyer.address.postcode) == ("Hamburg", "10115")
    assert missing(invoice) == []


# --- What is missing ----------------------------------------------------------------------


def test_an_authority_needs_a_reference_and_a_telephone_number():
    client = make_business(buyer_reference="")

    invoice = of_invoice(issued(client, recurring=[advance(client, "10.00")], treatment=VAT_19))

    assert missing(invoice) == []
    assert missing_for_xrechnung(invoice) == [
        "Acme Ltd has no buyer reference (Leitweg-ID). Enter it with the client; it is printed"
        " on documents issued from then on.",
        "The seller has no telephone number: set SELLER_PHONE.",
    ]


def test_with_both_nothing_is_missing(client, settings):
    settings.SELLER_PHONE = "+49 40 123456"

    invoice = of_invoice(issued(client, recurring=[advance(client, "10.00")], treatment=VAT_19))

    assert missing_for_xrechnung(invoice) == []


def test_tax_is_left_to_no_buyer_without_a_vat_id():
    client = make_business(tax_id="")

    lines = [advance(client, "10.00")]
    invoice = of_invoice(issued(client, recurring=lines, treatment=REVERSE_CHARGE))

    assert missing(invoice) == ["Acme Ltd has no VAT id, so no tax can be left to it."]


def test_a_seller_with_a_tax_number_only_leaves_its_tax_to_nobody(settings):
    settings.SELLER_TAX_ID = "22/123/45678"
    client = make_business(country="CH", tax_id="")
    export = TaxTreatment(category=TaxCategory.EXPORT, note="Outside the EU.")

    invoice = of_invoice(issued(client, recurring=[advance(client, "10.00")], treatment=export))

    assert missing(invoice) == [
        "Without a VAT id of the seller its tax cannot be left to others: set SELLER_TAX_ID."
    ]


def test_sums_that_do_not_add_up_are_not_sent(client):
    invoice = of_invoice(issued(client, recurring=[advance(client, "10.00")], treatment=VAT_19))

    broken = replace(invoice, net_total=Decimal("9.99"), tax_total=Decimal("1.91"))

    assert missing(broken) == [
        "The lines do not add up to the net total.",
        "The taxes do not add up to the tax total.",
    ]


@pytest.mark.parametrize(
    ("iban", "currency", "code"),
    [
        ("DE89370400440532013000", "EUR", "58"),
        ("DE89370400440532013001", "EUR", "30"),
        ("DE89370400440532013000", "USD", "30"),
        ("", "EUR", "1"),
    ],
)
def test_sepa_is_for_euros_and_a_correct_iban(client, iban, currency, code):
    invoice = of_invoice(issued(client, recurring=[advance(client, "10.00")]))

    assert payment_means(replace(invoice, account=Account(iban, ""), currency=currency)) == code
