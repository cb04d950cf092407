"""Credit, credit notes and refunds on the dashboard: looked at before they are done, and once."""

from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from billing_portal.audit.models import Entry
from billing_portal.invoices.models import CreditNote, Invoice
from billing_portal.payments.models import CreditEntry, PaymentSettings, Refund, Transaction
from billing_portal.workflows.client_credit import add_credit
from tests.factories import AT, make_client
from tests.workflows.money import bill, paid_bill, payment_of, standing, taxed_bill
from tests.workflows.paying import pay

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendor(vendor):
    pass


def page(staff, name, pk):
    return staff.get(reverse(f"staff:{name}", args=[pk])).content.decode()


def send(staff, name, pk, **fields):
    return staff.post(reverse(f"staff:{name}", args=[pk]), fields, follow=True)


def test_staff_give_and_take_credit_and_see_every_movement(staff):
    client = make_client()
    wish = {"way": "give", "amount": "20.00", "reason": "late start", "key": "k1"}

    send(staff, "client-credit", client.pk, **wish)
    send(staff, "client-credit", client.pk, **wish)
    shown = send(
        staff, "client-credit", client.pk, way="take", amount="5.00", reason="x", key="k2"
    ).content.decode()

    client.refresh_from_db()
    assert client.credit_balance == Decimal("15.00")
    assert [entry.made_by.email for entry in CreditEntry.objects.all()] == ["boss@example.org"] * 2
    assert "Given by staff" in shown
    assert "late start" in shown


def test_more_credit_than_there_is_is_refused_beside_the_form(staff):
    client = make_client()

    shown = send(staff, "client-credit", client.pk, way="take", amount="5", reason="x", key="k")

    assert "Acme Ltd has a credit of €0.00, and €5.00 is more than that." in shown.content.decode()


def test_credit_pays_an_invoice(staff):
    invoice = bill("30.00")
    add_credit(invoice.client_id, Decimal(50), reason="x", request_key="g", at=AT, actor=None)

    assert 'value="30.00"' in page(staff, "invoice-use-credit", invoice.pk)
    send(staff, "invoice-use-credit", invoice.pk, amount="30.00", key="k")

    assert standing(invoice) == ("paid", "0.00", "20.00")
    assert "Paid from credit" in page(staff, "invoice", invoice.pk)


def test_a_credit_note_is_looked_at_before_it_is_issued(staff):
    invoice = taxed_bill()
    first, second = invoice.lines.order_by("position")
    wish = {f"line_{first.pk}": "10.00", f"line_{second.pk}": "0", "reason": "late", "key": "k"}

    shown = send(staff, "invoice-credit", invoice.pk, **wish, look="yes").content.decode()

    assert "Issue credit note over €11.90" in shown
    assert not CreditNote.objects.exists()
    shown = send(staff, "invoice-credit", invoice.pk, **wish, issue="yes").content.decode()
    note = CreditNote.objects.get()
    assert f"{note.number} is issued and mailed to the client." in shown
    assert (note.total, note.reason, note.issued_by.email) == (
        Decimal("11.90"),
        "late",
        "boss@example.org",
    )


def test_more_than_a_line_has_is_refused_with_a_sentence(staff):
    invoice = taxed_bill()
    first, second = invoice.lines.order_by("position")
    wish = {f"line_{first.pk}": "60.01", f"line_{second.pk}": "0", "reason": "x", "key": "k"}

    shown = send(staff, "invoice-credit", invoice.pk, **wish, issue="yes").content.decode()

    assert "are left to credit" in shown
    assert not CreditNote.objects.exists()


def test_what_was_paid_too_much_is_sent_back_from_the_payments_page(staff):
    invoice = paid_bill("30.00", paid="50.00")
    payment = payment_of(invoice)

    assert 'value="20.00"' in page(staff, "payment-refund", payment.pk)
    send(staff, "payment-refund", payment.pk, amount="20", way="gateway", reason="x", key="k")

    refund = Refund.objects.get()
    assert (refund.state, refund.external_id) == ("done", "re_k")
    assert "Through the gateway" in page(staff, "payment", payment.pk)


def test_a_gateway_that_cannot_refund_is_not_offered(staff):
    payment = pay(bill("30.00"), "50.00")

    shown = page(staff, "payment-refund", payment.pk)

    assert ("Outside the portal" in shown, "Through the gateway" in shown) == (True, False)


