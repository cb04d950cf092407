"""What holds for every page: its frame, what it loads, and the pages for when things fail."""

from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django.conf import settings as portal
from django.db import DatabaseError
from django.template.loader import render_to_string
from django.test import Client as Browser
from django.test import RequestFactory
from django.urls import reverse

from billing_portal.clientarea.views import health
from billing_portal.clock.models import ClockOffset
from billing_portal.clock.setting import set_clock
from tests.factories import make_client, make_user, rewrite_issued

from .conftest import NOW, browser_of

ALLAUTH_PAGES = [
    "account_email",
    "account_change_password",
    "account_logout",
    "mfa_index",
    "mfa_activate_totp",
]
ENTRANCE_PAGES = ["account_login", "account_signup", "account_reset_password"]
OWN_PAGES = [
    "/",
    "/order/",
    "/services/",
    "/services/{backup}/",
    "/services/{pbx}/",
    "/services/{pbx}/calls/",
    "/invoices/",
    "/invoices/{invoice}/",
    "/invoices/{invoice}/pay/?gateway=bank_transfer",
    "/pay/test/{invoice}/",
    "/orders/{order}/",
    "/payments/",
    "/account/",
    "/account/new/",
    "/account/contacts/",
    "/account/contacts/new/",
    "/account/contacts/{contact}/",
    "/account/team/",
    "/account/mails/",
    "/account/mails/{mail}/",
]


class Loads(HTMLParser):
    """What a page makes a browser fetch or run, and what would be refused or leave the site."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        fetched = ("src",) if tag != "link" else ("href",)
        self.addresses += [given[name] for name in fetched if name in given]
        is_code = tag == "script" and "src" not in given
        if is_code and given.get("type") != "application/json":
            self.inline.append("script")
        self.inline += [name for name in given if name.startswith(("on", "hx-on"))]


def check(html: str) -> None:
    loads = Loads(html)
    assert loads.inline == []
    assert [a for a in loads.addresses if not a.startswith(("/static/", "data:"))] == []
    assert [name for name in loads.ids if loads.ids.count(name) > 1] == []


@pytest.mark.parametrize("address", OWN_PAGES)
def test_a_page_runs_no_inline_script_and_loads_only_from_here(household, browser, address):
    path = address.format(
        backup=household.backup.pk,
        pbx=household.pbx.pk,
        invoice=household.invoice.pk,
        order=household.order.pk,
        contact=household.contact.pk,
        mail=household.mail_pk,
    )

    response = browser.get(path)

    assert response.status_code == 200
    assert "script-src 'self';" in response["Content-Security-Policy"] + ";"
    check(response.content.decode())


@pytest.mark.parametrize("name", ALLAUTH_PAGES)
def test_the_log_in_s_own_pages_look_like_the_others(household, browser, name):
    household.owner.emailaddress_set.create(
        email=household.owner.email, verified=True, primary=True
    )
    browser.post(reverse("account_reauthenticate"), {"password": "correct horse 99"})

    response = browser.get(reverse(name))

    assert response.status_code == 200
    page = response.content.decode()
    assert 'class="topbar"' in page
    check(page)


@pytest.mark.parametrize("name", ENTRANCE_PAGES)
def test_the_pages_before_logging_in_look_like_the_others(db, name):
    page = Browser().get(reverse(name)).content.decode()

    assert 'class="topbar"' in page
    check(page)


def test_a_wrong_password_is_said_in_a_sentence(household):
    form = {"login": household.owner.email, "password": "wrong"}

    page = Browser().post(reverse("account_login"), form).content.decode()

    assert "are not correct" in page
    assert 'value="wrong"' not in page


def test_logging_in_leads_to_the_overview(household):
    browser = Browser()
    form = {"login": "ann@acme.example", "password": "correct horse 99"}

    response = browser.post(reverse("account_login"), form, follow=True)

    assert response.redirect_chain[-1] == ("/", 302)
    assert "<h1>Acme Ltd</h1>" in response.content.decode()


# --- The overview -------------------------------------------------------------------------


def test_the_overview_says_what_needs_the_client(browser, household):
    rewrite_issued(household.invoice, due_date=NOW.date() - timedelta(days=1))

    page = browser.get("/").content.decode()

    assert "<strong>€27.98 overdue.</strong>" in page
    assert "1 invoice past the due date." in page
    assert f"{household.invoice.number}</a> was due on Nov 19, 2026" in page


def test_a_new_client_is_shown_where_to_begin(db):
    user = make_user()
    make_client(owner=user)

    page = browser_of(user).get("/").content.decode()

    assert "No services yet" in page
    assert "See what we offer" in page


def test_staff_without_a_client_see_the_shop_and_their_dashboard(db):
    page = browser_of(make_user(is_staff=True)).get("/").content.decode()

    assert "What we offer" in page
    assert 'href="/staff/"' in page


# --- The clock ----------------------------------------------------------------------------


def test_a_moved_clock_is_announced(browser):
    set_clock(NOW + timedelta(days=30))

    assert "Simulated time" in browser.get("/").content.decode()
    assert "Dec 20, 2026, 12:00 UTC" in browser.get("/").content.decode()


@pytest.mark.parametrize("seconds", [0, 59])
def test_a_clock_hardly_moved_is_not(browser, seconds):
    ClockOffset.objects.update_or_create(pk=1, defaults={"offset": timedelta(seconds=seconds)})

    assert "Simulated time" not in browser.get("/").content.decode()


def test_a_portal_that_bills_for_real_never_announces_a_clock(browser, settings):
    set_clock(NOW + timedelta(days=30))
    settings.SIMULATION = False

    assert "Simulated time" not in browser.get("/").content.decode()


# --- When things fail ---------------------------------------------------------------------


def test_an_unknown_address_says_so_in_the_usual_frame(browser):
    response = browser.get("/nothing/here/")

    assert response.status_code == 404
    assert "There is nothing at this address" in response.content.decode()
    assert "Acme Ltd" not in response.content.decode()


def test_the_failure_page_needs_nothing_that_may_have_failed():
    page = render_to_string("500.html")

    assert "Something went wrong on our side" in page
    check(page)


def test_the_health_check_answers_while_the_database_does(db):
    response = Browser().get("/healthz")

    assert (response.status_code, response.content) == (200, b"ok\n")
    assert "no-store" in response["Cache-Control"]


class DatabaseDown:
    def cursor(self) -> None:
        raise DatabaseError("gone")


def test_the_health_check_fails_with_the_database(monkeypatch):
    monkeypatch.setattr(health, "connection", DatabaseDown())

    assert health.healthz(RequestFactory().get("/healthz")).status_code == 503


def test_the_stylesheet_and_the_script_load_nothing_from_elsewhere():
    folder = portal.BASE_DIR / "billing_portal" / "static" / "portal"

    for file in folder.iterdir():
        text = file.read_text().replace("http://www.w3.org/", "")
        assert "http:" not in text
        assert "https:" not in text
