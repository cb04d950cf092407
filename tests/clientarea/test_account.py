"""The client's details, contacts, team and mails."""

import pytest

from billing_portal.audit.models import Entry
from billing_portal.clients.models import Client, Contact, Permission
from billing_portal.mail import actions as mail
from tests.factories import make_member, make_user

from .conftest import NOW, browser_of

PROFILE = {
    "company_name": "Acme & Co",
    "first_name": "Ann",
    "last_name": "Smith",
    "email": "billing@acme.example",
    "phone": "",
    "address1": "2 High Street",
    "address2": "",
    "postcode": "10115",
    "city": "Berlin",
    "state": "",
    "country": "DE",
    "tax_id": "",
}


def test_new_details_are_saved_with_history(browser, household):
    response = browser.post("/account/", PROFILE, follow=True)

    household.client.refresh_from_db()
    assert household.client.address1 == "2 High Street"
    assert "Saved. Invoices from now on carry the new details." in response.content.decode()
    entry = Entry.objects.get(action="client.profile_changed")
    assert (entry.actor, entry.summary) == (
        household.owner,
        "Changed address1, company_name",
    )


def test_bad_details_change_nothing_and_keep_the_old_name_on_the_page(browser, household):
    page = browser.post("/account/", PROFILE | {"city": "", "company_name": "New"})

    household.client.refresh_from_db()
    assert "Please fill this in." in page.content.decode()
    assert household.client.company_name == "Acme Ltd"


def test_the_currency_is_not_the_client_s_to_change(browser, household):
    browser.post("/account/", PROFILE | {"currency": "USD", "notes": "x", "status": "closed"})

    household.client.refresh_from_db()
    assert (household.client.currency, household.client.notes, household.client.status) == (
        "EUR",
        "",
        "active",
    )


def test_a_log_in_without_a_client_makes_one_and_goes_on(db):
    user = make_user()
    browser = browser_of(user)

    response = browser.post("/account/new/", PROFILE | {"next": "/order/"})

    assert response.url == "/order/"
    membership = Client.objects.get(company_name="Acme & Co").memberships.get()
    assert (membership.user, membership.is_owner) == (user, True)


def test_making_a_client_leads_to_no_other_site(db):
    browser = browser_of(make_user())

    assert browser.post("/account/new/", PROFILE | {"next": "//evil.example"}).url == "/"


def test_a_contact_is_added_changed_and_removed(browser, household):
    form = {"name": "Cy", "email": "cy@acme.example", "phone": "", "categories": ["invoices"]}

    browser.post("/account/contacts/new/", form)
    contact = Contact.objects.get(name="Cy")
    assert contact.categories == ["invoices"]

    browser.post(f"/account/contacts/{contact.pk}/", form | {"name": "Cyd", "categories": []})
    contact.refresh_from_db()
    assert (contact.name, contact.categories) == ("Cyd", [])

    browser.post(f"/account/contacts/{contact.pk}/remove/")
    assert list(Contact.objects.all()) == [household.contact]
    assert [entry.summary for entry in Entry.objects.filter(action__startswith="contact.")] == [
        "Contact Cyd removed",
        "Contact Cyd changed",
        "Contact Cy added",
    ]


def test_a_contact_without_an_address_is_refused(browser, household):
    page = browser.post("/account/contacts/new/", {"name": "Cy", "email": "cy"})

    assert "Enter a valid email address." in page.content.decode()
    assert Contact.objects.count() == 1


def test_the_team_says_what_each_may_do(browser, household):
    make_member(household.client, Permission.ORDERS, Permission.INVOICES)

    page = browser.get("/account/team/").content.decode()

    assert "Owner, may do everything" in page
    assert "see invoices and payments, place orders" in page


def test_mails_can_be_read_again(browser, household):
    listed = browser.get("/account/mails/").content.decode()
    page = browser.get(f"/account/mails/{household.mail_pk}/").content.decode()

    assert "On its way" in listed
    assert "billing@acme.example" in listed
    assert "Wait." in page


def test_the_menu_offers_only_what_the_member_may_do(household):
    member = make_member(household.client, Permission.INVOICES)

    page = browser_of(member).get("/").content.decode()

    assert 'href="/invoices/"' in page
    for address in ("/services/", "/order/", "/account/contacts/", "/account/mails/"):
        assert f'href="{address}"' not in page


@pytest.mark.parametrize("count", [30])
def test_a_long_list_of_mails_is_paged(browser, household, count):
    for number in range(count):
        mail.send(
            "order_placed",
            to="billing@acme.example",
            copies=[],
            key=f"more-{number}",
            context={"client": "Acme", "order": "1", "items": "x", "next_step": "y", "path": "/"},
            at=NOW,
            client_id=household.client.pk,
        )

    assert "Page 1 of 2" in browser.get("/account/mails/").content.decode()
    assert len(browser.get("/account/mails/?page=2").context["rows"]) == 6
