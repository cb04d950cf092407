"""Add-ons on a service's page: listed, ordered after a preview, cancelled after a question."""

import re
from datetime import date

import pytest

from billing_portal.clients.models import Permission
from billing_portal.invoices.models import Invoice
from billing_portal.services.models import ServiceAddon
from billing_portal.services.states import ServiceStatus
from tests.factories import (
    make_addon,
    make_client,
    make_member,
    make_product,
    make_promotion,
    make_service,
    make_service_addon,
    make_user,
)

from .conftest import browser_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return make_client(owner=make_user("ann@acme.example", name="Ann Smith"))


@pytest.fixture
def browser(client):
    return browser_of(client.memberships.get().user)


@pytest.fixture
def service(client):
    return make_service(
        client,
        product=make_product(name="Mail", module_key=""),
        recurring="30",
        anchor_date=date(2026, 11, 1),
        billed_until=date(2026, 12, 1),
        label="office",
    )


def page_of(browser, service):
    return browser.get(f"/services/{service.pk}/").content.decode()


def words(page):
    """What the page says, without markup."""
    return re.sub(r"\s+", " ", re.sub(r"<.*?>", " ", page))


def add(browser, service, addon, **fields):
    values = {"choice": f"{addon.pk}:monthly", "quantity": "1", "request_key": "k1"}
    return browser.post(f"/services/{service.pk}/addons/", values | fields)


def test_a_service_without_addons_to_have_says_nothing_of_them(browser, service):
    assert "Add-ons" not in page_of(browser, service)


def test_the_page_lists_each_addon_with_its_state_next_invoice_and_price(browser, service):
    address = make_addon(service.product, "3", name="IP address", maximum_quantity=4)
    make_service_addon(service, address, quantity=2, billed_until=date(2026, 12, 7))
    ending = make_addon(service.product, "5")
    make_service_addon(service, ending, ends_on=date(2026, 12, 9))

    text = words(page_of(browser, service))

    assert (
        "2 \N{MULTIPLICATION SIGN} IP address Active Dec 7, 2026 €3.00 per month Cancel IP address"
        in text
    )
    assert "Snapshots Active ends on Dec 9, 2026 €5.00 per month Keep it" in text


def test_before_ordering_the_client_sees_what_is_due_and_nothing_is_stored(browser, service):
    addon = make_addon(service.product, "5", setup_fee="2")

    chosen = browser.get(f"/services/{service.pk}/addons/").content.decode()
    shown = words(add(browser, service, addon).content.decode())

    assert "Snapshots (+€5.00 per month, €2.00 set-up)" in chosen
    assert "Snapshots for Mail (office): set-up €2.00" in shown
    assert "Nov 20, 2026 until Dec 20, 2026 €5.00" in shown
    assert "Due now €7.00" in shown
    assert "Order for €7.00" in shown
    assert ServiceAddon.objects.count() == 0


def test_confirmed_it_is_ordered_once_and_the_invoice_is_shown(browser, service):
    addon = make_addon(service.product, "5", setup_fee="2")

    first = add(browser, service, addon, confirm="yes")
    second = add(browser, service, addon, confirm="yes")

    invoice = Invoice.objects.get()
    assert first.url == second.url == f"/invoices/{invoice.pk}/"
    assert f"{invoice.total:.2f}" == "7.00"
    assert ServiceAddon.objects.get().status == "pending"


def test_one_that_costs_nothing_is_there_at_once(browser, service):
    addon = make_addon(service.product, "0")

    answer = add(browser, service, addon, confirm="yes")

    assert answer.url == f"/services/{service.pk}/"
    assert "Snapshots is now part of Mail - office." in page_of(browser, service)


def test_what_is_not_offered_is_refused_beside_the_choice(browser, service):
    make_addon(service.product, "5")
    foreign = make_addon(make_product(), "1")

    page = add(browser, service, foreign, confirm="yes").content.decode()

    assert "This is not offered. Please choose one of the list." in page
    assert ServiceAddon.objects.count() == 0


def test_more_than_allowed_is_said_in_a_sentence(browser, service):
    address = make_addon(service.product, "3", name="IP address", maximum_quantity=4)

    page = words(add(browser, service, address, quantity="9").content.decode())

    assert "You can have 1 to 4 of IP address, not 9." in page


