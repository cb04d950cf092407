"""Charge-backs: what a payment paid is owed again, and what it had become is taken back."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.invoices.models import Charge
from billing_portal.mail.models import ClientMail
from billing_portal.payments.models import Refund, Transaction, WebhookEvent
from billing_portal.workflows import bill_run, refunds
from billing_portal.workflows.client_credit import remove_credit
from billing_portal.workflows.invoice_paid import apply_webhook
from billing_portal.workflows.reversals import ReversalRefused, reverse_payment
from tests.factories import AT, make_server
from tests.workflows.money import bill, correct, ledger, paid_bill, payment_of, standing
from tests.workflows.paying import LATER, pay

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendor(vendor):
    make_server()


def take_back(ref="ref-1"):
    return reverse_payment("test", ref, reason="fraudulent", at=LATER)


def test_the_invoice_is_in_collections_and_may_be_paid_again():
    invoice = paid_bill("30.00")

    payment = take_back()

    assert standing(invoice) == ("collections", "30.00", "0.00")
    assert (payment.reversed_at, payment.problem) == (
        LATER,
        "Taken back by the payer's bank: fraudulent",
    )
    assert not payment.allocations.exists()
    pay(invoice, "30.00", ref="again")
    assert standing(invoice) == ("paid", "0.00", "0.00")


def test_staff_and_client_are_told_once():
    invoice = paid_bill("30.00")

    take_back()
    take_back()

    mails = ClientMail.objects.filter(template__startswith="payment_reversed").order_by("template")
    assert [(mail.template, mail.email.to) for mail in mails] == [
        ("payment_reversed", [invoice.client.email]),
        ("payment_reversed_staff", ["billing@northwind.example"]),
    ]
    assert mails[1].email.message.split("\n\n")[1] == f"In collections now: {invoice.number}."


def test_credit_that_came_with_it_is_taken_back():
    invoice = paid_bill("30.00", paid="50.00")

    take_back()

    assert standing(invoice) == ("collections", "30.00", "0.00")
    assert ledger(invoice.client) == [("overpayment", "20.00"), ("reversed", "-20.00")]


def test_credit_that_was_used_meanwhile_is_charged_on_the_next_invoice():
    invoice = paid_bill("30.00", paid="50.00")
    remove_credit(
        invoice.client_id, Decimal("15.00"), reason="used", request_key="u", at=AT, actor=None
    )

    take_back()

    assert standing(invoice) == ("collections", "30.00", "0.00")
    charge = Charge.objects.get()
    assert (charge.amount, charge.taxable, charge.kind) == (Decimal("15.00"), False, "item")
    (issued,) = bill_run.bill_client(invoice.client_id, LATER)
    assert (issued.total, issued.lines.get().charge) == (Decimal("15.00"), charge)


def test_what_was_refunded_is_not_taken_back_twice():
    invoice = paid_bill("30.00")
    correct(invoice, "10.00")
    refunds.refund_payment(
        payment_of(invoice).pk,
        Decimal("10.00"),
        way=Refund.Way.OUTSIDE,
        reason="x",
        request_key="k",
        at=AT,
        actor=None,
    )

    take_back()

    assert standing(invoice) == ("collections", "20.00", "0.00")
    assert ledger(invoice.client) == [("credit_note", "10.00"), ("refunded", "-10.00")]


def test_what_a_credit_note_made_credit_is_taken_from_the_credit():
    invoice = paid_bill("30.00")
    correct(invoice, "10.00")

    take_back()

    assert standing(invoice) == ("collections", "20.00", "0.00")
    assert ledger(invoice.client) == [("credit_note", "10.00"), ("reversed", "-10.00")]


def test_only_its_own_part_of_an_invoice_is_owed_again():
    invoice = bill("30.00")
    pay(invoice, "10.00", ref="kept", gateway="test")
    pay(invoice, "20.00", ref="ref-1", gateway="test")

    take_back()

    assert standing(invoice) == ("collections", "20.00", "0.00")


def test_a_payment_nobody_knows_cannot_be_taken_back():
    with pytest.raises(ReversalRefused, match="There is no payment nothing by test"):
        take_back("nothing")


def test_a_gateway_reports_it_by_an_event():
    invoice = paid_bill("30.00", due_date=date(2026, 11, 2))
    body = {"type": "reversed", "payment_id": "ref-1", "reason": "fraudulent"}

    event = apply_webhook("test", event_id="e", body=body, at=LATER)

    assert (event.problem, standing(invoice)) == ("", ("collections", "30.00", "0.00"))
    assert Transaction.objects.get().reversed_at == LATER


def test_an_event_about_an_unknown_payment_waits_with_its_problem():
    body = {"type": "reversed", "payment_id": "nothing", "reason": "x"}

    apply_webhook("test", event_id="e", body=body, at=LATER)

    assert WebhookEvent.objects.get().problem == "There is no payment nothing by test."
