"""Half a year of daily work with a promotion, an add-on and a discount; who gets which invoice."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing_portal.clients.models import Client
from billing_portal.invoices.models import BillingSettings, Invoice, InvoiceStatus
from billing_portal.services.models import Service, ServiceAddon
from billing_portal.workflows import addon_orders, bill_run, daily
from billing_portal.workflows.invoice_paid import record_payment
from billing_portal.workflows.place_order import AddonRequest, OrderRequest, place_order
from tests.factories import (
    make_addon,
    make_client,
    make_client_group,
    make_product,
    make_promotion,
    make_service,
    utc,
)
from tests.workflows.billing import lines

pytestmark = pytest.mark.django_db

ORDERED = utc(2026, 1, 15, 10)


def set_rules(**fields):
    values = {"lead_days": 14, "due_policy": BillingSettings.DuePolicy.PERIOD_START}
    BillingSettings.objects.update_or_create(pk=1, defaults=values | fields)


def play(first, last):
    """Every day at three: the bill run and the day's work, and each invoice paid at noon."""
    day = first
    while day <= last:
        bill_run.bill_all(utc(day.year, day.month, day.day, 3))
        daily.tick(utc(day.year, day.month, day.day, 5))
        pay_all(utc(day.year, day.month, day.day, 12))
        day += timedelta(days=1)


def pay_all(at):
    for invoice in Invoice.objects.filter(status=InvoiceStatus.UNPAID).order_by("pk"):
        record_payment(
            invoice_id=invoice.pk,
            gateway="bank_transfer",
            external_id=f"for {invoice.number}",
            amount=invoice.balance,
            currency="EUR",
            received_at=at,
            at=at,
        )


def order(client, product, *, code="", addons=()):
    return place_order(
        client=client,
        placed_by=None,
        items=[OrderRequest(product.pk, "monthly", "", {}, addons=addons)],
        payment_method="bank_transfer",
        submission_key="the order",
        at=ORDERED,
        promotion_code=code,
    )


def issued():
    """Day of issue and total of every invoice, in the order of their numbers."""
    return [
        (f"{invoice.issue_date:%m-%d}", f"{invoice.total:.2f}")
        for invoice in Invoice.objects.order_by("number")
    ]


# --- Scenario 3 ---------------------------------------------------------------------------


def two_services(client: Client) -> None:
    """Of the same due date and way to pay."""
    for price in ("30", "12.50"):
        make_service(
            client,
            product=make_product(module_key=""),
            recurring=price,
            anchor_date=date(2026, 5, 1),
            billed_until=date(2026, 6, 1),
        )


def test_services_due_on_the_same_day_share_an_invoice():
    client = make_client()
    two_services(client)

    invoices = bill_run.bill_client(client.pk, utc(2026, 6, 1, 3))

    assert [f"{invoice.total:.2f}" for invoice in invoices] == ["42.50"]


@pytest.mark.parametrize("who", ["client", "group"])
def test_a_client_or_group_that_wants_it_gets_an_invoice_for_each_service(who):
    if who == "client":
        client = make_client(separate_invoices=True)
    else:
        client = make_client(group=make_client_group(separate_invoices=True))
    two_services(client)

    invoices = bill_run.bill_client(client.pk, utc(2026, 6, 1, 3))

    assert [f"{invoice.total:.2f}" for invoice in invoices] == ["30.00", "12.50"]
    assert {invoice.due_date for invoice in invoices} == {invoices[0].due_date}
    assert bill_run.bill_client(client.pk, utc(2026, 6, 1, 4)) == []


def test_an_addon_stays_on_its_service_s_separate_invoice():
    client = make_client(separate_invoices=True)
    two_services(client)
    first = Service.objects.order_by("pk")[0]
    row = addon_orders.order(
        first.pk,
        addon_id=make_addon(first.product, "5").pk,
        cycle="monthly",
        quantity=1,
        request_key="k",
        at=utc(2026, 5, 1),
        actor=None,
    )
    pay_all(utc(2026, 5, 1, 12))
    assert row.billed_until == date(2026, 6, 1)

    invoices = bill_run.bill_client(client.pk, utc(2026, 6, 1, 3))

    assert [f"{invoice.total:.2f}" for invoice in invoices] == ["35.00", "12.50"]


# --- Half a year --------------------------------------------------------------------------


def test_a_promotion_for_three_renewals_over_half_a_year():
    set_rules()
    product = make_product(module_key="", recurring="30", setup_fee="10")
    make_promotion("SPRING", value="25", recurring=True, recurs_for=3, maximum_uses=1)

    order(make_client(), product, code="SPRING")
    pay_all(utc(2026, 1, 15, 12))
    play(date(2026, 1, 16), date(2026, 7, 15))

    # 40.00 less a quarter; three renewals at 22.50, each 14 days before its period; then 30.00.
    assert issued() == [
        ("01-15", "30.00"),
        ("02-01", "22.50"),
        ("03-01", "22.50"),
        ("04-01", "22.50"),
        ("05-01", "30.00"),
        ("06-01", "30.00"),
        ("07-01", "30.00"),
    ]
    third, fourth = Invoice.objects.order_by("number")[3:5]
    assert lines(third) == [
        ("recurring", "2026-04-15", "2026-05-15", "30.00"),
        ("discount", "2026-04-15", "2026-05-15", "-7.50"),
    ]
    assert lines(fourth) == [("recurring", "2026-05-15", "2026-06-15", "30.00")]
    service = Service.objects.get()
    assert (service.discounts_left, service.billed_until) == (0, date(2026, 8, 15))


def test_promotion_group_and_addon_together_and_the_addon_ends_with_its_period():
    set_rules()
    product = make_product(module_key="", recurring="30")
    addon = make_addon(product, "10", setup_fee="4")
    make_promotion("HALF", value="50", recurring=True, recurs_for=1)
    client = make_client(group=make_client_group("Partners", discount_percent="10"))

    order(client, product, code="HALF", addons=[AddonRequest(addon.pk)])
    pay_all(utc(2026, 1, 15, 12))
    play(date(2026, 1, 16), date(2026, 3, 20))
    row = ServiceAddon.objects.get()
    assert row.status == "active"
    addon_orders.cancel(row.pk, at=utc(2026, 3, 20, 15), actor=None)
    play(date(2026, 3, 21), date(2026, 5, 20))

    # 30 - 15 - 1.50 and 4 + 10 - 1; the same without set-up; 27 and 9; then 27 alone.
    assert issued() == [
        ("01-15", "26.50"),
        ("02-01", "22.50"),
        ("03-01", "36.00"),
        ("04-01", "27.00"),
        ("05-01", "27.00"),
    ]
    row.refresh_from_db()
    assert (row.status, row.ends_on, f"{row.ended_at:%m-%d}") == (
        "cancelled",
        date(2026, 4, 15),
        "04-15",
    )
    assert Invoice.objects.exclude(status=InvoiceStatus.PAID).count() == 0
    assert sum(invoice.paid_amount for invoice in Invoice.objects.all()) == Decimal("139.00")
