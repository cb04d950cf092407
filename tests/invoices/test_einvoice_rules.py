"""What we write is valid under the schemas and rules of EN 16931, in both syntaxes."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import product

import pytest
from django.test import override_settings

from billing_portal.calc.tax import Rounding, TaxCategory, TaxRate, TaxTreatment
from billing_portal.invoices.einvoice import EInvoice
from billing_portal.invoices.einvoice_cii import cii_xml
from billing_portal.invoices.einvoice_reading import of_credit_note, of_invoice
from billing_portal.invoices.einvoice_ubl import xrechnung_xml
from billing_portal.invoices.models import Invoice
from tests.factories import make_charge, make_service
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
from tests.invoices.rules import broken_rules

pytestmark = pytest.mark.django_db

WRITERS: dict[str, Callable[[EInvoice], bytes]] = {"cii": cii_xml, "ubl": xrechnung_xml}
VAT_AND_MORE = [
    {"name": "VAT", "percent": "19", "category": "S", "base": "10.00", "amount": "1.90"}
]


def one_rate() -> EInvoice:
    client = make_business()
    return of_invoice(issued(client, recurring=[advance(client, "29.95")], treatment=VAT_19))


def two_levels_compound() -> EInvoice:
    client = make_business(currency="CAD", country="CA", tax_id="")
    rates = (TaxRate("GST", Decimal(5)), TaxRate("QST", Decimal("9.975"), compound=True))
    treatment = TaxTreatment(rates, category=TaxCategory.STANDARD, rounding=Rounding.LINE)
    lines = [advance(client, "29.95"), advance(client, "7.33")]
    return of_invoice(issued(client, recurring=lines, treatment=treatment))


def a_line_without_tax_beside_a_taxed_one() -> EInvoice:
    client = make_business()
    lines = [advance(client, "100.00"), advance(client, "15.00", taxable=False)]
    return of_invoice(issued(client, recurring=lines, treatment=VAT_19))


def prices_that_include_tax() -> EInvoice:
    client = make_business()
    treatment = TaxTreatment(VAT_19.rates, VAT_19.rates, TaxCategory.STANDARD)
    lines = [advance(client, "29.95", quantity=3), advance(client, "10.00")]
    return of_invoice(issued(client, recurring=lines, treatment=treatment))


def reverse_charge() -> EInvoice:
    client = make_business(country="AT", tax_id="ATU12345678")
    lines = [advance(client, "29.95")]
    return of_invoice(issued(client, recurring=lines, treatment=REVERSE_CHARGE))


def exempt() -> EInvoice:
    client = make_business()
    treatment = TaxTreatment(category=TaxCategory.EXEMPT, note="Exempt under section 4.")
    return of_invoice(issued(client, recurring=[advance(client, "29.95")], treatment=treatment))


def zero_rated() -> EInvoice:
    client = make_business()
    treatment = TaxTreatment(category=TaxCategory.ZERO)
    return of_invoice(issued(client, recurring=[advance(client, "29.95")], treatment=treatment))


def export() -> EInvoice:
    client = make_business(country="CH", tax_id="")
    treatment = TaxTreatment(category=TaxCategory.EXPORT, note="Outside the EU.")
    return of_invoice(issued(client, recurring=[advance(client, "29.95")], treatment=treatment))


def intra_community() -> EInvoice:
    client = make_business(country="FR", tax_id="FR12345678901")
    treatment = TaxTreatment(category=TaxCategory.INTRA_COMMUNITY, note="Tax-free supply.")
    return of_invoice(issued(client, recurring=[advance(client, "29.95")], treatment=treatment))


def outside_scope() -> EInvoice:
    client = make_business()
    return of_invoice(issued(client, recurring=[advance(client, "29.95")]))


def discounts() -> EInvoice:
    client = make_business()
    lines = [advance(client, "29.95", quantity=5, discounts=(discount("5.99"), discount("1.00")))]
    return of_invoice(issued(client, recurring=lines, treatment=VAT_19))


def usage() -> EInvoice:
    client = make_business()
    return of_invoice(issued(client, charges=[storage(client)], treatment=VAT_19))


def calls_each_with_their_rate() -> EInvoice:
    client = make_business()
    charge = make_charge(
        make_service(client), metric="calls", quantity=Decimal(6), unit="min", unit_price=None
    )
    return of_invoice(issued(client, charges=[item_of(charge)], treatment=VAT_19))


def a_unit_price_of_six_decimals() -> EInvoice:
    client = make_business()
    charge = make_charge(
        make_service(client),
        metric="traffic",
        quantity=Decimal("123456.654321"),
        unit="TB",
        unit_price=Decimal("0.000123"),
        amount=Decimal("15.19"),
    )
    return of_invoice(issued(client, charges=[item_of(charge)], treatment=VAT_19))


def a_negative_correction() -> EInvoice:
    client = make_business()
    correction = storage(client, "-1.50", quantity=Decimal(150), description="Correction")
    lines = [advance(client, "29.95")]
    return of_invoice(issued(client, recurring=lines, charges=[correction], treatment=VAT_19))


def part_paid() -> EInvoice:
    client = make_business()
    invoice = issued(client, recurring=[advance(client, "100.00")], treatment=VAT_19)
    Invoice.objects.filter(pk=invoice.pk).update(
        paid_amount=Decimal("50.00"), credit_applied=Decimal("19.00")
    )
    return of_invoice(Invoice.objects.get(pk=invoice.pk))


def a_credit_note() -> EInvoice:
    client = make_business()
    invoice = issued(client, recurring=[advance(client, "29.95")], treatment=VAT_19)
    return of_credit_note(credit_note(invoice, "12.00", "-2.00", taxes=VAT_AND_MORE, tax="1.90"))


def a_credit_note_without_tax() -> EInvoice:
    client = make_business(country="AT", tax_id="ATU12345678")
    lines = [advance(client, "29.95")]
    invoice = issued(client, recurring=lines, treatment=REVERSE_CHARGE)
    return of_credit_note(credit_note(invoice, "29.95", taxes=invoice.taxes))


def nothing_to_pay() -> EInvoice:
    client = make_business()
    lines = [advance(client, "29.95", discounts=(discount("29.95"),))]
    return of_invoice(issued(client, recurring=lines, treatment=VAT_19))


def a_hundred_lines() -> EInvoice:
    client = make_business()
    service = make_service(client)
    lines = [
        advance(client, f"{number}.37", service_id=service.pk, period_start=date(2020, 1, number))
        for number in range(1, 21)
    ]
    lines += [advance(client, "3.33") for _ in range(80)]
    return of_invoice(issued(client, recurring=lines, treatment=VAT_19))


def a_private_person_with_a_long_address() -> EInvoice:
    client = make_business(company_name="", tax_id="", address2="Backyard", state="Berlin")
    return of_invoice(issued(client, recurring=[advance(client, "29.95")], treatment=VAT_19))


def yen() -> EInvoice:
    client = make_business(currency="JPY", country="JP", tax_id="")
    treatment = TaxTreatment((TaxRate("VAT", Decimal(10)),), category=TaxCategory.STANDARD)
    return of_invoice(issued(client, recurring=[advance(client, "2995")], treatment=treatment))


def odd_letters() -> EInvoice:
    client = make_business(company_name='A & B <"Söhne"> Αθηνά')
    lines = [advance(client, "29.95", description="Box\x0b\x01 \U0001f4e6 <script>&amp;")]
    return of_invoice(issued(client, recurring=lines, treatment=VAT_19))


def a_seller_with_a_tax_number_only() -> EInvoice:
    with override_settings(SELLER_TAX_ID="22/123/45678"):
        client = make_business()
        return of_invoice(issued(client, recurring=[advance(client, "29.95")], treatment=VAT_19))


def a_seller_in_parts() -> EInvoice:
    parts = {
        "SELLER_STREET": "1 Quay\nGate B",
        "SELLER_POSTCODE": "1010",
        "SELLER_CITY": "Wien",
        "SELLER_COUNTRY": "AT",
        "SELLER_TAX_ID": "ATU12345678",
        "SELLER_REGISTRATION_ID": "FN 123456a",
        "SELLER_CONTACT": "Accounts",
        "SELLER_IBAN": "AT61 1904 3002 3457 3201",
        "SELLER_BIC": "BKAUATWW",
    }
    with override_settings(**parts):
        client = make_business()
        return of_invoice(issued(client, recurring=[advance(client, "29.95")], treatment=VAT_19))


def a_seller_without_an_account() -> EInvoice:
    with override_settings(SELLER_BANK_ACCOUNT=""):
        client = make_business()
        return of_invoice(issued(client, recurring=[advance(client, "29.95")], treatment=VAT_19))


def a_credit_note_outside_the_scope() -> EInvoice:
    client = make_business()
    invoice = issued(client, recurring=[advance(client, "29.95")])
    return of_credit_note(credit_note(invoice, "29.95"))


def tax_in_the_sellers_currency_too() -> EInvoice:
    client = make_business(currency="USD")
    invoice = issued(client, recurring=[advance(client, "100.00")], treatment=VAT_19)
    invoice.exchange_rate = Decimal("1.1875")
    return of_invoice(invoice)


DOCUMENTS = [
    tax_in_the_sellers_currency_too,
    a_seller_with_a_tax_number_only,
    a_seller_in_parts,
    a_seller_without_an_account,
    a_credit_note_outside_the_scope,
    one_rate,
    two_levels_compound,
    a_line_without_tax_beside_a_taxed_one,
    prices_that_include_tax,
    reverse_charge,
    exempt,
    zero_rated,
    export,
    intra_community,
    outside_scope,
    discounts,
    usage,
    calls_each_with_their_rate,
    a_unit_price_of_six_decimals,
    a_negative_correction,
    part_paid,
    a_credit_note,
    a_credit_note_without_tax,
    nothing_to_pay,
    a_hundred_lines,
    a_private_person_with_a_long_address,
    yen,
    odd_letters,
]


@pytest.mark.parametrize(
    ("make", "syntax"),
    list(product(DOCUMENTS, WRITERS)),
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_the_document_is_valid(make, syntax):
    xml = WRITERS[syntax](make())

    assert broken_rules(xml, syntax) == []


@pytest.mark.parametrize("syntax", WRITERS)
@pytest.mark.parametrize(
    ("written", "broken", "rule"),
    [
        (b">35.64<", b">35.65<", "BR-CO-15"),
        (b">5.69<", b">9.99<", "BR-CO-17"),
        (b">29.95<", b">29.96<", "BR-CO-15"),
        (b"EUR", b"EUX", "CurrencyCode"),
        (b">DE<", b"><", "BR-09"),
        (b">DE123456789<", b">XX123456789<", "BR-CO-09"),
    ],
)
def test_a_broken_document_fails(syntax, written, broken, rule):
    xml = WRITERS[syntax](one_rate())
    assert written in xml

    found = broken_rules(xml.replace(written, broken), syntax)

    assert [said for said in found if rule in said] != [], found


def test_a_negative_price_would_fail():
    xml = cii_xml(one_rate()).replace(b">29.95</ram:ChargeAmount>", b">-29.95</ram:ChargeAmount>")

    assert any("BR-27" in said for said in broken_rules(xml, "cii"))
