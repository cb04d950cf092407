"""Staff write, mail, move and invoice quotes."""

from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse
from post_office.models import Email

from billing_portal.invoices.models import Invoice
from billing_portal.quotes import actions
from billing_portal.quotes.actions import Offer, OfferLine
from billing_portal.quotes.models import Quote
from billing_portal.workflows import quotes
from tests.factories import AT, make_client

pytestmark = pytest.mark.django_db

UNTIL = date(2099, 1, 1)


@pytest.fixture
def client(db):
    return make_client()


def text(answer):
    return " ".join(answer.content.decode().split())


def go(name, quote):
    return reverse(f"staff:{name}", args=[quote.pk])


def a_quote(client, **fields):
    lines = [OfferLine("Phones", Decimal(10), Decimal(90))]
    offer = Offer(
        **{"subject": "PBX", "lines": lines, "valid_until": UNTIL, "client": client} | fields
    )
    return actions.write(offer, at=AT, actor=None)


def accepted(client, **fields):
    quote = quotes.deliver(a_quote(client, **fields).pk, at=AT, actor=None)
    return quotes.accept(quote.pk, by="Ann", at=AT, actor=None)


def typed(**more):
    values = {
        "subject": "New PBX",
        "valid_until": "2099-01-01",
        "deposit_percent": "0",
        "lines-TOTAL_FORMS": "1",
        "lines-INITIAL_FORMS": "0",
        "lines-0-description": "Phones",
        "lines-0-quantity": "10",
        "lines-0-unit_price": "90",
        "lines-0-discount_percent": "10",
        "lines-0-taxable": "on",
    }
    return values | more


def test_a_quote_for_a_client_is_previewed_saved_changed_and_mailed(client, staff):
    address = reverse("staff:client-quote", args=[client.pk])
    assert "€810.00" in text(staff.post(address, typed(preview="1")))
    assert not Quote.objects.exists()

    staff.post(address, typed())
    quote = Quote.objects.get()
    assert 'value="New PBX"' in text(staff.get(go("quote-edit", quote)))
    staff.post(go("quote-edit", quote), typed(subject="Better PBX"))
    shown = staff.post(go("quote-deliver", quote), follow=True)

    assert f"is on its way to {client.email}." in text(shown)
    assert Email.objects.get().subject == "Our offer QUO-2026-00001: Better PBX"
    assert "Make it a draft again, or copy it" in text(
        staff.get(go("quote-edit", quote), follow=True)
    )


def test_a_quote_for_a_prospect_asks_who_it_is(staff):
    address = reverse("staff:quote-new")
    assert "This field is required." in text(staff.post(address, typed()))
    person = {"first_name": "Pat", "last_name": "Lee", "email": "p@example.org", "country": "DE"}

    staff.post(address, typed(**person))

    quote = Quote.objects.get()
    assert (quote.client, quote.prospect["email"]) == (None, "p@example.org")
    assert "Pat Lee, a prospect" in text(staff.get(go("quote", quote)))


def test_what_was_accepted_is_invoiced_after_a_question(client, staff):
    quote = accepted(client)

    assert "Issue invoice" in text(staff.get(go("quote-convert", quote)))
    staff.post(go("quote-convert", quote))
    again = staff.post(go("quote-convert", quote), follow=True)

    assert Invoice.objects.get().total == Decimal(900)
    assert "invoices a quote" in text(staff.get(reverse("staff:client-merge", args=[client.pk])))
    assert "is invoiced already." in text(again)
    assert "Invoice all" not in text(staff.get(go("quote", quote)))


def test_the_stage_is_changed_with_a_reason(client, staff):
    quote = quotes.deliver(a_quote(client).pk, at=AT, actor=None)

    staff.post(go("quote-move", quote), {"stage": "accepted", "reason": "by phone", "key": "k"})

    assert Quote.objects.get().stage == "accepted"
    assert "by phone" in text(staff.get(go("quote", quote)))


def test_the_list_shows_each_with_its_stage_and_the_expired(client, staff):
    old = quotes.deliver(a_quote(client, valid_until=AT.date()).pk, at=AT, actor=None)
    fresh = a_quote(client)
    Quote.objects.filter(pk=old.pk).update(valid_until=date(2020, 1, 1))

    everything = text(staff.get(reverse("staff:quotes")))
    assert "Expired" in everything and fresh.number in everything
    assert old.number not in text(staff.get(reverse("staff:quotes"), {"stage": "draft"}))
    assert "No quotes in this stage yet." in text(staff.get("/staff/quotes/", {"stage": "lost"}))


def test_a_copy_and_the_paper_are_a_click_away(client, staff):
    quote = accepted(client)

    assert staff.get(go("quote-pdf", quote)).content.startswith(b"%PDF-")
    assert "This is a copy of" in text(staff.post(go("quote-duplicate", quote), follow=True))


def test_who_may_only_look_may_not_write(client, as_role):
    quote = a_quote(client)
    reader = as_role("Read only")

    assert reader.get(go("quote", quote)).status_code == 200
    for name in ("quote-edit", "quote-deliver", "quote-duplicate", "quote-move", "quote-convert"):
        assert reader.post(go(name, quote)).status_code == 403
    assert as_role("Billing").get(go("quote-move", quote)).status_code == 200
