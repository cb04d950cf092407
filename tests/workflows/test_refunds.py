"""Money that goes back: never more than came, once per wish, and never lost on the way."""

from decimal import Decimal

import pytest

from billing_portal.mail.models import ClientMail
from billing_portal.payments import registry
from billing_portal.payments.contract import GatewayUnavailable, RefundDeclined
from billing_portal.payments.credit import CreditRefused
from billing_portal.payments.gateways.sandbox import TestGateway as Sandbox
from billing_portal.payments.models import Refund, Transaction
from billing_portal.payments.refunds import RefundRefused
from billing_portal.workflows import refunds, reversals
from billing_portal.workflows.audit_money import differences
from tests.factories import AT, make_server
from tests.workflows.money import bill, correct, ledger, paid_bill, payment_of, standing
from tests.workflows.paying import pay

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendor(vendor):
    make_server()


class SlowGateway(Sandbox):
    """Does not answer, as often as `silent` says, but keeps what it was asked."""

    silent = 0
    declines = ""

    def __init__(self):
        self.asked = []

    def refund(self, request):
        self.asked.append((request.request_key, request.amount))
        if self.silent:
            self.silent -= 1
            raise GatewayUnavailable("timed out")
        if self.declines:
            raise RefundDeclined(self.declines)
        return super().refund(request)


@pytest.fixture
def gateway(monkeypatch):
    gateway = SlowGateway()
    monkeypatch.setattr(registry, "gateways", lambda: (gateway,))
    return gateway


def refund(payment, amount, *, way="gateway", key="key"):
    return refunds.refund_payment(
        payment.pk,
        Decimal(amount),
        way=Refund.Way(way),
        reason="as asked",
        request_key=key,
        at=AT,
        actor=None,
    )


def refund_invoice(invoice, amount, *, way="gateway", key="key"):
    return refunds.refund_invoice(
        invoice.pk,
        payment_of(invoice).pk,
        Decimal(amount),
        way=Refund.Way(way),
        reason="as asked",
        request_key=key,
        at=AT,
        actor=None,
    )


def refunded():
    return [f"{row.refunded_amount:.2f}" for row in Transaction.objects.order_by("pk")]


# --- Of a payment -------------------------------------------------------------------------


def test_what_was_paid_too_much_goes_back_out_of_the_credit(gateway):
    invoice = paid_bill("30.00", paid="50.00")

    done = refund(payment_of(invoice), "20.00")

    assert (done.state, done.external_id, refunded()) == ("done", "re_key", ["20.00"])
    assert standing(invoice) == ("paid", "0.00", "0.00")
    assert ledger(invoice.client) == [("overpayment", "20.00"), ("refunded", "-20.00")]
    mail = ClientMail.objects.get(key=f"payment_refunded:{done.pk}").email
    assert mail.message.split("\n\n")[1] == (
        "we have sent you €20.00 of your payment ref-1 back: as asked"
    )


def test_the_same_wish_is_sent_once(gateway):
    invoice = paid_bill("30.00", paid="50.00")

    refund(payment_of(invoice), "15.00")
    refund(payment_of(invoice), "15.00")

    assert (gateway.asked, refunded()) == ([("key", Decimal("15.00"))], ["15.00"])


def test_no_more_than_the_credit_goes_back(gateway):
    invoice = paid_bill("30.00", paid="50.00")

    with pytest.raises(CreditRefused, match=r"has a credit of €20\.00, and €20\.01 is more"):
        refund(payment_of(invoice), "20.01")

    assert (gateway.asked, refunded(), Refund.objects.count()) == ([], ["0.00"], 0)


def test_no_more_than_came_goes_back(gateway):
    invoice = paid_bill("30.00", paid="50.00")
    pay(bill("10.00", invoice.client), "100.00", ref="other", gateway="test")
    refund(payment_of(invoice), "45.00", key="a")

    with pytest.raises(RefundRefused, match=r"Only €5\.00 of this payment are left to refund\."):
        refund(payment_of(invoice), "5.01", key="b")


def test_what_the_gateway_refuses_is_credit_again(gateway):
    invoice = paid_bill("30.00", paid="50.00", ref="norefund-1")

    failed = refund(payment_of(invoice), "20.00")

    assert (failed.state, failed.message) == (
        "failed",
        "The bank does not take money back for this payment.",
    )
    assert (standing(invoice)[2], refunded()) == ("20.00", ["0.00"])
    assert not ClientMail.objects.filter(template="payment_refunded").exists()


