"""Paying several invoices at once, paying in advance, and using credit, as the client does."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.invoices.models import Invoice
from billing_portal.payments.models import PaymentBundle, PaymentSettings, Transaction
from billing_portal.products.models import ExchangeRate
from billing_portal.workflows import bundles
from billing_portal.workflows.audit_money import differences
from billing_portal.workflows.client_credit import add_credit
from tests.factories import AT, make_client
from tests.workflows.money import bill, ledger, standing


@pytest.fixture
def bills(household):
    """30.00 due first, then 20.00, beside the household's own invoice of 27.98."""
    client = household.client
    return (
        bill("20.00", client, due_date=date(2026, 12, 20)),
        bill("30.00", client, due_date=date(2026, 12, 1)),
    )


def pay_together(browser, invoices, *, gateway="test", key="k"):
    sent = {"invoice": [i.pk for i in invoices], "gateway": gateway, "key": key}
    return browser.post("/invoices/pay/", sent)


def test_several_invoices_are_paid_by_one_payment(browser, bills):
    page = browser.get("/invoices/pay/").content.decode()
    assert "€77.98" in page

    asked = pay_together(browser, bills)
    bundle = PaymentBundle.objects.get()
    assert (asked.url, bundle.amount) == (f"/pay/test/together/{bundle.pk}/", Decimal("50.00"))
    assert "€50.00" in browser.get(asked.url).content.decode()
    browser.post(asked.url, {"pay": "yes"})

    assert [standing(invoice)[0] for invoice in bills] == ["paid", "paid"]
    payment = Transaction.objects.get(external_id=f"pay_PAY-{bundle.pk}")
    assert [(part.invoice, part.amount) for part in payment.allocations.order_by("pk")] == [
        (bills[1], Decimal("30.00")),
        (bills[0], Decimal("20.00")),
    ]
    assert "Your payment has arrived" in browser.get(f"/pay/together/{bundle.pk}/").content.decode()


def test_what_was_paid_alone_meanwhile_becomes_credit(browser, bills):
    asked = pay_together(browser, bills)
    add_credit(bills[0].client_id, Decimal("30.00"), reason="x", request_key="g", at=AT, actor=None)
    browser.post(f"/invoices/{bills[1].pk}/use-credit/", {"key": "u"})

    browser.post(asked.url, {"pay": "yes"})

    assert [standing(invoice) for invoice in bills] == [("paid", "0.00", "30.00")] * 2
    assert ledger(bills[0].client) == [
        ("grant", "30.00"),
        ("applied", "-30.00"),
        ("overpayment", "30.00"),
    ]


def test_a_form_sent_twice_is_one_bundle_and_paid_once(browser, bills):
    first = pay_together(browser, bills)
    second = pay_together(browser, bills)
    browser.post(first.url, {"pay": "yes"})
    browser.post(second.url, {"pay": "yes"})

    assert PaymentBundle.objects.count() == 1
    assert Transaction.objects.filter(external_id__startswith="pay_PAY").count() == 1


def test_a_bank_transfer_for_several_gets_instructions(browser, bills):
    asked = pay_together(browser, bills, gateway="bank_transfer")

    page = browser.get(asked.url).content.decode()

    assert f"PAY-{PaymentBundle.objects.get().pk}" in page
    assert "€50.00" in page


@pytest.mark.parametrize("chosen", ["none", "paid", "another client's"])
def test_what_cannot_be_paid_is_refused_with_a_sentence(browser, bills, chosen):
    Invoice.objects.filter(pk=bills[0].pk).update(status="paid")
    invoices = {"none": [], "paid": [bills[0]], "another client's": [bill("5.00")]}[chosen]

    page = pay_together(browser, invoices).content.decode()

    sentences = ("Please choose the invoices you would like to pay.", "needs no payment now")
    assert sentences[chosen == "paid"] in page
    assert not PaymentBundle.objects.exists()


@pytest.mark.parametrize("sent", ["\N{SUPERSCRIPT TWO}", "9" * 40, "-1", "x"])
def test_what_is_no_invoice_at_all_is_refused_likewise(browser, bills, sent):
    answer = browser.post("/invoices/pay/", {"invoice": [sent], "gateway": "test", "key": "k"})

    assert "Please choose the invoices you would like to pay." in answer.content.decode()
    assert not PaymentBundle.objects.exists()


def test_another_clients_bundle_is_not_found(browser, household):
    other = bill("5.00")
    bundle = bundles.ask_for(other.client_id, [other.pk], request_key="o", at=AT, actor=None)

    for address in ("/pay/together/", "/pay/test/together/"):
        assert browser.get(f"{address}{bundle.pk}/").status_code == 404


def test_money_paid_in_advance_is_credit(browser, household):
    asked = browser.post("/credit/", {"amount": "50.00", "gateway": "test", "key": "k"})
    browser.post(asked.url, {"pay": "yes"})

    household.client.refresh_from_db()
    assert household.client.credit_balance == Decimal("50.00")
    assert ledger(household.client) == [("deposit", "50.00")]
    page = browser.get("/credit/").content.decode()
    assert "Money added in advance" in page
    assert "€50.00" in page


@pytest.mark.parametrize("amount", ["9.99", "1000.01", "-5"])
def test_deposits_have_limits(browser, household, amount):
    page = browser.post("/credit/", {"amount": amount, "gateway": "test", "key": "k"})

    assert "Please add between €10.00 and €1,000.00." in page.content.decode()
    assert not PaymentBundle.objects.exists()


def test_no_deposit_lifts_the_credit_above_its_ceiling(household):
    PaymentSettings.objects.create(pk=1, credit_maximum=Decimal("100.00"))
    client = household.client
    add_credit(client.pk, Decimal("70.00"), reason="x", request_key="g", at=AT, actor=None)
    client.refresh_from_db()

    assert bundles.deposit_limits(client) == (Decimal("10.00"), Decimal("30.00"))


@pytest.mark.django_db
def test_limits_are_in_the_clients_currency():
    client = make_client(currency="USD")
    assert bundles.deposit_limits(client) is None

    ExchangeRate.objects.create(currency="USD", rate=Decimal("1.08"), as_of=AT)

    assert bundles.deposit_limits(client) == (Decimal("10.80"), Decimal("1080.00"))


def test_where_deposits_are_off_none_is_offered(browser, household):
    PaymentSettings.objects.create(pk=1, deposits=False)

    assert "Add money" not in browser.get("/credit/").content.decode()
    browser.post("/credit/", {"amount": "50.00", "gateway": "test", "key": "k"})
    assert not PaymentBundle.objects.exists()


def test_credit_pays_an_invoice_from_its_page(browser, bills):
    invoice = bills[0]
    assert "Use it for this invoice" not in browser.get(f"/invoices/{invoice.pk}/").content.decode()
    add_credit(invoice.client_id, Decimal("5.00"), reason="x", request_key="g", at=AT, actor=None)
    assert "Use it for this invoice" in browser.get(f"/invoices/{invoice.pk}/").content.decode()

    browser.post(f"/invoices/{invoice.pk}/use-credit/", {"key": "u"})
    browser.post(f"/invoices/{invoice.pk}/use-credit/", {"key": "u"})

    assert standing(invoice) == ("unpaid", "15.00", "0.00")
    assert [d for d in differences() if "ledger" in d] == []
