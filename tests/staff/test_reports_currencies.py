"""The monthly report: every currency in the seller's own, corrections and refunds taken off."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.payments.models import Transaction
from billing_portal.products.models import ExchangeRate
from billing_portal.staff import reports
from tests.factories import AT, make_client, make_invoice, make_service, utc
from tests.workflows.money import bill, correct, paid_bill

pytestmark = pytest.mark.django_db

NOVEMBER = utc(2026, 11, 30)


def november():
    (row,) = [row for row in reports.months(NOVEMBER).rows if row[0].plain == "2026-11"]
    return row[1].plain, row[2].plain


def foreign(amount, rate):
    client = make_client(currency="USD")
    return make_invoice(
        client,
        advance={make_service(client, currency="USD"): amount},
        exchange_rate=Decimal(rate),
        issue_date=date(2026, 11, 5),
    )


def test_other_currencies_count_at_the_rate_of_their_day(vendor):
    bill("30.00", issue_date=date(2026, 11, 3))
    foreign("10.80", "1.08")
    foreign("12.00", "1.20")

    assert november() == ("50.00 EUR", "0.00 EUR")


def test_an_invoice_without_a_rate_is_left_out(vendor):
    foreign("10.80", "1")

    assert november() == ("0.00 EUR", "0.00 EUR")


def test_credit_notes_and_refunds_are_taken_off(vendor):
    invoice = paid_bill("30.00", issue_date=date(2026, 11, 3))
    correct(invoice, "10.00", at=utc(2026, 11, 20))
    Transaction.objects.update(refunded_amount=Decimal("10.00"))

    assert november() == ("20.00 EUR", "20.00 EUR")


def test_payments_in_other_currencies_count_at_todays_rate(vendor):
    ExchangeRate.objects.create(currency="USD", rate=Decimal("1.08"), as_of=AT)
    Transaction.objects.create(
        client=make_client(currency="USD"),
        gateway="test",
        external_id="x",
        amount=Decimal("21.60"),
        currency="USD",
        received_at=utc(2026, 11, 4),
    )

    assert november() == ("0.00 EUR", "20.00 EUR")