def test_without_an_answer_it_stays_under_way_and_is_asked_again_with_the_same_key(gateway):
    gateway.silent = 1
    invoice = paid_bill("30.00", paid="50.00")

    first = refund(payment_of(invoice), "20.00")
    assert (first.state, standing(invoice)[2], refunded()) == ("under_way", "0.00", ["20.00"])
    again = refunds.ask_again(first.pk, at=AT)

    assert (again.state, refunded()) == ("done", ["20.00"])
    assert gateway.asked == [("key", Decimal("20.00"))] * 2
    assert refunds.ask_again(first.pk, at=AT).state == "done"
    assert len(gateway.asked) == 2


def test_refused_after_the_bank_took_the_payment_back_it_is_nobodys_credit(gateway):
    """The payer has the money from their bank: credit for it as well would pay them twice."""
    invoice = paid_bill("30.00")
    gateway.silent = 1
    begun = refund_invoice(invoice, "30.00")
    reversals.reverse_payment("test", payment_of(invoice).external_id, reason="fraud", at=AT)
    gateway.declines = "This charge was charged back."

    refused = refunds.ask_again(begun.pk, at=AT)

    assert refused.state == "failed"
    assert standing(invoice)[2] == "0.00"
    assert ledger(invoice.client) == [
        ("credit_note", "30.00"),
        ("refunded", "-30.00"),
        ("returned", "30.00"),
        ("reversed", "-30.00"),
    ]
    assert list(differences()) == []


def test_outside_the_portal_it_is_only_written_down(gateway):
    invoice = paid_bill("30.00", paid="50.00")

    done = refund(payment_of(invoice), "20.00", way="outside")

    assert (done.state, gateway.asked, refunded()) == ("done", [], ["20.00"])


def test_a_gateway_that_cannot_send_money_back_says_so():
    invoice = bill("30.00")
    payment = pay(invoice, "50.00")

    with pytest.raises(RefundRefused, match="Bank transfer cannot send money back"):
        refund(payment, "20.00")

    assert not Refund.objects.exists()


# --- Of an invoice ------------------------------------------------------------------------


def test_a_part_of_a_paid_invoice_goes_back_with_a_credit_note(gateway):
    invoice = paid_bill("30.00")

    refund_invoice(invoice, "10.00")

    note = invoice.credit_notes.get()
    assert (note.total, standing(invoice)) == (10, ("paid", "0.00", "0.00"))
    assert ledger(invoice.client) == [("credit_note", "10.00"), ("refunded", "-10.00")]
    assert refunded() == ["10.00"]


def test_all_of_it_goes_back_and_the_invoice_is_refunded(gateway):
    invoice = paid_bill("30.00")

    refund_invoice(invoice, "10.00", key="a")
    refund_invoice(invoice, "20.00", key="b")

    assert (standing(invoice), refunded()) == (("refunded", "0.00", "0.00"), ["30.00"])


def test_as_credit_the_money_stays_here(gateway):
    invoice = paid_bill("30.00")

    done = refund_invoice(invoice, "10.00", way="credit")

    assert (done.state, done.way, gateway.asked) == ("done", "credit", [])
    assert (standing(invoice), refunded()) == (("paid", "0.00", "10.00"), ["0.00"])


def test_the_same_wish_refunds_an_invoice_once(gateway):
    invoice = paid_bill("30.00")

    refund_invoice(invoice, "10.00")
    refund_invoice(invoice, "10.00")

    assert (refunded(), invoice.credit_notes.count()) == (["10.00"], 1)


def test_no_more_than_the_payment_paid_of_the_invoice_goes_back(gateway):
    invoice = bill("30.00")
    pay(invoice, "10.00", ref="a", gateway="bank_transfer")
    pay(invoice, "20.00", ref="b", gateway="test")
    payment = Transaction.objects.get(external_id="a")

    with pytest.raises(RefundRefused, match=r"This payment paid only €10\.00 of"):
        refunds.refund_invoice(
            invoice.pk,
            payment.pk,
            Decimal("11.00"),
            way=Refund.Way.OUTSIDE,
            reason="x",
            request_key="k",
            at=AT,
            actor=None,
        )

    assert not invoice.credit_notes.exists()


def test_an_unpaid_invoice_is_not_refunded(gateway):
    invoice = bill("30.00")
    pay(invoice, "10.00", gateway="test")

    with pytest.raises(RefundRefused, match="is unpaid: write a credit note instead"):
        refund_invoice(invoice, "10.00")


def test_what_a_credit_note_made_credit_can_be_sent_back_later(gateway):
    invoice = paid_bill("30.00")
    correct(invoice, "10.00")

    refund(payment_of(invoice), "10.00", key="later")

    assert (standing(invoice), refunded()) == (("paid", "0.00", "0.00"), ["10.00"])
