"""Several at once: the same result as one after the other, on both databases.

PostgreSQL locks rows, SQLite the whole database (`IMMEDIATE`); neither may show.
"""

import time
from collections import Counter
from decimal import Decimal
from threading import Event

import pytest
from django.db import transaction

from billing_portal.clients.models import Client
from billing_portal.invoices.models import Charge, Invoice, InvoiceLine, UsageWindow
from billing_portal.orders.models import Order
from billing_portal.payments.actions import PaymentRefused
from billing_portal.payments.models import Allocation, Transaction, WebhookEvent
from billing_portal.services import actions as services
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import bill_run
from billing_portal.workflows.cancel_order import cancel_order
from billing_portal.workflows.invoice_paid import apply_webhook, record_payment
from billing_portal.workflows.place_order import OrderRequest, place_order
from provisioning.models import Job, Placement
from tests.factories import AT, make_client, make_invoice, make_product, make_server, only, utc
from tests.threads import TIMEOUT_S, at_once, failures
from tests.workflows.billing import make_metered, totals

pytestmark = pytest.mark.django_db(transaction=True)

DUE = utc(2026, 11, 1, 2)


@pytest.fixture(autouse=True)
def _vendor(vendor):
    return vendor


def order(client, product, key):
    return place_order(
        client=client,
        placed_by=None,
        items=[OrderRequest(product.pk, "monthly", "", {"size": "5"})],
        payment_method="bank_transfer",
        submission_key=key,
        at=AT,
    )


def pay(invoice, amount="10.00", ref="ref"):
    return record_payment(
        invoice_id=invoice.pk,
        gateway="bank_transfer",
        external_id=ref,
        amount=Decimal(amount),
        currency="EUR",
        received_at=AT,
        at=AT,
    )


# --- Billing ------------------------------------------------------------------------------


def test_four_bill_runs_at_once_bill_what_one_would(vendor):
    metered = [make_metered(vendor) for _ in range(30)]

    reports = at_once(*[lambda: bill_run.bill_all(DUE)] * 4)

    assert failures(reports) == []
    assert [parked for report in reports for parked in report.parked] == []
    assert totals() == [(f"INV-2026-{n:05d}", "34.96") for n in range(1, 31)]
    assert Counter(Invoice.objects.values_list("client_id", flat=True)) == Counter(
        service.client_id for service in metered
    )
    assert sum(len(report.issued) for report in reports) == 30
    assert (Charge.objects.count(), UsageWindow.objects.count()) == (30, 30)
    assert InvoiceLine.objects.count() == 60


def test_two_workers_bill_one_client_once(vendor):
    service = make_metered(vendor)

    outcomes = at_once(*[lambda: only(bill_run.bill_client(service.client_id, DUE))] * 2)

    assert failures(outcomes) == []
    assert sorted(outcome is None for outcome in outcomes) == [False, True]
    assert totals() == [("INV-2026-00001", "34.96")]


@pytest.mark.postgres
def test_a_service_that_ends_meanwhile_is_not_billed_in_advance(vendor):
    """The run waits for whoever is ending the service, and then looks at what became of it."""
    service = make_metered(vendor, owes="")
    is_ending, is_billing = Event(), Event()

    def end():
        with transaction.atomic():
            services.move(service.pk, to=ServiceStatus.TERMINATED, at=DUE)
            is_ending.set()
            is_billing.wait(TIMEOUT_S)
            time.sleep(0.5)  # the run now waits for us, or has read the old state

    def bill():
        is_ending.wait(TIMEOUT_S)
        is_billing.set()
        return only(bill_run.bill_client(service.client_id, DUE))

    assert at_once(end, bill) == [None, None]


# --- Ordering -----------------------------------------------------------------------------


def test_two_clicks_at_once_are_one_order():
    client, product = make_client(), make_product(recurring="10")

    outcomes = at_once(*[lambda: order(client, product, "same")] * 2)

    assert failures(outcomes) == []
    assert outcomes[0] == outcomes[1]
    assert (Order.objects.count(), Service.objects.count(), Invoice.objects.count()) == (1, 1, 1)


def test_orders_of_many_clients_at_once_never_share_a_number():
    product = make_product(recurring="10")
    clients = [make_client() for _ in range(8)]

    outcomes = at_once(
        *[lambda client=client: order(client, product, f"key {client.pk}") for client in clients]
    )

    assert failures(outcomes) == []
    assert [number for number, _ in totals()] == [f"INV-2026-{n:05d}" for n in range(1, 9)]


def test_the_last_free_place_is_taken_once():
    make_server("small", max_services=1)
    product = make_product()  # free, so it starts at once
    clients = [make_client() for _ in range(4)]

    outcomes = at_once(
        *[lambda client=client: order(client, product, f"key {client.pk}") for client in clients]
    )

    assert failures(outcomes) == []
    assert Placement.objects.count() == 1
    assert sorted(Job.objects.values_list("status", flat=True)) == [
        *("failed", "failed", "failed"),
        "queued",
    ]


# --- Paying -------------------------------------------------------------------------------


@pytest.fixture
def invoice():
    make_server()
    return order(make_client(), make_product(recurring="10"), "key").invoice


