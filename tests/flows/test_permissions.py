"""Scenario 22: a member who may not see money, from every door to it."""

from datetime import date
from decimal import Decimal

import pytest
from django.test import Client as Browser
from django.urls import reverse

from billing_portal.accounts.models import User
from billing_portal.clients.models import Membership, Permission
from billing_portal.invoices import crediting
from billing_portal.invoices.models import CreditNote, Invoice
from billing_portal.payments.models import CreditEntry, PaymentBundle, Transaction
from billing_portal.quotes import actions as offers
from billing_portal.quotes.actions import Offer, OfferLine
from billing_portal.services.models import Service
from billing_portal.workflows import bundles, credit_notes, quotes
from billing_portal.workflows.client_credit import add_credit
from tests.factories import make_client, make_member, make_user, utc
from tests.flows.orders import box, order, set_rules

pytestmark = pytest.mark.django_db

AT = utc(2026, 1, 31, 12)
EVERY_OTHER = [permission for permission in Permission if permission != Permission.INVOICES]


@pytest.fixture
def invoice() -> Invoice:
    """40.00 ordered and unpaid, 5.00 of it taken back by a credit note."""
    set_rules()
    found = order(box(), at=AT)
    credit_notes.credit_invoice(
        found.pk,
        lambda locked: crediting.correct_by(locked, Decimal("5.00")),
        reason="Late",
        request_key="n",
        at=AT,
        actor=None,
    )
    return found


def browser_of(user: User) -> Browser:
    browser = Browser()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def money_pages(invoice: Invoice) -> list[tuple[str, list[int]]]:
    """Every page about money, with what it is about."""
    note = CreditNote.objects.get()
    asked = bundles.ask_for(invoice.client_id, [invoice.pk], request_key="b", at=AT, actor=None)
    return [
        *((name, []) for name in ("invoices", "payments", "pay_together", "credit")),
        *((name, [invoice.pk]) for name in ("invoice", "invoice_pdf", "invoice_xrechnung", "pay")),
        ("test_payment", [invoice.pk]),
        *((name, [note.pk]) for name in ("credit_note_pdf", "credit_note_xrechnung")),
        *((name, [asked.pk]) for name in ("bundle", "test_bundle")),
    ]


def test_a_member_who_may_do_all_but_invoices_gets_403_on_every_page_about_money(
    invoice: Invoice,
) -> None:
    member = browser_of(make_member(invoice.client, *EVERY_OTHER))
    pages = money_pages(invoice)

    answers = {
        name: member.get(reverse(f"clientarea:{name}", args=args)).status_code
        for name, args in pages
    }

    assert answers == dict.fromkeys(answers, 403)
    assert len(answers) == 13


def test_such_a_member_pays_nothing_and_uses_no_credit(invoice: Invoice) -> None:
    add_credit(invoice.client_id, Decimal(40), reason="gift", request_key="g", at=AT, actor=None)
    member = browser_of(make_member(invoice.client, *EVERY_OTHER))
    asked = bundles.ask_for(invoice.client_id, [invoice.pk], request_key="b", at=AT, actor=None)
    sent = [
        (f"/invoices/{invoice.pk}/pay/", {"gateway": "test"}),
        (f"/pay/test/{invoice.pk}/", {"pay": "yes", "event_key": "k" * 20}),
        (f"/invoices/{invoice.pk}/use-credit/", {"key": "u"}),
        ("/invoices/pay/", {"invoice": [invoice.pk], "gateway": "test", "key": "t"}),
        (f"/pay/test/together/{asked.pk}/", {"pay": "yes"}),
        ("/credit/", {"amount": "50.00", "gateway": "test", "key": "d"}),
    ]

    answers = [member.post(address, values).status_code for address, values in sent]

    assert answers == [403] * 6
    invoice.refresh_from_db()
    assert (invoice.status, invoice.balance) == ("unpaid", Decimal("35.00"))
    assert Transaction.objects.count() == 0
    assert (PaymentBundle.objects.count(), CreditEntry.objects.count()) == (1, 1)


def test_the_pages_such_a_member_does_see_lead_to_no_invoice_and_say_no_balance(
    invoice: Invoice,
) -> None:
    add_credit(
        invoice.client_id, Decimal("77.77"), reason="gift", request_key="g", at=AT, actor=None
    )
    member = browser_of(make_member(invoice.client, *EVERY_OTHER))
    service = Service.objects.get()
    order_pk = service.order_item.order_id

    for address in ("/", "/services/", f"/services/{service.pk}/", f"/orders/{order_pk}/"):
        page = member.get(address)
        shown = page.content.decode()
        assert page.status_code == 200, address
        assert f"/invoices/{invoice.pk}/" not in shown, address
        assert "77.77" not in shown, address
    assert "waits for the payment of somebody of Acme Ltd who may see invoices." in shown


def test_a_stranger_gets_404_where_the_member_gets_403(invoice: Invoice) -> None:
    """Whoever is none of the client's shall not learn that the row exists."""
    stranger = make_user()
    make_client(owner=stranger)
    about_a_row = [(name, args) for name, args in money_pages(invoice) if args]

    answers = [
        browser_of(stranger).get(reverse(f"clientarea:{name}", args=args)).status_code
        for name, args in about_a_row
    ]

    assert answers == [404] * 9


def test_quotes_are_for_members_who_may_order(invoice: Invoice) -> None:
    offer = Offer(
        subject="PBX",
        lines=[OfferLine("Phones", Decimal(1), Decimal(90))],
        valid_until=date(2099, 1, 1),
        client=invoice.client,
    )
    quote = quotes.deliver(offers.write(offer, at=AT, actor=None).pk, at=AT, actor=None)
    others = [permission for permission in Permission if permission != Permission.ORDERS]
    member = browser_of(make_member(invoice.client, *others))
    addresses = ["/quotes/", f"/quotes/{quote.pk}/", f"/quotes/{quote.pk}/pdf/"]

    assert [member.get(address).status_code for address in addresses] == [403] * 3
    accepted = member.post(f"/quotes/{quote.pk}/accept/", {"agreed": "1"})
    quote.refresh_from_db()
    assert (accepted.status_code, quote.stage) == (403, "delivered")


def test_no_address_of_the_client_area_changes_a_membership(invoice: Invoice) -> None:
    """The team is shown and changed by staff only, so no member can touch the owner."""
    owner = make_user("owner@acme.example")
    Membership.objects.create(client=invoice.client, user=owner, is_owner=True)
    member = browser_of(make_member(invoice.client, *Permission))
    before = list(Membership.objects.order_by("pk").values())

    shown = member.get("/account/team/")
    sent = member.post("/account/team/", {"is_owner": "", "permissions": [], "user": owner.pk})

    assert (shown.status_code, sent.status_code) == (200, 405)
    assert list(Membership.objects.order_by("pk").values()) == before
