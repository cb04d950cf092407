"""Who gets which page: the owner, a member, a stranger, nobody."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pytest
from django.test import Client as Browser
from django.urls import reverse

from billing_portal.clientarea import urls
from billing_portal.clients.models import ClientStatus, Permission
from billing_portal.quotes import actions as quotes
from billing_portal.quotes.actions import Offer, OfferLine
from billing_portal.workflows import bundles, captures
from billing_portal.workflows.quotes import deliver
from tests.factories import (
    make_addon,
    make_client,
    make_invoice,
    make_member,
    make_service,
    make_service_addon,
    make_user,
)
from tests.invoices.documents import credit_note
from tests.workflows.capturing import store

from .conftest import NOW, Household, browser_of

P = Permission


@dataclass(frozen=True, slots=True)
class Page:
    """One address, the permission it takes, and the row it is about, if it is about one.

    `answer` is what whoever may open it gets: 302 where this row has nothing to show there.
    """

    name: str
    permission: Permission
    row: Callable[[Household], int] | None = None
    is_post: bool = False
    answer: int = 200

    def address(self, household: Household) -> str:
        return reverse(f"clientarea:{self.name}", args=[self.row(household)] if self.row else [])

    def ask(self, browser: Browser, household: Household):
        send = browser.post if self.is_post else browser.get
        return send(self.address(household))

    def __str__(self) -> str:
        return self.name


def backup(household):
    return household.backup.pk


def pbx(household):
    return household.pbx.pk


def invoice(household):
    return household.invoice.pk


def order(household):
    return household.order.pk


def contact(household):
    return household.contact.pk


def mail(household):
    return household.mail_pk


def note(household):
    return credit_note(household.invoice, "5.00").pk


def bundle(household):
    asked = bundles.ask_for(
        household.client.pk, [household.invoice.pk], request_key="k", at=NOW, actor=None
    )
    return asked.pk


def quote(household):
    offer = Offer(
        subject="PBX",
        lines=[OfferLine("Phones", Decimal(10), Decimal(90))],
        valid_until=date(2099, 1, 1),
        client=household.client,
    )
    return deliver(quotes.write(offer, at=NOW, actor=None).pk, at=NOW, actor=None).pk


def addon(household):
    offered = make_addon(household.backup.product, "5")
    return make_service_addon(household.backup, offered).pk


def method(household):
    return store(household.client).pk


def awaited(household):
    """The invoice, for which a bank still owes an answer."""
    left = store(household.client, "pending")
    attempt = captures.capture_now(
        household.invoice.pk, left.pk, request_key="k", at=NOW, actor=None
    )
    captures.carry_out(attempt.pk, at=NOW)
    return household.invoice.pk


PAGES = [
    Page("services", P.PRODUCTS),
    Page("service", P.PRODUCTS, backup),
    Page("service", P.PRODUCTS, pbx),
    Page("job", P.PRODUCTS, backup),
    Page("calls", P.PRODUCTS, pbx),
    Page("calls_csv", P.PRODUCTS, pbx),
    Page("reveal", P.MANAGE_PRODUCTS, backup, is_post=True),
    Page("resize", P.MANAGE_PRODUCTS, backup, is_post=True),
    Page("configure", P.MANAGE_PRODUCTS, backup, is_post=True),
    Page("cap", P.MANAGE_PRODUCTS, backup, is_post=True),
    Page("change", P.MANAGE_PRODUCTS, backup, answer=302),
    Page("withdraw_change", P.MANAGE_PRODUCTS, backup, is_post=True),
    Page("cancel", P.MANAGE_PRODUCTS, backup),
    Page("cancel", P.MANAGE_PRODUCTS, backup, is_post=True),
    Page("keep", P.MANAGE_PRODUCTS, backup, is_post=True),
    Page("add_addon", P.ORDERS, backup, answer=302),
    Page("end_addon", P.ORDERS, addon),
    Page("end_addon", P.ORDERS, addon, is_post=True),
    Page("keep_addon", P.ORDERS, addon, is_post=True),
    Page("invoices", P.INVOICES),
    Page("invoice", P.INVOICES, invoice),
    Page("invoice_pdf", P.INVOICES, invoice),
    Page("invoice_xrechnung", P.INVOICES, invoice, answer=302),
    Page("credit_note_pdf", P.INVOICES, note),
    Page("credit_note_xrechnung", P.INVOICES, note, answer=302),
    Page("pay", P.INVOICES, invoice, is_post=True),
    Page("test_payment", P.INVOICES, invoice),
    Page("test_payment", P.INVOICES, invoice, is_post=True),
    Page("use_credit", P.INVOICES, invoice, is_post=True),
    Page("pay_together", P.INVOICES),
    Page("pay_together", P.INVOICES, is_post=True),
    Page("bundle", P.INVOICES, bundle),
    Page("test_bundle", P.INVOICES, bundle),
    Page("test_bundle", P.INVOICES, bundle, is_post=True),
    Page("credit", P.INVOICES),
    Page("credit", P.INVOICES, is_post=True),
    Page("payments", P.INVOICES),
    Page("methods", P.INVOICES),
    Page("add_method", P.INVOICES, is_post=True),
    Page("test_method", P.INVOICES),
    Page("test_method", P.INVOICES, is_post=True),
    Page("default_method", P.INVOICES, method, is_post=True),
    Page("remove_method", P.INVOICES, method),
    Page("remove_method", P.INVOICES, method, is_post=True),
    Page("take", P.INVOICES, invoice, is_post=True),
    Page("test_answer", P.INVOICES, awaited),
    Page("test_answer", P.INVOICES, awaited, is_post=True),
    Page("quotes", P.ORDERS),
    Page("quote", P.ORDERS, quote),
    Page("quote_pdf", P.ORDERS, quote),
    Page("accept_quote", P.ORDERS, quote, is_post=True),
    Page("decline_quote", P.ORDERS, quote, is_post=True),
    Page("order", P.ORDERS, order),
    Page("order_progress", P.ORDERS, order),
    Page("profile", P.PROFILE),
    Page("team", P.PROFILE),
    Page("contacts", P.CONTACTS),
    Page("new_contact", P.CONTACTS),
    Page("contact", P.CONTACTS, contact),
    Page("remove_contact", P.CONTACTS, contact, is_post=True),
    Page("mails", P.EMAILS),
    Page("mail", P.EMAILS, mail),
]
ELSEWHERE = {
    "home": "the catalogue for strangers, the dashboard for every member",
    "healthz": "for machines, says nothing of clients",
    "catalogue": "public",
    "product": "public",
    "price": "public",
    "checkout": "a choice before the log-in, tests/clientarea/test_orders.py",
    "webhook": "signed, tests/clientarea/test_webhook_endpoint.py",
    "new_client": "makes a client, tests/clientarea/test_account.py",
    "switch_client": "chooses among one's own, at the end of this file",
    **dict.fromkeys(
        ("quote_key", "quote_key_pdf", "accept_key", "decline_key", "join_quote"),
        "for a prospect who has the key, tests/clientarea/test_quotes.py",
    ),
}
READABLE = [page for page in PAGES if not page.is_post]
ABOUT_A_ROW = [page for page in PAGES if page.row]


def test_every_address_is_tried_here_or_is_said_to_be_tried_elsewhere():
    assert {page.name for page in PAGES} | ELSEWHERE.keys() == {
        address.name for address in urls.urlpatterns
    }


@pytest.mark.parametrize("page", READABLE, ids=str)
def test_the_owner_may_open_every_page(household, browser, page):
    assert page.ask(browser, household).status_code == page.answer


@pytest.mark.parametrize("page", READABLE, ids=str)
def test_a_member_with_the_permission_may_open_the_page(household, page):
    member = make_member(household.client, page.permission)

    assert page.ask(browser_of(member), household).status_code == page.answer


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_member_without_the_permission_is_told_so(household, page):
    others = [permission for permission in Permission if permission != page.permission]
    member = make_member(household.client, *others)

    response = page.ask(browser_of(member), household)

    assert response.status_code == 403
    assert "Its owner can grant you that." in response.content.decode()


@pytest.mark.parametrize("page", ABOUT_A_ROW, ids=str)
def test_another_client_s_row_is_not_there(household, page):
    stranger = make_user()
    make_client(owner=stranger)

    assert page.ask(browser_of(stranger), household).status_code == 404


@pytest.mark.parametrize("page", READABLE, ids=str)
def test_somebody_logged_out_is_asked_to_log_in_and_comes_back(household, page):
    response = page.ask(Browser(), household)

    assert response.status_code == 302
    assert response.url == f"/accounts/login/?next={response.wsgi_request.path}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.is_post], ids=str)
def test_somebody_logged_out_changes_nothing(household, page):
    response = page.ask(Browser(), household)

    assert (response.status_code, response.url) == (302, "/accounts/login/")


def test_a_part_of_a_page_never_becomes_a_log_in_form(household):
    address = reverse("clientarea:job", args=[household.backup.pk])

    response = Browser().get(address, headers={"HX-Request": "true"})

    assert (response.status_code, response["HX-Refresh"]) == (204, "true")


@pytest.mark.parametrize("name", ["reveal", "remove_contact"])
def test_what_changes_something_is_never_a_get(household, browser, name):
    page = next(page for page in PAGES if page.name == name)

    assert browser.get(page.address(household)).status_code == 405


def test_posts_without_a_token_are_refused(household):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(household.owner, backend="django.contrib.auth.backends.ModelBackend")

    response = browser.post(reverse("clientarea:reveal", args=[household.backup.pk]))

    assert response.status_code == 403
    assert "Please send that again" in response.content.decode()


def test_a_log_in_without_a_client_is_asked_who_pays(db):
    response = browser_of(make_user()).get("/services/")

    assert (response.status_code, response.url) == (302, "/account/new/?next=%2Fservices%2F")


def test_a_closed_client_is_nobody_s(household, browser):
    household.client.status = ClientStatus.CLOSED
    household.client.save()

    assert browser.get("/services/").status_code == 302
    assert browser.get(f"/services/{household.backup.pk}/").status_code == 404


def test_a_link_to_a_row_of_one_s_other_client_switches_to_it(household, browser):
    other = make_client(company_name="Second Ltd")
    make_member(other, Permission.INVOICES, user=household.owner)
    theirs = make_invoice(other, advance={make_service(other): "5.00"})

    page = browser.get(reverse("clientarea:invoice", args=[theirs.pk])).content.decode()

    assert "You are now acting for Second Ltd." in page
    assert browser.get("/invoices/").context["acting_client"].pk == other.pk


def test_the_permission_counts_for_the_row_s_client_not_the_chosen_one(household, browser):
    other = make_client(company_name="Second Ltd")
    make_member(other, Permission.PRODUCTS, user=household.owner)
    theirs = make_invoice(other, advance={make_service(other): "5.00"})

    response = browser.get(reverse("clientarea:invoice", args=[theirs.pk]))

    assert response.status_code == 403


def test_the_switcher_offers_only_one_s_own_clients(household, browser):
    own = make_client(company_name="Second Ltd")
    make_member(own, user=household.owner)
    foreign = make_client(company_name="Foreign Ltd")

    assert browser.post("/account/switch/", {"client": own.pk}).status_code == 302
    assert browser.get("/").context["acting_client"].pk == own.pk
    assert browser.post("/account/switch/", {"client": foreign.pk}).status_code == 404
    assert browser.get("/").context["acting_client"].pk == own.pk
