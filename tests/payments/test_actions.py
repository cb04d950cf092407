"""Booking: which invoices this very payment settled, in which order, and what is left of it."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.payments import actions, credit
from billing_portal.payments.models import CreditEntry
from tests.factories import AT, make_client, make_invoice, make_service

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return make_client()


def bill(client, amount, **fields):
    return make_invoice(client, advance={make_service(client): amount}, **fields)


def receive(client, invoices, amount, ref, **more):
    return actions.receive(
        client,
        invoices,
        gateway="test",
        external_id=ref,
        amount=Decimal(amount),
        currency="EUR",
        received_at=AT,
        at=AT,
        **more,
    )


def test_only_the_payment_that_settles_an_invoice_says_so_and_only_once(client):
    invoice = bill(client, "10.00")

    first = receive(client, [invoice], "4.00", "one")
    second = receive(client, [invoice], "6.00", "two")
    again = receive(client, [invoice], "6.00", "two")
    more = receive(client, [invoice], "1.00", "three")

    assert [booked.settled for booked in (first, second, again, more)] == [(), (invoice,), (), ()]
    assert again.payment == second.payment
    assert len({first.payment.pk, second.payment.pk, more.payment.pk}) == 3


def test_several_invoices_are_paid_in_the_order_given_and_the_rest_is_credit(client):
    old, new, newest = bill(client, "10.00"), bill(client, "20.00"), bill(client, "5.00")

    booked = receive(client, [old, new, newest], "25.00", "one")
    rest = receive(client, [old, new, newest], "12.00", "two")

    assert (booked.settled, rest.settled) == ((old,), (new, newest))
    parts = [f"{part.amount:.2f}" for part in rest.payment.allocations.order_by("pk")]
    assert parts == ["5.00", "5.00"]
    assert client.credit_balance == Decimal("2.00")


def test_without_an_invoice_all_of_it_is_a_deposit(client):
    payment = receive(client, [], "50.00", "one").payment

    entry = CreditEntry.objects.get()
    assert (entry.kind, entry.amount, entry.transaction) == ("deposit", Decimal("50.00"), payment)


def test_a_long_note_is_cut(client):
    payment = receive(client, [bill(client, "10.00")], "1.00", "r", note="n" * 300).payment

    assert payment.note == "n" * 200


def test_a_payment_in_a_currency_the_client_has_left_waits_for_a_person():
    client = make_client(currency="EUR")
    invoice = bill(client, "10.00", currency="EUR", due_date=date(2026, 12, 1))
    client.currency = "USD"
    client.save()

    payment = receive(client, [invoice], "15.00", "r").payment

    assert (payment.allocations.get().amount, CreditEntry.objects.count()) == (Decimal(10), 0)


# --- The ledger ---------------------------------------------------------------------------


def movement(amount, key="k", currency="EUR"):
    return credit.Movement(key, credit.Kind.GRANT, Decimal(amount), currency, "for the trouble")


def test_a_movement_is_made_once_and_kept_with_its_balance(client):
    first = credit.move(client, movement("10.00"), at=AT)
    again = credit.move(client, movement("10.00"), at=AT)
    credit.move(client, movement("-4.00", "l"), at=AT)

    client.refresh_from_db()
    assert (again, client.credit_balance) == (first, Decimal("6.00"))


@pytest.mark.parametrize(
    ("moved", "sentence"),
    [
        (
            movement("-10.01"),
            "Acme Ltd has a credit of €10.00, and €10.01 is more than that.",
        ),
        (movement("0"), "The amount must be more than zero."),
        (movement("1.001"), "1.001 is finer than the smallest unit of EUR."),
        (movement("NaN"), "The amount must be more than zero."),
        (movement("1E+11"), "1E+11 is more than can be booked."),
        (
            movement("1.00", currency="USD"),
            "The credit of Acme Ltd is in EUR, not in USD.",
        ),
    ],
)
def test_what_cannot_be_moved_is_refused_with_a_sentence(client, moved, sentence):
    credit.move(client, movement("10.00", "first"), at=AT)

    with pytest.raises(credit.CreditRefused) as refused:
        credit.move(client, moved, at=AT)

    client.refresh_from_db()
    assert (str(refused.value), client.credit_balance) == (sentence, Decimal("10.00"))
    assert CreditEntry.objects.count() == 1