def test_a_suspended_service_gets_nothing_added(browser, service):
    addon = make_addon(service.product, "5")
    service.status = ServiceStatus.SUSPENDED
    service.save()

    add(browser, service, addon, confirm="yes")

    assert ServiceAddon.objects.count() == 0


def test_cancelling_asks_first_and_then_keeps_it_until_it_is_paid(browser, service):
    row = make_service_addon(service, make_addon(service.product, "5"))

    asked = words(browser.get(f"/addons/{row.pk}/cancel/").content.decode())
    assert "It is paid until Dec 1, 2026." in asked
    row.refresh_from_db()
    assert row.ends_on is None

    browser.post(f"/addons/{row.pk}/cancel/")

    row.refresh_from_db()
    assert (row.status, row.ends_on) == ("active", date(2026, 12, 1))
    assert "Snapshots ends on Dec 1, 2026. Until then nothing changes." in page_of(browser, service)

    browser.post(f"/addons/{row.pk}/keep/")
    row.refresh_from_db()
    assert row.ends_on is None


def test_an_unpaid_one_is_taken_back(browser, service):
    add(browser, service, make_addon(service.product, "5"), confirm="yes")
    row = ServiceAddon.objects.get()

    asked = words(browser.get(f"/addons/{row.pk}/cancel/").content.decode())
    browser.post(f"/addons/{row.pk}/cancel/")

    assert "Its invoice is cancelled with it, and nothing is owed." in asked
    row.refresh_from_db()
    assert (row.status, Invoice.objects.get().status) == ("cancelled", "cancelled")


def test_another_client_s_addon_is_not_there(browser):
    stranger = make_service(make_client(), product=make_product(module_key=""))
    addon = make_addon(stranger.product, "5")
    row = make_service_addon(stranger, addon)

    answers = [
        browser.get(f"/services/{stranger.pk}/addons/"),
        add(browser, stranger, addon, confirm="yes"),
        browser.get(f"/addons/{row.pk}/cancel/"),
        browser.post(f"/addons/{row.pk}/cancel/"),
        browser.post(f"/addons/{row.pk}/keep/"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 5
    row.refresh_from_db()
    assert (row.ends_on, ServiceAddon.objects.count()) == (None, 1)


def test_who_may_not_order_neither_adds_nor_ends(client, service):
    member = browser_of(make_member(client, Permission.PRODUCTS, Permission.INVOICES))
    addon = make_addon(service.product, "5", maximum_quantity=2)
    row = make_service_addon(service, addon)

    page = page_of(member, service)

    assert "Snapshots" in page
    assert "Add something" not in page
    assert "Cancel" not in words(page).split("Add-ons")[1].split("©")[0]
    assert add(member, service, addon, confirm="yes").status_code == 403
    assert member.post(f"/addons/{row.pk}/cancel/").status_code == 403
    row.refresh_from_db()
    assert row.ends_on is None


def test_many_addons_cost_no_more_queries(browser, service, django_assert_max_num_queries):
    for number in range(12):
        addon = make_addon(service.product, "5", name=f"Extra {number}")
        make_service_addon(service, addon)

    with django_assert_max_num_queries(45):
        page_of(browser, service)


def test_what_the_service_has_as_often_as_it_may_is_not_offered_again(browser, service):
    make_service_addon(service, make_addon(service.product, "5"))
    address = make_addon(service.product, "3", name="IP address", maximum_quantity=2)
    make_service_addon(service, address)

    page = browser.get(f"/services/{service.pk}/addons/").content.decode()

    assert "IP address (+€3.00 per month)" in page
    assert "Snapshots (" not in page


def test_the_page_says_what_the_promotion_still_takes_off(browser, service):
    service.promotion = make_promotion("SPRING", recurring=True, recurs_for=2)
    service.discount_amount, service.discounts_left = 3, 2
    service.save()

    assert "Promotion €3.00 off, 2 more times" in words(page_of(browser, service))

    service.discounts_left = 0
    service.save()
    assert "Promotion" not in page_of(browser, service)
