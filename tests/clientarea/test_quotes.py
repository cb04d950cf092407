"""Quotes as those they are for see them: in the client area, and by the key in a mail."""

from datetime import date
from decimal import Decimal

import pytest
from django.test import Client as Browser

from billing_portal.clients.models import Client, Membership
from billing_portal.invoices.models import Invoice
from billing_portal.quotes import actions
from billing_portal.quotes.actions import Offer, OfferLine
from billing_portal.quotes.models import Quote
from billing_portal.workflows import quotes
from tests.factories import AT, make_client, make_user

pytestmark = pytest.mark.django_db

PROSPECT = {
    "first_name": "Pat",
    "last_name": "Lee",
    "email": "pat@example.org",
    "company_name": "Lee Ltd",
    "country": "DE",
}


@pytest.fixture
def client(db):
    return make_client(owner=make_user())


@pytest.fixture
def browser(client):
    browser = Browser()
    browser.force_login(client.users.get())
    return browser


def written(client=None, until=date(2099, 1, 1), **fields):
    lines = [OfferLine("Phones", Decimal(10), Decimal(90))]
    values = {"subject": "PBX", "lines": lines, "valid_until": until, "client": client}
    return actions.write(Offer(**values | fields), at=AT, actor=None)


def offered(client=None, **fields):
    if client is None:
        fields["prospect"] = PROSPECT
    return quotes.deliver(written(client, **fields).pk, at=AT, actor=None)


def text(answer):
    return " ".join(answer.content.decode().split())


def test_a_client_reads_and_accepts_its_quote_once(client, browser):
    quote = offered(client, deposit_percent=Decimal(50))
    page = f"/quotes/{quote.pk}/"
    assert "€900.00" in text(browser.get(page)) and quote.number in text(browser.get("/quotes/"))

    missing = browser.post(f"{page}accept/", follow=True)
    assert "Please tick that you accept the offer." in text(missing)
    browser.post(f"{page}accept/", {"agreed": "1"})
    again = browser.post(f"{page}accept/", {"agreed": "1"}, follow=True)

    assert Quote.objects.get().stage == "accepted"
    assert Invoice.objects.get().total == Decimal(450)
    assert "is accepted, so it cannot be accepted." in text(again)
    assert "INV-2026-00001" in text(again) and "Accept quote" not in text(again)


def test_the_start_page_shows_the_offers_that_wait_for_an_answer(client, browser):
    assert "waits for your answer" not in text(browser.get("/"))

    quote = offered(client)
    expired = offered(client, until=date(2080, 1, 1), subject="Old switchboard")
    Quote.objects.filter(pk=expired.pk).update(valid_until=date(2020, 1, 1))
    shown = text(browser.get("/"))

    assert "An offer waits for your answer." in shown
    assert f'href="/quotes/{quote.pk}/"' in shown and "€900.00" in shown
    assert "Old switchboard" not in shown


def test_without_the_permission_to_order_the_start_page_shows_no_offers(client):
    offered(client)
    user = make_user()
    Membership.objects.create(client=client, user=user, permissions=["invoices"])
    browser = Browser()
    browser.force_login(user)

    assert "See offer" not in text(browser.get("/"))


def test_a_client_declines_with_a_reason(client, browser):
    quote = offered(client)

    browser.post(f"/quotes/{quote.pk}/decline/", {"reason": "Too dear"})

    assert Quote.objects.get().stage == "lost"
    assert "Declined" in text(browser.get(f"/quotes/{quote.pk}/"))


def test_an_expired_quote_offers_no_button_and_refuses(client, browser):
    quote = offered(client)
    Quote.objects.update(valid_until=date(2020, 1, 1))

    assert "Accept quote" not in text(browser.get(f"/quotes/{quote.pk}/"))
    answer = browser.post(f"/quotes/{quote.pk}/accept/", {"agreed": "1"}, follow=True)

    assert "expired. Please ask us for a new one." in text(answer)


