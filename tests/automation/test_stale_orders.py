"""Orders nobody pays are taken back, if the seller wants that, and only those."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.automation.models import AutomationSettings, TaskItem
from billing_portal.clients.models import Client
from billing_portal.invoices.models import Invoice
from billing_portal.orders.models import Order, OrderItem
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import daily
from tests.automation.rows import DUE, mailed, make_overdue
from tests.factories import AT, make_service, utc

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(db: None) -> Order:
    """A pending service, ordered with an invoice due on 1 May."""
    AutomationSettings.objects.create(pk=1, send_reminders=False, cancel_unpaid_orders=True)
    service = make_service(status=ServiceStatus.PENDING, anchor_date=DUE)
    order = Order.objects.create(
        number="1234567890",
        client=service.client,
        submission_key="k",
        currency="EUR",
        total=Decimal(30),
        invoice=make_overdue(service),
        placed_at=AT,
    )
    OrderItem.objects.create(order=order, product=service.product, service=service, cycle="monthly")
    return order


def live(day: int) -> tuple[str, str, str]:
    """The states of order, invoice and service after the tick of that day in May."""
    daily.tick(utc(2026, 5, day, 4))
    return Order.objects.get().status, Invoice.objects.get().status, Service.objects.get().status


def test_two_weeks_after_the_due_date_an_unpaid_order_is_cancelled_and_its_client_told(order):
    assert live(14) == ("placed", "unpaid", "pending")

    assert live(15) == ("cancelled", "cancelled", "cancelled")

    assert mailed() == ["order_cancelled"]
    assert [item.summary for item in TaskItem.objects.filter(run__task="orders")] == [
        f"Order 1234567890 of Acme Ltd cancelled: {order.invoice} was never paid"
    ]


def test_it_is_off_by_default(order):
    AutomationSettings.objects.all().delete()

    assert live(30) == ("placed", "unpaid", "pending")


def test_a_part_payment_keeps_the_order_for_ever(order):
    Invoice.objects.update(paid_amount=Decimal(10))

    assert live(31) == ("placed", "unpaid", "pending")


def test_what_was_started_by_hand_is_left_alone(order):
    Service.objects.update(
        status=ServiceStatus.ACTIVE, activated_at=AT, never_suspend_until=date(2027, 1, 1)
    )

    assert live(31) == ("placed", "unpaid", "active")


def test_an_exempt_clients_order_is_left_to_people(order):
    Client.objects.update(exempt_from_dunning=True)

    assert live(31) == ("placed", "unpaid", "pending")
