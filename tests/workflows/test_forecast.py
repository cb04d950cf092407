"""The forecast is what the bill run will do, played ahead and taken back."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing_portal.audit.models import Entry
from billing_portal.calc.invoice import DraftInvoice
from billing_portal.clients.models import Client
from billing_portal.invoices.models import BillingSettings, Charge, Invoice, UsageWindow
from billing_portal.mail.models import ClientMail
from billing_portal.products.models import Addon
from billing_portal.services.models import Cancellation, Service, ServiceAddon
from billing_portal.taxes.models import TaxRule
from billing_portal.workflows import bill_run
from billing_portal.workflows.forecast import Forecast, forecast
from tests.factories import make_charge, make_client, make_product, make_service, utc
from tests.fakes import FakeVendor
from tests.workflows.billing import make_metered, window

pytestmark = pytest.mark.django_db

AT = utc(2026, 11, 10, 9)


def look(client: Client, at: datetime = AT, months: int = 12) -> Forecast:
    return forecast(client.pk, currency=client.currency, at=at, months=months)


def rented(client: Client, recurring: str = "30", **fields: Any) -> Service:
    values = {"anchor_date": date(2026, 11, 1), "billed_until": date(2026, 12, 1)}
    product = make_product(module_key="")
    return make_service(client, product=product, recurring=recurring, **values | fields)


def metered(vendor: FakeVendor, client: Client, owes: str = "5.01") -> Service:
    """Used and paid for the whole of October."""
    return make_metered(vendor, client, owes=owes, activated_at=utc(2026, 10, 1))


def months(found: Forecast) -> list[tuple[str, str]]:
    return [(f"{month.first:%Y-%m}", f"{month.total:.2f}") for month in found.months]


def drafts(found: Forecast) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    """Day of issue, due day, and each line's description, first day and amount."""
    return [
        (
            f"{invoice.day}",
            f"{invoice.draft.due_date}",
            [
                (line.description, f"{line.period_start}"[:10], f"{line.amount:.2f}")
                for line in invoice.draft.lines
            ],
        )
        for month in found.months
        for invoice in month.invoices
    ]


def test_a_month_by_month_service_is_twelve_months_less_the_one_that_is_paid():
    client = make_client()
    rented(client)

    found = look(client)

    assert months(found) == [
        ("2026-11", "0.00"),
        ("2026-12", "30.00"),
        *((f"2027-{month:02d}", "30.00") for month in range(1, 11)),
    ]
    assert (f"{found.total:.2f}", found.estimated) == ("330.00", 0)


def test_looking_ahead_leaves_nothing_behind(vendor):
    client = make_client()
    service = metered(vendor, client)
    vendor.owes(service.pk, window(service, 1), "7.00")
    before = [list(model.objects.values()) for model in (Service, Client)]

    look(client)

    assert [list(model.objects.values()) for model in (Service, Client)] == before
    for model in (Invoice, Charge, UsageWindow, ClientMail, Entry):
        assert not model.objects.exists()


def a_mixed_client() -> Client:
    """Anchors on four days, four cycles, an add-on, a limit, a term, tax, and a group discount."""
    group = Client._meta.get_field("group").related_model.objects.create(
        name="Friends", discount_percent=Decimal("7.50")
    )
    client = make_client(group=group, country="DE")
    TaxRule.objects.create(name="VAT", country="DE", percent=Decimal("19"))
    rented(client, "29.95", anchor_date=date(2026, 10, 31), billed_until=date(2026, 11, 30))
    yearly = rented(
        client,
        "299.99",
        cycle="annual",
        anchor_date=date(2024, 2, 29),
        billed_until=date(2027, 2, 28),
    )
    rented(
        client,
        "33.33",
        cycle="quarterly",
        anchor_date=date(2026, 9, 15),
        billed_until=date(2026, 12, 15),
    )
    rented(client, "10.01", periods_limit=4, periods_billed=1)
    rented(client, "11.11", ends_on=date(2027, 3, 20))
    ServiceAddon.objects.create(
        service=yearly,
        addon=Addon.objects.create(name="Mail", slug="mail"),
        status="active",
        cycle="monthly",
        currency="EUR",
        recurring_amount=Decimal("4.99"),
        anchor_date=date(2026, 11, 7),
        billed_until=date(2026, 12, 7),
        created_at=AT,
        activated_at=AT,
    )
    return client


def live_until(end: date) -> None:
    at = AT.replace(hour=3) + timedelta(days=1)
    while at.date() < end:
        assert bill_run.bill_all(at).parked == []
        at += timedelta(days=1)


