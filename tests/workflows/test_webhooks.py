"""What gateways tell us: stored first, done once, and never lost when it cannot be done."""

import pytest

from billing_portal.invoices.models import Invoice
from billing_portal.payments.models import Transaction, WebhookEvent
from billing_portal.workflows import start_services
from billing_portal.workflows.invoice_paid import apply_webhook
from tests.factories import AT, make_server, utc
from tests.workflows.paying import LATER, jobs, make_order, state

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(vendor):
    make_server()
    return make_order().invoice


def webhook(invoice, *, event="evt-1", gateway="test", at=LATER, **changes):
    body = {
        "type": "paid",
        "invoice_id": invoice.pk,
        "payment_id": "pay-1",
        "amount": "29.95",
        "currency": "EUR",
    } | changes
    return apply_webhook(gateway, event_id=event, body=body, at=at)


def test_an_event_pays_its_invoice(invoice):
    event = webhook(invoice)

    assert (event.applied_at, event.problem, event.received_at) == (LATER, "", LATER)
    assert state(invoice) == ("paid", "29.95", LATER)
    payment = Transaction.objects.get()
    assert (payment.gateway, payment.external_id) == ("test", "pay-1")


def test_an_event_delivered_twice_is_applied_once(invoice):
    webhook(invoice)
    again = webhook(invoice, at=utc(2026, 11, 4))

    assert again.applied_at == LATER
    assert (WebhookEvent.objects.count(), Transaction.objects.count(), len(jobs())) == (1, 1, 1)


def test_two_events_about_one_payment_count_once(invoice):
    webhook(invoice, event="evt-1")
    second = webhook(invoice, event="evt-2")

    assert second.applied_at == LATER
    assert (WebhookEvent.objects.count(), Transaction.objects.count(), len(jobs())) == (2, 1, 1)


def test_a_declined_payment_changes_nothing(invoice):
    event = webhook(invoice, type="declined")

    assert (event.applied_at, event.problem) == (LATER, "")
    assert not Transaction.objects.exists()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"invoice_id": 10**9}, "It names an invoice that does not exist."),
        ({"invoice_id": 10**30}, "It names an invoice that does not exist."),
        ({"currency": "USD"}, "INV-2026-00001 is in EUR, not in USD."),
        ({"amount": "29.955"}, "29.955 is finer than the smallest unit of EUR."),
        ({"amount": "lots"}, "The event lacks or garbles a field: "),
        ({"amount": None}, "The event lacks or garbles a field: "),
        ({"invoice_id": "INV"}, "The event lacks or garbles a field: "),
        ({"type": "refund"}, "Unknown event type 'refund'."),
    ],
)
def test_an_event_that_cannot_be_applied_waits_with_its_problem(invoice, changes, problem):
    event = webhook(invoice, **changes)

    event.refresh_from_db()
    assert (event.applied_at, event.problem[: len(problem)]) == (None, problem)
    assert not Transaction.objects.exists()


def test_an_event_lacking_a_field_says_so(invoice):
    event = apply_webhook("test", event_id="e", body={"type": "paid"}, at=AT)

    assert event.problem == "The event lacks or garbles a field: 'invoice_id'"


def test_an_event_of_an_unknown_gateway_is_kept(invoice):
    event = webhook(invoice, gateway="gold")

    assert event.problem == "There is no way to pay called 'gold'."


def test_an_event_that_failed_is_applied_when_it_is_delivered_again(invoice):
    Invoice.objects.update(status="draft")
    assert webhook(invoice).problem == "INV-2026-00001 is not issued, so it cannot be paid."
    Invoice.objects.update(status="unpaid")

    event = webhook(invoice, at=utc(2026, 11, 4))

    assert (event.problem, event.applied_at) == ("", utc(2026, 11, 4))
    assert Transaction.objects.get().received_at == LATER


def test_our_own_mistake_is_noted_on_the_event_and_not_hidden(invoice, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(start_services, "start_on_payment", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            webhook(invoice)

    event = WebhookEvent.objects.get()
    assert (event.applied_at, event.problem) == (
        None,
        "our bug: ZeroDivisionError('division by zero')",
    )
    assert not Transaction.objects.exists()
    assert webhook(invoice).problem == ""
    assert state(invoice)[0] == "paid"


def test_what_an_event_said_first_counts(invoice):
    webhook(invoice, amount="10.00")
    webhook(invoice, amount="29.95")

    assert state(invoice) == ("unpaid", "10.00", None)
