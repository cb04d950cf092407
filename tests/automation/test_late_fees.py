"""Late fees: once per invoice, as a charge, never on the issued invoice itself."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.automation.models import AutomationSettings
from billing_portal.clients.models import Client
from billing_portal.invoices.models import Charge, Invoice
from billing_portal.workflows import bill_run, daily
from billing_portal.workflows.late_fees import fee_of
from tests.automation.rows import make_overdue
from tests.factories import make_service, rewrite_issued, utc

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fees(db: None) -> None:
    AutomationSettings.objects.create(
        pk=1, send_reminders=False, suspend_overdue=False, charge_late_fees=True
    )


def live(*days: int) -> None:
    for day in days:
        daily.tick(utc(2026, 5, day, 4))


def fees() -> list[tuple[str, str]]:
    return [(c.description, f"{c.amount:.2f}") for c in Charge.objects.order_by("pk")]


def test_five_days_late_costs_a_tenth_of_what_is_open_once():
    invoice = make_overdue()
    Invoice.objects.update(paid_amount=Decimal(10))
    live(5)
    assert fees() == []

    live(6, 7, 8)

    assert fees() == [(f"Late fee for invoice {invoice.number}, due 2026-05-01", "2.00")]
    invoice.refresh_from_db()
    assert (invoice.total, invoice.lines.count()) == (Decimal("30.00"), 1)


def test_the_fee_is_on_the_next_invoice_which_bears_none_in_turn():
    make_overdue(make_service(billed_until=date(2027, 1, 1)))
    live(6)

    [issued] = bill_run.bill_all(utc(2026, 5, 6, 5)).issued
    rewrite_issued(issued, due_date=date(2026, 5, 7))
    live(*range(7, 20))

    assert f"{issued.total:.2f}" == "3.00"
    assert [line.description for line in issued.lines.all()] == [fees()[0][0]]
    assert len(fees()) == 1


@pytest.mark.parametrize(
    ("balance", "percent", "minimum", "currency", "fee"),
    [
        ("30.00", "10", "0", "EUR", "3.00"),
        ("30.00", "10", "5", "EUR", "5.00"),
        ("30.00", "0", "5", "EUR", "5.00"),
        ("0.05", "10", "0", "EUR", "0.01"),
        ("995", "10", "0", "JPY", "100"),
    ],
)
def test_a_fee_is_a_percentage_at_least_the_minimum_rounded_once(
    balance, percent, minimum, currency, fee
):
    rules = AutomationSettings(late_fee_percent=Decimal(percent), late_fee_minimum=Decimal(minimum))

    assert fee_of(Decimal(balance), rules, currency=currency) == Decimal(fee)


def test_a_fee_of_nothing_is_not_charged():
    AutomationSettings.objects.update(late_fee_percent=0)
    make_overdue()

    live(6)

    assert fees() == []


def test_old_debt_bears_no_fee_when_fees_are_switched_on():
    make_overdue(due=date(2026, 4, 1))

    live(6)

    assert fees() == []


def test_exempt_and_paid_clients_bear_none():
    paid = make_overdue()
    Invoice.objects.filter(pk=paid.pk).update(status="paid")
    Client.objects.filter(pk=make_overdue().client_id).update(exempt_from_dunning=True)

    live(6)

    assert fees() == []
