"""A client's VAT id: judged when it is entered, looked up at once, shown as it stands."""

import pytest
from django.conf import settings as portal
from django.test import Client as Browser

from billing_portal.clients.models import Client
from billing_portal.taxes.models import SignupPlace
from tests.clientarea.test_account import PROFILE
from tests.clientarea.test_signup import sign_up
from tests.factories import make_user
from tests.taxes.rows import make_tax_id_check, make_tax_settings

FRENCH = PROFILE | {"country": "FR", "tax_id": "FR12345678901"}
NONSENSE = (
    "This is not a VAT id of the country chosen; one looks like FR12345678901. "
    "Leave it empty if you have none."
)


@pytest.fixture(autouse=True)
def eu(db, settings):
    settings.VIES_URL = "http://127.0.0.1:9/rest-api"
    make_tax_settings(eu_vat=True)


@pytest.fixture(autouse=True)
def _committed(monkeypatch):
    """Tests run in a transaction that is never committed: what waits for it is done at once."""
    monkeypatch.setattr("django.db.transaction.on_commit", lambda call, **_: call())


def asked(sent_tasks):
    return [t.kwargs for t in sent_tasks if t.name == "billing_portal.taxes.tasks.check_tax_id"]


def text(page):
    return " ".join(page.content.decode().split())


def test_a_changed_id_is_looked_up_at_once(browser, household, sent_tasks):
    page = browser.post("/account/", FRENCH, follow=True)

    assert asked(sent_tasks) == [{"client_id": household.client.pk}]
    assert "VAT id FR12345678901" in text(page)
    assert "Not checked yet" in text(page)


def test_an_id_is_kept_as_the_register_writes_it(browser, household):
    browser.post("/account/", FRENCH | {"tax_id": "fr 12-345.678 901"})

    household.client.refresh_from_db()
    assert household.client.tax_id == "FR12345678901"


def test_without_a_register_nothing_is_looked_up(browser, household, sent_tasks, settings):
    settings.VIES_URL = ""

    browser.post("/account/", FRENCH)

    assert asked(sent_tasks) == []


def test_nonsense_gets_a_sentence_and_is_not_saved(browser, household, sent_tasks):
    page = browser.post("/account/", FRENCH | {"tax_id": "abc"})

    household.client.refresh_from_db()
    assert NONSENSE in text(page)
    assert household.client.country.code == "DE"
    assert asked(sent_tasks) == []


@pytest.mark.parametrize(
    ("answer", "word", "sentence"),
    [
        ("valid", "Valid", "Your invoices carry no VAT: you account for it yourself"),
        ("invalid", "Not valid", "The EU&#x27;s register does not know this VAT id"),
        ("unavailable", "Not confirmed yet", "it is asked again every day"),
    ],
)
def test_the_account_page_says_what_the_register_said(browser, household, answer, word, sentence):
    household.client.country, household.client.tax_id = "FR", "FR12345678901"
    household.client.save()
    make_tax_id_check(household.client, answer)

    page = text(browser.get("/account/"))

    assert f"{word}</span>" in page
    assert sentence in page


def test_an_id_from_home_has_no_state(browser, household):
    household.client.tax_id = "DE123456789"
    household.client.save()

    assert 'id="tax-id"' not in text(browser.get("/account/"))


def test_signing_up_looks_the_id_up_and_keeps_where_from(sent_tasks, settings):
    settings.IP_COUNTRY_HEADER = "X-Country"
    browser = Browser(REMOTE_ADDR="203.0.113.9", headers={"X-Country": "fr"})

    sign_up(browser, country="FR", tax_id="FR12345678901")

    client = Client.objects.get()
    place = SignupPlace.objects.get()
    assert asked(sent_tasks) == [{"client_id": client.pk}]
    assert (place.client, place.ip, place.country) == (client, "203.0.113.9", "FR")


def test_behind_a_proxy_the_visitors_own_address_counts(settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1

    sign_up(Browser(REMOTE_ADDR="127.0.0.1", headers={"X-Forwarded-For": "8.8.8.8, 203.0.113.7"}))

    assert SignupPlace.objects.get().ip == "203.0.113.7"


def test_an_address_of_this_machine_is_no_evidence():
    sign_up()

    assert Client.objects.exists()
    assert not SignupPlace.objects.exists()


def test_nonsense_at_sign_up_makes_nobody():
    page = sign_up(country="FR", tax_id="abc")

    assert NONSENSE in text(page)
    assert not Client.objects.exists()


def test_a_further_client_of_a_log_in_is_looked_up_too(sent_tasks):
    browser = Browser(REMOTE_ADDR="203.0.113.9")
    browser.force_login(make_user())

    browser.post("/account/new/", FRENCH)

    client = Client.objects.get()
    assert asked(sent_tasks) == [{"client_id": client.pk}]
    assert client.currency == portal.DEFAULT_CURRENCY
    assert SignupPlace.objects.get().ip == "203.0.113.9"
