"""Acceptance scenario 7: tax on invoices the bill run makes, by the seller's settings."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from billing_portal.clients.models import Client
from billing_portal.invoices.models import Invoice
from billing_portal.taxes.models import TaxRule
from billing_portal.workflows import bill_run
from tests import fakes
from tests.factories import make_client, make_product, make_service, only, utc
from tests.taxes.rows import make_tax_id_check, make_tax_rule, make_tax_settings

pytestmark = pytest.mark.django_db
NIGHT = utc(2026, 11, 1, 2)


@pytest.fixture(autouse=True)
def _vendor(settings) -> Iterator[None]:
    with fakes.installed(settings):
        yield


def bill(*prices: str, taxable: bool = True, **client) -> Invoice:
    """The invoice of the night in which services at these prices are due."""
    payer = make_client(**client)
    for price in prices:
        make_service(
            payer,
            product=make_product(module_key="", taxable=taxable),
            recurring=price,
            anchor_date=date(2026, 10, 1),
            billed_until=date(2026, 11, 1),
        )
    invoice = only(bill_run.bill_client(payer.pk, NIGHT))
    assert invoice is not None
    invoice.refresh_from_db()
    return invoice


def sums(invoice: Invoice) -> str:
    return f"{invoice.net_total:.2f} + {invoice.tax_total:.2f} = {invoice.total:.2f}"


def taxes(invoice: Invoice) -> list[str]:
    return [f"{t['category']} {t['name']} {t['base']}: {t['amount']}" for t in invoice.taxes]


def test_two_taxes_and_the_same_compound():
    make_tax_settings()
    make_tax_rule("VAT", "20", country="DE")
    second = make_tax_rule("City tax", "5", country="DE", level=2)

    plain = bill("100.00")
    TaxRule.objects.filter(pk=second.pk).update(compound=True)
    compound = bill("100.00")

    assert sums(plain) == "100.00 + 25.00 = 125.00"
    assert taxes(plain) == ["S VAT 100.00: 20.00", "S City tax 100.00: 5.00"]
    assert sums(compound) == "100.00 + 26.00 = 126.00"
    assert taxes(compound) == ["S VAT 100.00: 20.00", "S City tax 120.00: 6.00"]


def test_prices_that_include_the_tax_are_what_the_client_pays():
    make_tax_settings(prices_include_tax=True)
    make_tax_rule("VAT", "20", country="DE")

    assert sums(bill("120.00")) == "100.00 + 20.00 = 120.00"
    assert sums(bill("100.00")) == "83.33 + 16.67 = 100.00"


def test_the_lines_taxes_are_the_tax_of_the_document():
    """19 % of 0.57 is 0.11; each line alone would be 0.04."""
    make_tax_settings()
    make_tax_rule("VAT", "19", country="DE")

    invoice = bill("0.19", "0.19", "0.19")

    assert sums(invoice) == "0.57 + 0.11 = 0.68"
    assert sorted(line.tax_amount for line in invoice.lines.all()) == [
        Decimal("0.03"),
        Decimal("0.04"),
        Decimal("0.04"),
    ]

    make_tax_settings(rounding="line")
    assert sums(bill("0.19", "0.19", "0.19")) == "0.57 + 0.12 = 0.69"


def test_a_changed_rule_leaves_issued_invoices_as_they_are():
    make_tax_settings()
    rule = make_tax_rule("VAT", "19", country="DE")
    invoice = bill("100.00")

    TaxRule.objects.filter(pk=rule.pk).update(percent=Decimal(25))

    invoice.refresh_from_db()
    assert taxes(invoice) == ["S VAT 100.00: 19.00"]
    assert sums(bill("100.00")) == "100.00 + 25.00 = 125.00"


def test_an_exempt_client_and_an_untaxed_product_bear_no_tax():
    make_tax_settings()
    make_tax_rule("VAT", "19", country="DE")

    exempt = bill("100.00", tax_exempt=True)
    untaxed = bill("100.00", taxable=False)

    assert (sums(exempt), exempt.tax_note) == ("100.00 + 0.00 = 100.00", "Exempt from tax.")
    assert sums(untaxed) == "100.00 + 0.00 = 100.00"
    assert taxes(untaxed) == ["E  100.00: 0.00"]


def test_a_confirmed_business_abroad_gets_reverse_charge_and_others_their_states_tax():
    make_tax_settings(eu_vat=True)
    make_tax_rule("VAT", "19", country="DE")
    make_tax_rule("VAT", "20", country="FR")
    abroad = {"country": "FR", "tax_id": "FR12345678901"}

    unconfirmed = bill("100.00", **abroad)
    payer = Client.objects.get(pk=unconfirmed.client_id)
    make_tax_id_check(payer, "valid")
    make_service(
        payer,
        product=make_product(module_key=""),
        recurring="50.00",
        anchor_date=date(2026, 10, 1),
        billed_until=date(2026, 11, 1),
    )
    confirmed = only(bill_run.bill_client(payer.pk, NIGHT))

    assert sums(unconfirmed) == "100.00 + 20.00 = 120.00"
    assert sums(confirmed) == "50.00 + 0.00 = 50.00"
    assert taxes(confirmed) == ["AE  50.00: 0.00"]
    assert confirmed.tax_note.startswith("Reverse charge")
    assert sums(bill("100.00", country="US")) == "100.00 + 0.00 = 100.00"