def told(one: Invoice | DraftInvoice) -> tuple[Any, ...]:
    """What an invoice, or the draft of one, asks for."""
    lines = one.lines if isinstance(one, DraftInvoice) else one.lines.order_by("position")
    rows = [(line.description, line.period_start, line.amount, line.tax_amount) for line in lines]
    return one.net_total, one.tax_total, one.total, rows


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"lead_days": 14, "due_policy": BillingSettings.DuePolicy.PERIOD_START},
        {"lead_days": 30, "lead_days_by_cycle": {"monthly": 7}},
    ],
    ids=["on the day", "14 days ahead", "a lead of their own"],
)
def test_a_year_of_bill_runs_issues_what_was_foretold(rules):
    BillingSettings.objects.create(pk=1, **rules)
    client = a_mixed_client()
    foretold = look(client)

    live_until(date(2027, 11, 1))

    issued = Invoice.objects.filter(client=client).order_by("issued_at", "pk")
    assert [(one.day, *told(one.draft)) for month in foretold.months for one in month.invoices] == [
        (invoice.issue_date, *told(invoice)) for invoice in issued
    ]
    assert len(issued) > 20


# --- Usage -----------------------------------------------------------------------------------


def test_usage_of_months_to_come_is_as_the_last_closed_month_and_says_so(vendor):
    client = make_client()
    metered(vendor, client)
    bill_run.bill_client(client.pk, utc(2026, 11, 1, 3))

    found = look(client, months=3)

    assert drafts(found) == [
        (
            day,
            due,
            [
                ("Box, size 5", day, "29.95"),
                ("Traffic, estimate: as last month", used, "5.01"),
            ],
        )
        for day, due, used in [
            ("2026-12-01", "2026-12-15", "2026-11-01"),
            ("2027-01-01", "2027-01-15", "2026-12-01"),
        ]
    ]
    assert (f"{found.estimated:.2f}", f"{found.total:.2f}") == ("10.02", "69.92")
    assert [(f"{m.recurring:.2f}", f"{m.usage:.2f}") for m in found.months] == [
        ("0.00", "0.00"),
        ("29.95", "5.01"),
        ("29.95", "5.01"),
    ]


def test_a_month_that_is_over_is_measured_and_the_next_ones_follow_it(vendor):
    client = make_client()
    metered(vendor, client)

    found = look(client, at=utc(2026, 11, 1, 3), months=2)

    assert drafts(found)[0][2][1] == ("Traffic 2026-10-01", "2026-10-01", "5.01")
    assert f"{found.months[0].estimated:.2f}" == "0.00"


def test_without_a_closed_month_use_is_taken_to_go_on_as_so_far(vendor):
    client = make_client()
    service = make_metered(vendor, client, owes="", anchor=date(2026, 11, 1))
    Service.objects.update(activated_at=utc(2026, 11, 1), billed_until=date(2026, 12, 1))
    # 9 days and 9 hours of 30 days: 9.375, so 3.2 times as much in the month.
    vendor.owes(service.pk, window(service), "2.00")

    found = look(client, months=2)

    assert [line for _, _, lines in drafts(found) for line in lines][1] == (
        "Traffic, estimate: as so far",
        "2026-11-01",
        "6.40",
    )


def test_a_cancelled_service_brings_no_more_periods_and_no_use_after_its_end(vendor):
    client = make_client()
    service = metered(vendor, client)
    bill_run.bill_client(client.pk, utc(2026, 11, 1, 3))
    Cancellation.objects.create(
        service=service, when="period_end", requested_at=AT, ends_on=date(2026, 12, 1)
    )

    found = look(client)

    assert [lines for _, _, lines in drafts(found)] == [
        [("Traffic, estimate: as last month", "2026-11-01", "5.01")]
    ]


def test_what_waits_for_an_invoice_is_on_the_first_one():
    client = make_client()
    make_charge(rented(client), kind="item", amount=Decimal("12.00"), description="Setup help")

    found = look(client, months=2)

    assert [(f"{m.other:.2f}", f"{m.recurring:.2f}") for m in found.months] == [
        ("12.00", "0.00"),
        ("0.00", "30.00"),
    ]


# --- Edges -----------------------------------------------------------------------------------


def test_a_client_without_services_has_twelve_empty_months():
    found = look(make_client())

    assert [total for _, total in months(found)] == ["0.00"] * 12


def statements(do: Callable[[], object]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        do()
    return len(queries)


def test_more_services_on_the_same_days_cost_no_more_statements(vendor):
    client = make_client()
    make_metered(vendor, client)
    few = statements(lambda: look(client))

    for _ in range(9):
        make_metered(vendor, client)

    assert statements(lambda: look(client)) <= few + 5
    assert few < 600
