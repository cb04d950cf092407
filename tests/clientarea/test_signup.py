"""Signing up: one form makes the log-in and the client; then the order goes on."""

import pytest
from django.test import Client as Browser

from billing_portal.accounts.models import User
from billing_portal.clients.models import Client
from tests.factories import make_user

pytestmark = pytest.mark.django_db

ANSWERS = {
    "email": "Zoe@Firm.example",
    "password1": "correct horse 99",
    "first_name": "Zoë",
    "last_name": "Straße",
    "company_name": "Straße & Söhne",
    "phone": "+49 30 1234",
    "address1": "Weg 1",
    "address2": "",
    "postcode": "10115",
    "city": "Berlin",
    "state": "",
    "country": "DE",
    "tax_id": "DE123456789",
}


def sign_up(browser=None, **answers):
    return (browser or Browser()).post("/accounts/signup/", ANSWERS | answers)


def test_one_form_makes_the_log_in_and_its_client():
    browser = Browser()

    response = sign_up(browser)

    client = Client.objects.get()
    assert (response.status_code, response.url) == (302, "/")
    assert (client.company_name, client.email, client.currency, client.country.code) == (
        "Straße & Söhne",
        "zoe@firm.example",
        "EUR",
        "DE",
    )
    membership = client.memberships.get()
    assert (membership.user.email, membership.user.name, membership.is_owner) == (
        "zoe@firm.example",
        "Zoë Straße",
        True,
    )
    assert "Straße &amp; Söhne" in browser.get("/").content.decode()


def test_after_signing_up_the_order_goes_on():
    assert sign_up(next="/order/backup/checkout/?cycle=monthly").url == (
        "/order/backup/checkout/?cycle=monthly"
    )


def test_signing_up_leads_to_no_other_site():
    assert sign_up(next="https://evil.example/").url == "/"


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"email": "zoe"}, "Enter a valid email address."),
        ({"email": ""}, "Please enter your e-mail address."),
        ({"password1": "short"}, "It must contain at least 10 characters."),
        ({"password1": ""}, "Please choose a password."),
        ({"city": ""}, "Please fill this in."),
        ({"country": ""}, "Please choose your country."),
        ({"country": "XX"}, "Select a valid choice. XX is not one of the available choices."),
        ({"postcode": "1" * 21}, "Ensure this value has at most 20 characters (it has 21)."),
    ],
)
def test_what_is_missing_or_wrong_gets_a_sentence_and_nothing_is_made(answers, sentence):
    page = sign_up(**answers).content.decode()

    assert sentence in page
    assert not User.objects.exists()
    assert not Client.objects.exists()


def test_a_known_address_makes_no_second_client():
    make_user("zoe@firm.example")

    sign_up()

    assert User.objects.count() == 1
    assert not Client.objects.exists()


def test_no_client_leaves_no_user_behind(monkeypatch):
    def refuse(**_: object) -> None:
        raise RuntimeError("no client today")

    monkeypatch.setattr("billing_portal.clients.actions.register_client", refuse)

    with pytest.raises(RuntimeError):
        sign_up()

    assert not User.objects.exists()


def test_the_answers_are_kept_but_never_the_password():
    page = sign_up(city="").content.decode()

    assert 'value="Weg 1"' in page
    assert "correct horse 99" not in page
