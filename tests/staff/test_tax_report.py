"""The tax report: what was issued, by country, rate and category, and the one-stop shop."""

from datetime import date
from decimal import Decimal

import pytest
import time_machine

from billing_portal.invoices.models import CreditNote
from tests.factories import make_client, make_invoice, utc
from tests.taxes.rows import make_tax_rule, make_tax_settings

pytestmark = pytest.mark.django_db
REPORT = "/staff/taxes/report/"


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel(utc(2026, 11, 20, 12), tick=False):
        yield


@pytest.fixture
def german(db):
    make_tax_rule("VAT", "19", country="DE")
    make_tax_rule("VAT", "20", country="FR")
    return make_tax_settings(eu_vat=True)


def text(answer):
    return " ".join(answer.content.decode().split())


def row(category="S", percent="20", base="100", amount="20", name="VAT"):
    return {
        "name": name,
        "percent": percent,
        "category": category,
        "base": base,
        "amount": amount,
    }


def issue(country, *rows, on=date(2026, 11, 5), **fields):
    """An invoice whose lines' net is that of its first tax and of its untaxed rows."""
    bases = [Decimal(r["base"]) for r in rows[:1]]
    net, tax = sum(bases, Decimal(0)), sum((Decimal(r["amount"]) for r in rows), Decimal(0))
    values = {
        "issue_date": on,
        "issued_at": utc(on.year, on.month, on.day),
        "buyer": {"country": country, "city": "X"},
        "taxes": list(rows),
        "net_total": net,
        "tax_total": tax,
        "total": net + tax,
    }
    return make_invoice(make_client(country=country), **values | fields)


def credit(invoice, net, tax, *rows, on=date(2026, 11, 6)):
    return CreditNote.objects.create(
        invoice=invoice,
        client=invoice.client,
        number=f"CN-{invoice.number}",
        currency=invoice.currency,
        reason="Too much",
        issued_at=utc(on.year, on.month, on.day),
        issue_date=on,
        net_total=Decimal(net),
        tax_total=Decimal(tax),
        total=Decimal(net) + Decimal(tax),
        taxes=list(rows),
        seller=invoice.seller,
        buyer=invoice.buyer,
    )


def csv_of(staff, **asked):
    answer = staff.get(REPORT, {"format": "csv"} | asked)
    return b"".join(answer.streaming_content).decode().splitlines()


def test_the_report_adds_up_invoices_and_takes_credit_notes_off(staff, german):
    first = issue("FR", row())
    issue("FR", row(percent="20.0000", base="50.00", amount="10.00"))
    issue("DE", row(percent="19", base="200", amount="38"))
    issue("BE", row("AE", "0", "80", "0", name=""))
    credit(first, "40", "8", row(base="40", amount="8"))

    assert csv_of(staff, period="2026-11") == [
        "Country,Treatment,Tax,Rate,Currency,Net,Tax amount",
        "BE,Reverse charge,,,EUR,80.00,0.00",
        "DE,Taxed,VAT,19 %,EUR,200.00,38.00",
        "FR,Taxed,VAT,20 %,EUR,110.00,22.00",
    ]
    page = text(staff.get(REPORT, {"period": "2026-11"}))
    assert "€390.00" in page  # 80 + 200 + 110 net
    assert "€60.00" in page  # 38 + 22 tax


def test_only_what_was_issued_in_the_period_counts(staff, german):
    issue("DE", row(base="1"), on=date(2026, 10, 31))
    issue("DE", row(base="2"), on=date(2026, 11, 1))
    issue("DE", row(base="3"), on=date(2026, 11, 30))
    issue("DE", row(base="4"), on=date(2026, 12, 1))

    assert csv_of(staff, period="2026-11")[1:] == ["DE,Taxed,VAT,20 %,EUR,5.00,40.00"]
    assert csv_of(staff, period="2026-Q4")[1:] == ["DE,Taxed,VAT,20 %,EUR,10.00,80.00"]


def test_drafts_proformas_and_void_invoices_are_no_sales(staff, german):
    issue("DE", row(), status="draft", number=None)
    issue("DE", row(), is_proforma=True)
    issue("DE", row(), status="cancelled")
    corrected = issue("DE", row(base="7", amount="1.40"), status="cancelled")
    credit(corrected, "7", "1.40", row(base="7", amount="1.40"), on=date(2026, 12, 1))

    assert csv_of(staff)[1:] == ["DE,Taxed,VAT,20 %,EUR,7.00,1.40"]


def test_a_second_tax_has_a_row_and_the_net_is_counted_once(staff, german):
    issue(
        "CA",
        row(name="GST", percent="5", base="100", amount="5"),
        row(name="QST", percent="9.975", base="100", amount="9.98"),
    )

    assert csv_of(staff)[1:] == [
        "CA,Taxed,GST,5 %,EUR,100.00,5.00",
        "CA,Taxed,QST,9.975 %,EUR,100.00,9.98",
    ]
    page = text(staff.get(REPORT))
    assert "<dt>Net, EUR</dt><dd>€100.00</dd>" in page
    assert "<dt>Tax, EUR</dt><dd>€14.98</dd>" in page


def test_documents_without_any_tax_are_shown_as_such(staff, db):
    issue("DE", net_total=Decimal(9), total=Decimal(9))

    assert csv_of(staff)[1:] == ["DE,No tax charged,,,EUR,9.00,0.00"]


def test_the_one_stop_shop_is_for_consumers_of_other_member_states(staff, german):
    issue("DE", row(percent="19", base="200", amount="38"))
    issue("BE", row("AE", "0", "80", "0", name=""))
    issue("US", row("O", "0", "70", "0", name=""))
    issue("PT", row(percent="19", base="60", amount="11.40"))  # no rule for it: the home rate
    issue("FR", row())

    assert csv_of(staff, view="oss")[1:] == ["FR,Taxed,VAT,20 %,EUR,100.00,20.00"]
    page = text(staff.get(REPORT, {"view": "oss"}))
    assert "€100.00" in page and "€200.00" not in page


def test_an_empty_report_says_so(staff, db):
    assert "Nothing was issued in this period." in text(staff.get(REPORT))
    assert "No consumer of another member state" in text(staff.get(REPORT, {"view": "oss"}))


@pytest.mark.parametrize("asked", [{"period": "1999-01"}, {"period": "x"}, {"view": "moon"}])
def test_a_period_or_view_nobody_offers_is_not_found(staff, asked):
    assert staff.get(REPORT, asked).status_code == 404


def test_any_number_of_documents_costs_the_same(staff, german, django_assert_max_num_queries):
    for _ in range(12):
        credit(issue("FR", row()), "1", "0.20", row(base="1", amount="0.20"))

    with django_assert_max_num_queries(12):
        staff.get(REPORT)
