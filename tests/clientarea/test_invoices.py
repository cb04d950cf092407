"""Invoices as the client sees them, and paying one."""

from decimal import Decimal

import pytest

from billing_portal.invoices.models import InvoiceStatus
from billing_portal.payments.models import Allocation, Transaction, WebhookEvent
from tests.factories import make_client, make_invoice, make_service, rewrite_issued, utc

from .conftest import NOW


@pytest.fixture
def invoice(household):
    """27.98: 8.61 for storage, 0.37 for calls, 19.00 in advance."""
    return household.invoice


def page_of(browser, invoice, suffix=""):
    return browser.get(f"/invoices/{invoice.pk}/{suffix}").content.decode()


# --- Reading ------------------------------------------------------------------------------


def test_the_page_says_what_the_paper_says(browser, invoice):
    page = page_of(browser, invoice)

    for text in (
        f"Invoice {invoice.number}",
        "12 Harbour Street",
        "Tax id: DE123456789",
        "Issued Dec 1, 2026",
        "Due Dec 15, 2026",
        "861.111111 GB",
        "€10.00 per 1,000 GB",
        "€8.61",
        "€27.98",
    ):
        assert text in page


def test_a_usage_line_opens_to_the_sizes_behind_it(browser, invoice):
    page = page_of(browser, invoice)

    for text in (
        "Average of 861.111111 GB over 720 hours, at €10.00 per 1,000 GB",
        "Nov 9, 2026, 08:00 UTC",
        'data-label="Size" class="num right">1,000 GB</td>',
        ">520</td>",
        "€7.22",
    ):
        assert text in page


def test_a_line_of_calls_opens_to_its_destinations_and_leads_to_every_call(browser, household):
    page = page_of(browser, household.invoice)

    assert "Germany mobile" in page
    assert "€0.356000" in page
    charge = household.pbx.charges.get()
    assert f'href="/services/{household.pbx.pk}/calls/?charge={charge.pk}"' in page


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"status": InvoiceStatus.PAID}, "Paid"),
        ({"status": InvoiceStatus.CANCELLED}, "Cancelled"),
        ({"due_date": NOW.date()}, "Unpaid"),
        ({"due_date": utc(2026, 11, 19).date()}, "Overdue"),
        ({"paid_amount": Decimal("1.00")}, "Partly paid"),
    ],
)
def test_the_light_says_how_an_invoice_stands(browser, invoice, fields, word):
    rewrite_issued(invoice, **fields)

    assert browser.get("/invoices/").context["rows"][0][1].word == word


def test_the_list_says_what_is_open(browser, invoice):
    page = browser.get("/invoices/").content.decode()

    assert '<span class="num">€27.98</span> is waiting for payment.' in page


def test_the_paper_is_a_pdf_named_by_its_number(browser, invoice):
    response = browser.get(f"/invoices/{invoice.pk}/pdf/")

    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == f'inline; filename="{invoice.number}.pdf"'
    assert response.content.startswith(b"%PDF")


def test_a_client_without_invoices_is_told_when_the_first_one_comes(browser, household):
    other = make_client()
    other.memberships.create(user=household.owner, is_owner=True)
    browser.post("/account/switch/", {"client": other.pk})

    assert "Your first invoice comes with your first order." in page_of_list(browser)


def page_of_list(browser):
    return browser.get("/invoices/").content.decode()


# --- Paying -------------------------------------------------------------------------------


def pay(browser, invoice, key="e" * 32, **button):
    return browser.post(f"/pay/test/{invoice.pk}/", {"event_key": key, **button})


def test_a_transfer_leads_to_instructions_with_the_number_as_reference(browser, invoice):
    response = browser.post(f"/invoices/{invoice.pk}/pay/", {"gateway": "bank_transfer"})

    assert response.url == f"/invoices/{invoice.pk}/pay/?gateway=bank_transfer"
    page = browser.get(response.url).content.decode()
    assert f">{invoice.number}</dd>" in page
    assert "€27.98" in page
    assert not Transaction.objects.exists()


def test_the_test_gateway_has_a_page_with_pay_and_decline(browser, invoice):
    response = browser.post(f"/invoices/{invoice.pk}/pay/", {"gateway": "test"})

    assert response.url == f"/pay/test/{invoice.pk}/"
    page = browser.get(response.url).content.decode()
    assert 'name="pay"' in page
    assert 'name="decline"' in page


def test_paying_settles_the_invoice_and_leads_back_to_its_order(browser, household):
    response = pay(browser, household.invoice, pay="yes")

    household.invoice.refresh_from_db()
    assert response.url == f"/orders/{household.order.pk}/"
    assert household.invoice.status == InvoiceStatus.PAID
    assert Transaction.objects.get().amount == Decimal("27.98")


def test_an_invoice_without_an_order_leads_back_to_itself(browser, household):
    plain = make_invoice(household.client, advance={make_service(household.client): "5.00"})

    assert pay(browser, plain, pay="yes").url == f"/invoices/{plain.pk}/"


def test_paying_twice_with_one_form_is_one_payment(browser, invoice):
    pay(browser, invoice, pay="yes")
    pay(browser, invoice, pay="yes")

    assert Transaction.objects.count() == WebhookEvent.objects.count() == 1
    assert Allocation.objects.get().amount == Decimal("27.98")


def test_a_paid_invoice_asks_for_nothing_more(browser, invoice):
    pay(browser, invoice, pay="yes")

    again = pay(browser, invoice, key="f" * 32, pay="yes")
    page = page_of(browser, invoice)

    assert again.status_code == 302
    assert Transaction.objects.count() == 1
    assert "Paid in full" in page
    assert "/pay/" not in page
    assert "Paid Nov 20, 2026, Test payment" in page


def test_declining_charges_nothing_and_offers_the_invoice_again(browser, invoice):
    response = pay(browser, invoice, decline="yes")

    assert response.url == f"/invoices/{invoice.pk}/"
    assert "The payment was declined." in browser.get(response.url).content.decode()
    assert not Transaction.objects.exists()


def test_a_form_without_its_key_pays_nothing(browser, invoice):
    response = pay(browser, invoice, key="", pay="yes")

    assert response.status_code == 200
    assert not Transaction.objects.exists()


def test_an_unknown_gateway_is_not_followed(browser, invoice):
    page = browser.post(f"/invoices/{invoice.pk}/pay/", {"gateway": "magic"}, follow=True)

    assert "Please choose how you would like to pay." in page.content.decode()


def test_without_the_test_gateway_its_page_is_not_there(browser, invoice, monkeypatch):
    monkeypatch.setattr("billing_portal.payments.registry.gateways", lambda: ())

    assert browser.get(f"/pay/test/{invoice.pk}/").status_code == 404
    assert pay(browser, invoice, pay="yes").status_code == 404


def test_the_payments_say_what_they_paid(browser, invoice):
    pay(browser, invoice, pay="yes")

    page = browser.get("/payments/").content.decode()

    assert "Test payment" in page
    assert f">{invoice.number}</a>" in page
    assert "€27.98" in page
