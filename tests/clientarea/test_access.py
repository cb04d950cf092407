"""Who gets which page: the owner, a member, a stranger, nobody."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.test import Client as Browser
from django.urls import reverse

from billing_portal.clients.models import ClientStatus, Permission
from tests.factories import make_client, make_invoice, make_member, make_service, make_user

from .conftest import Household, browser_of

P = Permission


@dataclass(frozen=True, slots=True)
class Page:
    """One address, the permission it takes, and the row it is about, if it is about one."""

    name: str
    permission: Permission
    row: Callable[[Household], int] | None = None
    is_post: bool = False

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


PAGES = [
    Page("services", P.PRODUCTS),
    Page("service", P.PRODUCTS, backup),
    Page("service", P.PRODUCTS, pbx),
    Page("job", P.PRODUCTS, backup),
    Page("calls", P.PRODUCTS, pbx),
    Page("calls_csv", P.PRODUCTS, pbx),
    Page("reveal", P.MANAGE_PRODUCTS, backup, is_post=True),
    Page("resize", P.MANAGE_PRODUCTS, backup, is_post=True),
    Page("invoices", P.INVOICES),
    Page("invoice", P.INVOICES, invoice),
    Page("invoice_pdf", P.INVOICES, invoice),
    Page("pay", P.INVOICES, invoice, is_post=True),
    Page("test_payment", P.INVOICES, invoice),
    Page("payments", P.INVOICES),
    Page("order", P.ORDERS, order),
    Page("order_progress", P.ORDERS, order),
    Page("profile", P.PROFILE),
    Page("team", P.PROFILE),
    Page("contacts", P.CONTACTS),
    Page("new_contact", P.CONTACTS),
    Page("contact", P.CONTACTS, contact),
    Page("remove_contact", P.CONTACTS, contact, is_post=True),
    Page("mails", P.EMAILS),
]
READABLE = [page for page in PAGES if not page.is_post]
ABOUT_A_ROW = [page for page in PAGES if page.row]


@pytest.mark.parametrize("page", READABLE, ids=str)
def test_the_owner_may_open_every_page(household, browser, page):
    assert page.ask(browser, household).status_code == 200


@pytest.mark.parametrize("page", READABLE, ids=str)
def test_a_member_with_the_permission_may_open_the_page(household, page):
    member = make_member(household.client, page.permission)

    assert page.ask(browser_of(member), household).status_code == 200


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
    assert response.url == f"/accounts/login/?next={page.address(household)}"


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


def test_a_mail_of_another_client_is_not_there(household):
    stranger = make_user()
    make_client(owner=stranger)

    response = browser_of(stranger).get(reverse("clientarea:mail", args=[household.mail_pk]))

    assert response.status_code == 404


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
