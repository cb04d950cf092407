"""Further questions to clients: at sign-up, on the account page, and who sees the answers."""

import pytest
from django.test import Client as Browser

from billing_portal.clients.models import Client, ClientField
from billing_portal.products.models import ProductField
from tests.clientarea.test_signup import ANSWERS

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _asked():
    ClientField.objects.create(
        key="found", label="How did you find us?", kind="choice", choices="Friend\nFair"
    )
    ClientField.objects.create(
        key="site", label="Your site", kind="link", required=True, position=1
    )
    ClientField.objects.create(key="risk", label="Risk class", staff_only=True, position=2)


def sign_up(**answers):
    return Browser().post("/accounts/signup/", ANSWERS | answers)


def profile(**changed):
    fields = {name: value for name, value in ANSWERS.items() if name not in ("email", "password1")}
    return fields | {"email": "billing@acme.example", "asked_site": "https://a.example"} | changed


def test_signing_up_asks_them_and_keeps_the_answers():
    page = Browser().get("/accounts/signup/").content.decode()

    answer = sign_up(asked_found="Fair", asked_site="firm.example")

    assert "How did you find us?" in page
    assert "Risk class" not in page
    assert answer.status_code == 302
    assert Client.objects.get().custom_fields == {
        "found": "Fair",
        "site": "https://firm.example",
    }


def test_a_missing_or_wrong_answer_is_explained_and_nobody_is_registered():
    missing = sign_up().content.decode()
    wrong = sign_up(asked_site="firm.example", asked_found="TV").content.decode()

    assert "Please fill this in." in missing
    assert "Please choose one of the list." in wrong
    assert not Client.objects.exists()


def test_the_account_page_changes_answers_and_leaves_those_of_staff(household, browser):
    Client.objects.update(custom_fields={"risk": "low", "site": "https://old.example"})

    page = browser.get("/account/").content.decode()
    browser.post("/account/", profile(asked_found="Friend", asked_risk="none"))

    assert 'value="https://old.example"' in page
    assert "Risk class" not in page
    assert Client.objects.get().custom_fields == {
        "risk": "low",
        "found": "Friend",
        "site": "https://a.example",
    }


def test_a_service_shows_what_was_ordered_but_not_what_staff_keep(household, browser):
    service = household.backup
    for key, label, hidden in (("host", "Host name", False), ("rack", "Rack", True)):
        ProductField.objects.create(
            product=service.product, key=key, label=label, staff_only=hidden
        )
    service.custom_fields = {"host": "mx.example", "rack": "R7"}
    service.options = [{"key": "disks", "name": "Disks", "text": "SSD", "units": 1}]
    service.save()

    page = browser.get(f"/services/{service.pk}/").content.decode()

    assert "<dt>Host name</dt><dd>mx.example</dd>" in page
    assert "<dt>Disks</dt><dd>SSD</dd>" in page
    assert "R7" not in page
