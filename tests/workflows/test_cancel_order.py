"""Taking an order back: all of it or nothing, and never what was begun or paid."""

from decimal import Decimal

import pytest

from billing_portal.audit.models import Entry
from billing_portal.invoices.actions import InvoiceNotCancellable
from billing_portal.orders.models import Order
from billing_portal.services.models import Service
from billing_portal.workflows import bill_run
from billing_portal.workflows.cancel_order import OrderNotCancellable, cancel_order
from billing_portal.workflows.invoice_paid import record_payment
from billing_portal.workflows.place_order import OrderRequest, place_order
from provisioning import actions, runner
from provisioning.models import Job, Placement
from tests.factories import AT, make_client, make_product, make_server, make_user, only, utc

pytestmark = pytest.mark.django_db

LATER = utc(2026, 11, 2)


@pytest.fixture(autouse=True)
def server(vendor):
    return make_server("box", max_services=1)


def make_order(*products):
    products = products or (make_product(recurring="10"), make_product(recurring="5"))
    return place_order(
        client=make_client(),
        placed_by=None,
        items=[OrderRequest(product.pk, "monthly", "", {"size": "5"}) for product in products],
        payment_method="bank_transfer",
        submission_key="a",
        at=AT,
    )


def cancel(order, actor=None):
    cancel_order(order.pk, reason="changed their mind", at=LATER, actor=actor)
    order.refresh_from_db()


def states(order):
    """The order's, its invoice's, and its services'."""
    order = Order.objects.select_related("invoice").get(pk=order.pk)
    services = Service.objects.filter(order_item__order=order).order_by("pk")
    return (
        order.status,
        order.invoice and order.invoice.status,
        list(services.values_list("status", flat=True)),
    )


def pay(order, amount):
    record_payment(
        invoice_id=order.invoice_id,
        gateway="test",
        external_id="x",
        amount=Decimal(amount),
        currency="EUR",
        received_at=AT,
        at=AT,
    )


def test_an_unpaid_order_goes_with_its_services_and_invoice():
    order = make_order()

    cancel(order, actor=make_user(name="Sam Staff"))

    assert states(order) == ("cancelled", "cancelled", ["cancelled", "cancelled"])
    entry = Entry.objects.get(action="order.cancelled")
    assert (entry.actor_name, entry.summary) == (
        "Sam Staff",
        f"Order {order.number} cancelled: changed their mind",
    )


def test_nothing_of_a_cancelled_order_is_billed_later():
    order = make_order()

    cancel(order)

    assert only(bill_run.bill_client(order.client_id, utc(2027, 3, 1))) is None


def test_cancelling_again_changes_nothing():
    order = make_order()
    cancel(order)
    before = Entry.objects.count()

    cancel(order)

    assert Entry.objects.count() == before


@pytest.mark.parametrize("amount", ["15.00", "1.00"])
def test_a_paid_order_stays(amount):
    order = make_order()
    pay(order, amount)
    before = states(order)

    with pytest.raises(InvoiceNotCancellable):
        cancel(order)

    assert states(order) == before
    assert before[0] == "placed"


def test_an_order_that_started_stays():
    order = make_order(make_product())

    with pytest.raises(OrderNotCancellable, match="has already been started"):
        cancel(order)

    assert states(order) == ("placed", None, ["pending"])


def test_an_active_service_stays():
    order = make_order(make_product(module_key="", recurring="0"))

    with pytest.raises(OrderNotCancellable):
        cancel(order)

    assert states(order) == ("placed", None, ["active"])


def test_a_failed_creation_must_be_resolved_first(vendor):
    order = make_order(make_product())
    vendor.rejects = "no"
    job = Job.objects.get()
    runner.run(job.pk, at=AT)

    with pytest.raises(OrderNotCancellable):
        cancel(order)

    actions.resolve(job.pk, at=LATER, actor=None, reason="nothing was created")
    cancel(order)
    assert states(order) == ("cancelled", None, ["cancelled"])


def test_the_place_kept_for_it_is_free_again(vendor):
    order = make_order(make_product())
    vendor.rejects = "no"
    job = Job.objects.get()
    runner.run(job.pk, at=AT)
    actions.resolve(job.pk, at=LATER, actor=None, reason="nothing was created")

    cancel(order)

    assert Placement.objects.get().removed_at == LATER


def test_a_service_that_ended_before_does_not_stand_in_the_way():
    order = make_order()
    first = order.items.order_by("pk").first().service
    Service.objects.filter(pk=first.pk).update(status="fraud")

    cancel(order)

    assert states(order) == ("cancelled", "cancelled", ["fraud", "cancelled"])
