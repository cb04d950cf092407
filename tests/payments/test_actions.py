"""Booking: whether this very payment settled the invoice."""

from decimal import Decimal

import pytest

from billing_portal.payments import actions
from tests.factories import AT, make_invoice, make_service

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice():
    service = make_service()
    return make_invoice(service.client, advance={service: "10.00"})


def receive(invoice, amount, ref):
    return actions.receive(
        invoice,
        gateway="test",
        external_id=ref,
        amount=Decimal(amount),
        currency="EUR",
        received_at=AT,
        at=AT,
    )


def test_only_the_payment_that_settles_an_invoice_says_so_and_only_once(invoice):
    first, first_settles = receive(invoice, "4.00", "one")
    second, second_settles = receive(invoice, "6.00", "two")
    again, again_settles = receive(invoice, "6.00", "two")
    more, more_settles = receive(invoice, "1.00", "three")

    assert (first_settles, second_settles) == (False, True)
    assert (again, again_settles) == (second, False)
    assert more_settles is False
    assert len({first.pk, second.pk, more.pk}) == 3


def test_a_long_note_is_cut(invoice):
    payment, _ = actions.receive(
        invoice,
        gateway="test",
        external_id="r",
        amount=Decimal(1),
        currency="EUR",
        received_at=AT,
        at=AT,
        note="n" * 300,
    )

    assert payment.note == "n" * 200