def test_a_refund_of_an_invoice_issues_its_credit_note(staff):
    invoice = paid_bill("30.00")
    part = invoice.allocations.get()

    send(
        staff,
        "invoice-refund",
        invoice.pk,
        part=part.pk,
        amount="10.00",
        way="credit",
        reason="x",
        key="k",
    )

    assert CreditNote.objects.get().total == Decimal("10.00")
    assert standing(invoice) == ("paid", "0.00", "10.00")


def test_a_payment_taken_back_is_looked_at_and_dealt_with(staff):
    invoice = paid_bill("30.00")
    payment = payment_of(invoice)

    shown = send(
        staff, "payment-take-back", payment.pk, reason="fraudulent", key="k"
    ).content.decode()
    assert "Taken back by the payer&#x27;s bank: fraudulent" in shown
    assert standing(invoice)[0] == "collections"
    assert "Payments to look at" in staff.get("/staff/").content.decode()

    send(staff, "payment-looked-at", payment.pk)
    assert Transaction.objects.get().problem == ""
    assert "Payments to look at" not in staff.get("/staff/").content.decode()


@pytest.mark.parametrize(
    ("role", "allowed"), [("Billing", True), ("Support", False), ("Read only", False)]
)
def test_only_who_may_moves_money(as_role, role, allowed):
    invoice = paid_bill("30.00", paid="50.00")
    payment = payment_of(invoice)
    browser = as_role(role)

    codes = {
        name: browser.get(reverse(f"staff:{name}", args=[pk])).status_code
        for name, pk in (
            ("payment-refund", payment.pk),
            ("payment-take-back", payment.pk),
            ("invoice-credit", invoice.pk),
            ("invoice-refund", invoice.pk),
            ("invoice-use-credit", invoice.pk),
        )
    }

    assert set(codes.values()) == {200 if allowed else 403}
    browser.post(
        reverse("staff:client-credit", args=[invoice.client_id]),
        {"way": "give", "amount": "5", "reason": "x", "key": "k"},
    )
    assert Invoice.objects.get().client.credit_balance == (25 if allowed else 20)


def test_a_refund_without_an_answer_waits_on_the_home_page_until_it_is_asked_again(staff):
    invoice = paid_bill("30.00", paid="50.00")
    send(
        staff,
        "payment-refund",
        payment_of(invoice).pk,
        amount="5",
        way="gateway",
        reason="x",
        key="k",
    )
    refund = Refund.objects.get()
    Refund.objects.update(state="under_way")
    assert "Refunds without an answer" in staff.get("/staff/").content.decode()

    send(staff, "refund-ask-again", refund.pk)

    refund.refresh_from_db()
    assert refund.state == "done"
    assert "Refunds without an answer" not in staff.get("/staff/").content.decode()


def test_one_transfer_is_recorded_for_several_invoices(staff):
    client = make_client()
    late, early = bill("20.00", client), bill("30.00", client, due_date=date(2026, 12, 1))
    wish = {
        "invoice": late.pk,
        "others": [early.pk],
        "amount": "45.00",
        "reference": "PAY-7",
        "received_on": "2026-11-02",
    }

    staff.post(reverse("staff:client-payment", args=[client.pk]), wish)

    assert [standing(one)[:2] for one in (early, late)] == [("paid", "0.00"), ("unpaid", "5.00")]


def test_the_limits_of_deposits_are_set_and_noted(staff):
    wish = {"deposits": "on", "deposit_minimum": "20", "deposit_maximum": "10"}

    shown = staff.post(reverse("staff:deposits"), wish | {"credit_maximum": "500"})
    assert "This is less than the least." in shown.content.decode()
    staff.post(
        reverse("staff:deposits"), wish | {"deposit_maximum": "300", "credit_maximum": "500"}
    )

    rules = PaymentSettings.objects.get()
    assert (rules.deposit_minimum, rules.deposit_maximum) == (Decimal(20), Decimal(300))
    entry = Entry.objects.get(action="payment.rules_changed")
    assert (entry.summary, entry.actor.email) == ("Deposits on, 20 to 300", "boss@example.org")


def test_the_list_of_payments_tells_what_became_of_them(staff):
    paid_bill("30.00")
    address = reverse("admin:payments_transaction_changelist")

    assert "Received" in staff.get(address).content.decode()
    for outcome in ("open", "problem", "back"):
        assert "ref-1" not in staff.get(address, {"allocation": outcome}).content.decode()