def test_drafts_and_the_quotes_of_others_are_not_found(client, browser):
    hidden = [written(client), offered(make_client()), written(prospect=PROSPECT)]

    for quote in hidden:
        assert browser.get(f"/quotes/{quote.pk}/").status_code == 404
        assert browser.get(f"/quotes/{quote.pk}/pdf/").status_code == 404
        assert browser.post(f"/quotes/{quote.pk}/accept/", {"agreed": "1"}).status_code == 404
    assert browser.get(f"/quotes/key/{hidden[2].access_key}/").status_code == 404
    assert browser.get("/quotes/key/guess/").status_code == 404
    assert "No quotes" in text(browser.get("/quotes/"))


def test_without_the_permission_to_order_quotes_are_closed(client):
    quote, user = offered(client), make_user()
    Membership.objects.create(client=client, user=user, permissions=["invoices"])
    browser = Browser()
    browser.force_login(user)

    assert browser.get("/quotes/").status_code == 403
    assert browser.post(f"/quotes/{quote.pk}/accept/", {"agreed": "1"}).status_code == 403


def test_the_link_of_a_clients_quote_leads_to_the_log_in(client):
    quote = offered(client)
    stranger = Browser()

    first = stranger.get(f"/quotes/key/{quote.access_key}/")
    assert first["Location"] == f"/quotes/{quote.pk}/"
    assert "/accounts/login/" in stranger.get(first["Location"])["Location"]
    stranger.post(f"/quotes/key/{quote.access_key}/accept/", {"agreed": "1"})
    assert Quote.objects.get().stage == "delivered"


def test_a_prospect_accepts_by_the_link_and_becomes_a_client():
    quote = offered(deposit_percent=Decimal(50))
    stranger, page = Browser(), f"/quotes/key/{quote.access_key}/"
    assert "Pat Lee" in text(stranger.get(page)) or "Lee Ltd" in text(stranger.get(page))
    assert stranger.get(f"{page}pdf/").content.startswith(b"%PDF-")

    answer = stranger.post(f"{page}accept/", {"agreed": "1"}, follow=True)

    assert Quote.objects.get().stage == "accepted" and not Invoice.objects.exists()
    for known in ("pat@example.org", "Pat", "Lee Ltd"):
        assert f'value="{known}"' in text(answer)
    asked = stranger.post(
        answer.redirect_chain[-1][0],
        PROSPECT
        | {
            "password1": "correct horse battery",
            "address1": "1 High Street",
            "postcode": "10115",
            "city": "Berlin",
            "next": f"{page}join/",
        },
        follow=True,
    )
    assert "50 % of it are invoiced to Lee Ltd at once." in text(asked)
    stranger.post(f"{page}join/")
    quote.refresh_from_db()
    assert quote.client == Client.objects.get(email="pat@example.org")
    assert Invoice.objects.get().total == Decimal(450)


def test_a_link_somebody_sent_puts_no_quote_and_no_invoice_into_an_account(client, browser):
    quote = offered(deposit_percent=Decimal(50))
    page = f"/quotes/key/{quote.access_key}/"
    Browser().post(f"{page}accept/", {"agreed": "1"})

    assert browser.get(f"{page}join/").status_code == 200
    quote.refresh_from_db()
    assert (quote.client, Invoice.objects.exists()) == (None, False)


def test_the_pdf_of_a_clients_quote_takes_the_log_in_too(client):
    quote = offered(client)
    stranger = Browser()

    answer = stranger.get(f"/quotes/key/{quote.access_key}/pdf/")

    assert answer["Location"] == f"/quotes/{quote.pk}/pdf/"
    assert "/accounts/login/" in stranger.get(answer["Location"])["Location"]


def test_a_prospect_declines_by_the_link():
    quote = offered()

    answer = Browser().post(f"/quotes/key/{quote.access_key}/decline/", follow=True)

    assert Quote.objects.get().stage == "lost" and "Declined" in text(answer)
