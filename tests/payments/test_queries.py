"""Reading payments; the rows themselves are made in tests/workflows/test_invoice_paid.py."""

from decimal import Decimal
from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction

from billing_portal.payments import credit, queries
from billing_portal.payments.models import Allocation, CreditEntry, Transaction, WebhookEvent
from tests.factories import AT, make_client, make_invoice, make_service, utc

pytestmark = pytest.mark.django_db


def make_payment(client, amount, *, ref="r", received_at=AT):
    return Transaction.objects.create(
        client=client,
        gateway="test",
        external_id=ref,
        amount=Decimal(amount),
        currency="EUR",
        received_at=received_at,
    )


def allocate(payment, invoice, amount):
    return Allocation.objects.create(
        transaction=payment, invoice=invoice, amount=Decimal(amount), allocated_at=AT
    )


@pytest.fixture
def service():
    return make_service()


def make_bill(service, amount):
    """An invoice for the service's client; its line is about a service of its own."""
    return make_invoice(service.client, advance={make_service(service.client): amount})


def test_what_no_invoice_used_is_found_oldest_first(service):
    client = service.client
    late = make_payment(client, "5.00", ref="late", received_at=utc(2026, 12, 1))
    early = make_payment(client, "10.00", ref="early")
    whole = make_payment(client, "8.61", ref="whole")
    allocate(early, make_bill(service, "8.61"), "8.61")
    allocate(whole, make_bill(service, "8.61"), "8.61")

    assert [(payment, payment.left) for payment in queries.unallocated()] == [
        (early, Decimal("1.39")),
        (late, Decimal("5.00")),
    ]


def test_a_payment_used_up_in_parts_leaves_nothing(service):
    """0.8 - (0.1 + 0.7) is above zero in floats, which SQLite counts in."""
    payment = make_payment(service.client, "0.80")
    for amount in ("0.10", "0.70"):
        allocate(payment, make_bill(service, amount), amount)

    assert list(queries.unallocated()) == []


def test_what_became_credit_is_not_loose(service):
    payment = make_payment(service.client, "10.00")
    movement = credit.Movement(
        "k", credit.Kind.OVERPAYMENT, Decimal("10.00"), "EUR", "x", transaction=payment
    )
    credit.move(service.client, movement, at=AT)

    assert list(queries.unallocated()) == []


def test_payments_to_look_at_are_those_with_a_problem(service):
    make_payment(service.client, "5.00", ref="fine")
    odd = make_payment(service.client, "5.00", ref="odd")
    Transaction.objects.filter(pk=odd.pk).update(problem="Paid for a cancelled invoice.")

    assert list(queries.to_look_at()) == [odd]


def test_what_payments_of_before_left_over_becomes_credit_once(service):
    """The migration: 10.00 paid on 8.61 were 1.39 unclaimed."""
    payment = make_payment(service.client, "10.00")
    allocate(payment, make_bill(service, "8.61"), "8.61")
    allocate(make_payment(service.client, "5.00", ref="used"), make_bill(service, "5.00"), "5.00")
    remainders = import_module("billing_portal.payments.migrations.0004_money_remainders")

    remainders.make_credit(apps, None)
    remainders.make_credit(apps, None)

    service.client.refresh_from_db()
    entry = CreditEntry.objects.get()
    assert (entry.transaction, entry.amount) == (payment, Decimal("1.39"))
    assert service.client.credit_balance == Decimal("1.39")
    assert list(queries.unallocated()) == []


def test_a_clients_payments_come_newest_first_with_what_they_paid(
    service, django_assert_num_queries
):
    old = make_payment(service.client, "8.61", ref="old")
    new = make_payment(service.client, "5.00", ref="new", received_at=utc(2026, 12, 1))
    bill = make_bill(service, "8.61")
    allocate(old, bill, "8.61")
    make_payment(make_client(), "1.00", ref="other")

    with django_assert_num_queries(3):
        found = [
            (payment, [part.invoice for part in payment.allocations.all()])
            for payment in queries.payments_of(service.client_id)
        ]

    assert found == [(new, []), (old, [bill])]


def test_what_was_paid_on_an_invoice_comes_in_order(service):
    bill = make_bill(service, "10.00")
    first = allocate(make_payment(service.client, "4.00", ref="a"), bill, "4.00")
    second = allocate(make_payment(service.client, "6.00", ref="b"), bill, "6.00")

    assert list(queries.allocations_of(bill.pk)) == [first, second]


# --- What the database itself refuses -----------------------------------------------------


def test_a_payment_counts_once(service):
    make_payment(service.client, "5.00")

    with pytest.raises(IntegrityError), transaction.atomic():
        make_payment(service.client, "5.00")


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_a_payment_and_an_allocation_are_positive(service, amount):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_payment(service.client, amount)
    with pytest.raises(IntegrityError), transaction.atomic():
        allocate(make_payment(service.client, "5", ref="b"), make_bill(service, "5"), amount)


def test_an_invoice_is_allocated_once_per_payment(service):
    payment, bill = make_payment(service.client, "5"), make_bill(service, "5")
    allocate(payment, bill, "2")

    with pytest.raises(IntegrityError), transaction.atomic():
        allocate(payment, bill, "3")


def test_an_event_counts_once():
    WebhookEvent.objects.create(gateway="test", event_id="e", body={}, received_at=AT)

    with pytest.raises(IntegrityError), transaction.atomic():
        WebhookEvent.objects.create(gateway="test", event_id="e", body={}, received_at=AT)