def test_one_payment_told_twice_at_once_counts_once(invoice):
    outcomes = at_once(*[lambda: pay(invoice)] * 4)

    assert failures(outcomes) == []
    assert len({outcome.pk for outcome in outcomes}) == 1
    assert (Transaction.objects.count(), Allocation.objects.count(), Job.objects.count()) == (
        1,
        1,
        1,
    )
    invoice.refresh_from_db()
    assert (invoice.status, invoice.paid_amount) == ("paid", Decimal(10))


def test_two_halves_at_once_settle_it_and_start_it_once(invoice):
    outcomes = at_once(
        lambda: pay(invoice, "5.00", ref="one"), lambda: pay(invoice, "5.00", ref="two")
    )

    assert failures(outcomes) == []
    invoice.refresh_from_db()
    assert (invoice.status, invoice.paid_amount) == ("paid", Decimal(10))
    assert Job.objects.count() == 1


def test_two_whole_payments_at_once_pay_it_once(invoice):
    at_once(lambda: pay(invoice, ref="one"), lambda: pay(invoice, ref="two"))

    assert (Transaction.objects.count(), Allocation.objects.count(), Job.objects.count()) == (
        2,
        1,
        1,
    )


def test_one_reference_for_two_invoices_at_once_is_one_payment(invoice):
    """No lock is shared, so only the unique reference decides."""
    service = Service.objects.get()
    other = make_invoice(invoice.client, advance={service: "10.00"}, number="INV-2026-09999")

    outcomes = at_once(lambda: pay(invoice), lambda: pay(other))

    (refused,) = failures(outcomes)
    assert isinstance(refused, PaymentRefused)
    assert (Transaction.objects.count(), Allocation.objects.count()) == (1, 1)


def test_one_event_delivered_twice_at_once_is_applied_once(invoice):
    body = {
        "type": "paid",
        "invoice_id": invoice.pk,
        "payment_id": "p",
        "amount": "10.00",
        "currency": "EUR",
    }

    outcomes = at_once(*[lambda: apply_webhook("test", event_id="e", body=body, at=AT)] * 4)

    assert failures(outcomes) == []
    assert [outcome.problem for outcome in outcomes] == [""] * 4
    assert (WebhookEvent.objects.count(), Transaction.objects.count(), Job.objects.count()) == (
        1,
        1,
        1,
    )


@pytest.mark.parametrize("attempt", range(5))
def test_an_order_is_either_paid_or_cancelled(invoice, attempt):
    placed = Order.objects.get()

    outcomes = at_once(
        lambda: pay(invoice),
        lambda: cancel_order(placed.pk, reason="changed their mind", at=AT, actor=None),
    )

    invoice.refresh_from_db()
    placed.refresh_from_db()
    service = Service.objects.get()
    state = (placed.status, invoice.status, service.status, Job.objects.count())
    assert state in [("placed", "paid", "pending", 1), ("cancelled", "cancelled", "cancelled", 0)]
    assert Transaction.objects.count() == 1  # the money is kept either way
    assert [type(error).__name__ for error in failures(outcomes)] in [
        [],
        ["InvoiceNotCancellable"],
    ]


@pytest.mark.postgres
def test_a_payment_waits_for_whoever_locked_the_client_and_both_come_through(invoice):
    """Late fees lock client, then invoice; a payment that began at the invoice would block them."""
    client_is_locked = Event()

    def lock_client_then_invoice():
        with transaction.atomic():
            Client.objects.select_for_update(no_key=True).get(pk=invoice.client_id)
            client_is_locked.set()
            time.sleep(0.5)  # enough for the payment to lock what it locks first
            return Invoice.objects.select_for_update(no_key=True).get(pk=invoice.pk).status

    def pay_then():
        client_is_locked.wait(TIMEOUT_S)
        return pay(invoice)

    seen, paid = at_once(lock_client_then_invoice, pay_then)

    assert (seen, paid) == ("unpaid", Transaction.objects.get())
    invoice.refresh_from_db()
    assert invoice.status == "paid"


# --- Everything at once -------------------------------------------------------------------


@pytest.mark.parametrize("attempt", range(3))
def test_billing_paying_and_ordering_at_once_wait_for_each_other_and_never_for_ever(
    vendor, attempt
):
    make_server()
    metered = [make_metered(vendor) for _ in range(5)]
    product = make_product(recurring="10")
    clients = [service.client for service in metered]
    invoices = [order(client, product, f"paid {client.pk}").invoice for client in clients]

    def pay_all(invoices):
        return [pay(invoice, ref=f"ref {invoice.pk}") for invoice in invoices]

    def order_all():
        return [order(client, product, f"new {client.pk}") for client in clients]

    outcomes = at_once(
        *[lambda: bill_run.bill_all(DUE)] * 2,
        order_all,
        lambda: pay_all(invoices),
        lambda: pay_all(invoices[::-1]),
    )

    assert failures(outcomes) == []
    assert [outcome.parked for outcome in outcomes[:2]] == [[], []]
    assert Client.objects.exclude(billing_problem="").count() == 0
    numbers = sorted(Invoice.objects.values_list("number", flat=True))
    assert numbers == [f"INV-2026-{n:05d}" for n in range(1, 16)]
    assert Invoice.objects.filter(status="paid").count() == 5
    assert Job.objects.count() == 5
