"""Add-ons and promotion codes on the order pages."""

import re

import pytest

from billing_portal.orders.models import Order
from billing_portal.promotions.models import Promotion
from billing_portal.services.models import Service, ServiceAddon
from tests.factories import (
    make_addon,
    make_client,
    make_client_group,
    make_product,
    make_promotion,
    make_user,
)

from .conftest import browser_of

pytestmark = pytest.mark.django_db

CHECKOUT = "/order/box/checkout/"


@pytest.fixture
def client():
    return make_client(owner=make_user("ann@acme.example", name="Ann Smith"))


@pytest.fixture
def browser(client):
    return browser_of(client.memberships.get().user)


@pytest.fixture
def box():
    """Set-up 10.00, 30.00 a month."""
    return make_product(name="Box", slug="box", module_key="", recurring="30", setup_fee="10")


def checkout(browser, **fields):
    return browser.post(CHECKOUT, {"cycle": "monthly", "label": ""} | fields).content.decode()


def key_of(page):
    return re.search(r'name="submission_key" value="(\w+)"', page)[1]


def summary(page):
    """The rows of the price box, without markup."""
    box = page.split('class="sum"')[1].split("</dl>")[0]
    rows = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", box)
    return [tuple(re.sub(r"<.*?>", "", part).strip() for part in row) for row in rows]


# --- Codes --------------------------------------------------------------------------------


def test_an_applied_code_shows_each_discount_and_orders_nothing(browser, box):
    make_promotion("FIFTH", value="20", recurring=True, recurs_for=2)

    page = checkout(browser, promotion_code=" fifth", apply_code="1")

    assert summary(page) == [
        ("Set-up, once", "€10.00"),
        ("Promotion FIFTH: 20 % off", "\N{MINUS SIGN}€8.00"),
        ("Per month, in advance", "€30.00"),
        ("Due now", "€32.00"),
        ("Then per month", "€24.00"),
    ]
    assert "20 % off on the first payment and the next 2" in page
    assert "Remove the code" in page
    assert Order.objects.count() == 0


def test_a_code_that_does_not_hold_says_why_and_stays_to_be_corrected(browser, box):
    page = checkout(browser, promotion_code="FIFHT", apply_code="1")

    assert "There is no code FIFHT. Please check how it is spelled." in page
    assert 'value="FIFHT"' in page
    assert ("Due now", "€40.00") in summary(page)


def test_applying_nothing_asks_for_a_code(browser, box):
    assert "Please enter a code." in checkout(browser, promotion_code="", apply_code="1")


def test_a_removed_code_is_gone(browser, box):
    make_promotion("FIFTH", value="20")

    page = checkout(browser, promotion_code="FIFTH", remove_code="1")

    assert "FIFTH" not in page
    assert ("Due now", "€40.00") in summary(page)


def test_trying_a_code_keeps_the_key_and_the_way_to_pay(browser, box):
    make_promotion("FIFTH", value="20")
    fields = {"submission_key": "abc123", "payment_method": "bank_transfer"}

    page = checkout(browser, promotion_code="FIFTH", apply_code="1", **fields)

    assert key_of(page) == "abc123"
    assert re.search(r'value="bank_transfer"[^>]*checked', page)


def test_the_order_has_what_the_checkout_showed(browser, box):
    make_promotion("FIFTH", value="20")
    page = checkout(browser, promotion_code="FIFTH", apply_code="1")

    checkout(
        browser,
        promotion_code="FIFTH",
        submission_key=key_of(page),
        payment_method="bank_transfer",
    )

    order = Order.objects.get()
    assert (order.promotion_code, f"{order.total:.2f}") == ("FIFTH", "32.00")
    assert Promotion.objects.get().uses == 1


def test_a_code_that_ended_meanwhile_is_refused_beside_its_field(browser, box):
    make_promotion("LAST", maximum_uses=1, uses=1)

    page = checkout(
        browser, promotion_code="LAST", submission_key="abc123", payment_method="bank_transfer"
    )

    assert page.count("LAST has been used up.") == 1
    assert Order.objects.count() == 0


def test_a_group_discount_is_shown_before_the_order(browser, client, box):
    client.group = make_client_group("Partners", discount_percent="10")
    client.save()

    page = browser.get(CHECKOUT, {"cycle": "monthly", "label": ""}).content.decode()

    assert ("Partners: 10 % discount", "\N{MINUS SIGN}€3.00") in summary(page)


# --- Add-ons ------------------------------------------------------------------------------


def test_the_order_page_offers_addons_with_their_prices(browser, box):
    make_addon(box, "5", setup_fee="2", description="Every night.")
    make_addon(box, "1.50", name="IP address", maximum_quantity=4)
    make_addon(box, "9", name="Secret", hidden=True)

    page = browser.get("/order/box/").content.decode()

    assert "Snapshots (+€5.00 per month, €2.00 set-up)" in page
    assert "IP address (+€1.50 per month)" in page
    assert "Secret" not in page


def test_a_product_without_addons_has_no_empty_box(browser, box):
    assert "Add to it" not in browser.get("/order/box/").content.decode()


def test_chosen_addons_are_in_the_price_and_in_the_order(browser, box):
    snapshots = make_addon(box, "5", setup_fee="2")
    address = make_addon(box, "1.50", name="IP address", maximum_quantity=4)
    chosen = {f"addon-{snapshots.pk}": "on", f"addon-{address.pk}": "3"}

    page = browser.get(CHECKOUT, {"cycle": "monthly", "label": ""} | chosen).content.decode()

    assert summary(page) == [
        ("Set-up, once", "€10.00"),
        ("Per month, in advance", "€30.00"),
        ("IP address for Box", "€4.50"),
        ("Snapshots for Box: set-up", "€2.00"),
        ("Snapshots for Box", "€5.00"),
        ("Due now", "€51.50"),
        ("Then per month", "€39.50"),
    ]
    checkout(browser, submission_key=key_of(page), payment_method="bank_transfer", **chosen)
    assert f"{Order.objects.get().total:.2f}" == "51.50"
    assert [(row.addon, row.quantity) for row in ServiceAddon.objects.order_by("pk")] == [
        (address, 3),
        (snapshots, 1),
    ]


def test_too_many_of_an_addon_is_said_beside_it(browser, box):
    address = make_addon(box, "1.50", name="IP address", maximum_quantity=4)

    page = checkout(browser, **{f"addon-{address.pk}": "5"})

    assert "Please enter a number from 0 to 4." in page
    assert Service.objects.count() == 0


def test_the_price_shown_while_choosing_counts_addons(browser, box):
    snapshots = make_addon(box, "5")

    page = browser.get(
        "/order/box/price/", {"cycle": "monthly", "label": "", f"addon-{snapshots.pk}": "on"}
    ).content.decode()

    assert ("Due now", "€45.00") in summary(page)
