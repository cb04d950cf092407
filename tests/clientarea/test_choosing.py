"""The order page: options, quantities and further questions, and the price they add up to."""

import re
from decimal import Decimal

import pytest
from django.test import Client as Browser

from billing_portal.orders.models import Order
from billing_portal.products.models import Choice, Product, ProductField
from billing_portal.services.models import Service
from billing_portal.taxes.models import TaxRule, TaxSettings
from tests.factories import make_client, make_product, make_user
from tests.options import make_option

from .conftest import browser_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def box():
    """A box staff deliver: 10.00 a month, disks, addresses and a backup."""
    product = make_product(
        module_key="", name="Box", slug="box", recurring="10", setup_fee="1", set_up="manually"
    )
    make_option(product, "disks", "radio", {"hdd": "0", "ssd": "2.50"}, position=1)
    make_option(
        product, "addresses", "quantity", {"unit": "1.50"}, minimum=1, maximum=4, position=2
    )
    make_option(product, "backup", "yes_no", {"unit": "3"}, setup={"unit": "5"}, position=3)
    return product


@pytest.fixture
def browser():
    user = make_user("ann@acme.example", name="Ann Smith")
    make_client(owner=user)
    return browser_of(user)


CHOICE = {
    "cycle": "monthly",
    "label": "Office",
    "option-disks": "ssd",
    "option-addresses": "3",
    "option-backup": "on",
}


def page(browser, path="/order/box/", **answers):
    return browser.get(path, answers).content.decode()


def rows(html):
    """The price summary as pairs of label and amount."""
    summary = html.split('<dl class="sum">')[1].split("</dl>")[0]
    return re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", summary)


def place(browser, slug="box", **changed):
    answers = CHOICE | changed
    html = page(browser, f"/order/{slug}/checkout/", **answers)
    key = re.search(r'name="submission_key" value="(\w+)"', html)
    assert key, html
    form = answers | {"submission_key": key[1], "payment_method": "test"}
    return html, browser.post(f"/order/{slug}/checkout/", form)


def taxed():
    TaxSettings.objects.update_or_create(pk=1, defaults={"enabled": True})
    TaxRule.objects.create(name="VAT", country="DE", percent=Decimal(19))


def test_the_order_page_asks_for_options_and_says_what_each_adds(box):
    html = page(Browser())

    assert "Ssd (+€2.50 per month)" in html
    assert "Hdd (" not in html
    assert "1 to 4, +€1.50 per month each" in html
    assert "Backup (+€3.00 per month, €5.00 set-up)" in html
    # What is chosen beforehand: the first disks and one address.
    assert rows(html) == [
        ("Set-up, once", "€1.00"),
        ("Per month, in advance", "€11.50"),
        ("Due now", "€12.50"),
        ("Then per month", "€11.50"),
    ]


def test_the_live_price_follows_the_options(box):
    html = page(Browser(), "/order/box/price/", **CHOICE)

    assert rows(html) == [
        ("Set-up, once", "€6.00"),
        ("Per month, in advance", "€20.00"),
        ("Due now", "€26.00"),
        ("Then per month", "€20.00"),
    ]
    assert "Disks: Ssd</dt><dd>€2.50" in html
    assert "Addresses: 3</dt><dd>€4.50" in html
    assert "Backup: Yes</dt><dd>€3.00 + €5.00 once" in html


def test_another_cycle_brings_the_options_with_its_prices(box):
    box.prices.create(currency="EUR", cycle="annual", recurring=100, setup_fee=0)
    Choice.objects.get(key="ssd").prices.create(currency="EUR", cycle="annual", recurring=25)

    answer = Browser().get(
        "/order/box/price/", CHOICE | {"cycle": "annual"}, headers={"HX-Trigger-Name": "cycle"}
    )

    html = answer.content.decode()
    assert 'id="options"' in html
    assert "Ssd (+€25.00 per year)" in html
    assert rows(html)[0] == ("Per year, in advance", "€125.00")
    assert 'id="options"' not in page(Browser(), "/order/box/price/", **CHOICE)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"option-disks": "gold"}, "This is not offered. Please choose one of the list."),
        ({"option-addresses": "5"}, "Please enter a number from 1 to 4."),
        ({"cycle": "weekly"}, "This is not offered. Please choose another cycle."),
    ],
)
def test_a_tampered_choice_is_explained_and_orders_nothing(box, browser, wrong, sentence):
    html = page(browser, "/order/box/checkout/", **CHOICE | wrong)
    answer = browser.post(
        "/order/box/checkout/",
        CHOICE | wrong | {"submission_key": "k", "payment_method": "test"},
    )

    assert sentence in html
    assert "The price appears here once the answers fit." in html
    assert sentence in answer.content.decode()
    assert not Order.objects.exists()


def test_what_the_checkout_shows_is_what_the_invoice_says(box, browser):
    taxed()
    Product.objects.update(quantity_mode="services", maximum_quantity=5)

    html, answer = place(browser, quantity="3")

    # Three times 20.00 and 6.00 set-up, and 14.82 of VAT.
    assert rows(html) == [
        ("Set-up, once", "€18.00"),
        ("Per month, in advance", "€60.00"),
        ("VAT 19 %", "€14.82"),
        ("Due now", "€92.82"),
        ("Then per month, with tax", "€71.40"),
    ]
    assert "Order and pay €92.82" in html
    assert "<dt>Quantity</dt><dd>3</dd>" in html
    assert answer.status_code == 302
    order = Order.objects.get()
    assert (order.total, order.invoice.total) == (Decimal("92.82"), Decimal("92.82"))
    assert [service.label for service in Service.objects.order_by("pk")] == [
        "Office 1",
        "Office 2",
        "Office 3",
    ]


def test_a_visitor_sees_the_tax_at_home_of_the_seller(box):
    taxed()

    assert ("VAT 19 %", "€2.38") in rows(page(Browser()))


def test_a_scaling_product_asks_how_many(box, browser):
    Product.objects.update(quantity_mode="scaling", maximum_quantity=5)

    html = page(browser, "/order/box/checkout/", **CHOICE | {"quantity": "6"})
    place(browser, quantity="2")

    assert "Please order from 1 to 5." in html
    assert (Service.objects.get().quantity, Service.objects.get().recurring_amount) == (
        2,
        Decimal("40.00"),
    )


def test_further_questions_are_asked_and_checked(box, browser):
    ProductField.objects.create(
        product=box, key="host", label="Host name", required=True, pattern=r"[a-z.]+"
    )
    ProductField.objects.create(product=box, key="rack", label="Rack", staff_only=True)

    asked = page(browser)
    refused = page(browser, "/order/box/checkout/", **CHOICE | {"question-host": "MX 1"})
    missing = page(browser, "/order/box/checkout/", **CHOICE)
    review, _ = place(browser, **{"question-host": "mx.example"})

    assert "Host name" in asked
    assert "<dt>Host name</dt><dd>mx.example</dd>" in review
    assert "Rack" not in asked
    assert "This does not look right. Please check it." in refused
    assert "Please fill this in." in missing
    assert Service.objects.get().custom_fields == {"host": "mx.example"}


def test_a_price_is_shown_while_a_question_is_still_open(box):
    ProductField.objects.create(product=box, key="host", label="Host name", required=True)

    assert ("Due now", "€26.00") in rows(page(Browser(), "/order/box/price/", **CHOICE))


def test_an_option_that_answers_the_modules_question_replaces_it(browser):
    product = make_product(
        module_key="remote_backups",
        name="Backup",
        slug="backup",
        usage={"storage": "10"},
        module_settings={"size_gb": 500, "min_size_gb": 500, "max_size_gb": 2000},
    )
    make_option(product, "size_gb", "dropdown", {"500": "0", "2000": "9", "5000": "20"})

    asked = page(browser, "/order/backup/")
    too_large = page(
        browser, "/order/backup/checkout/", cycle="monthly", **{"option-size_gb": "5000"}
    )
    html = page(browser, "/order/backup/price/", cycle="monthly", **{"option-size_gb": "2000"})

    assert 'name="option-size_gb"' in asked
    assert 'name="spec-size_gb"' not in asked
    assert ("You chose", "2000 GB") in rows(html)
    assert "submission_key" not in too_large
    assert "2000" in re.findall(r'<p class="error">.*?<span>(.*?)</span>', too_large, re.S)[0]


def test_what_is_out_of_stock_is_shown_and_refused(box, browser):
    Product.objects.update(stock=0)

    assert "Out of stock right now" in page(browser, "/order/")
    assert "This is out of stock." in page(browser)
    assert "Box is out of stock." in page(browser, "/order/box/checkout/", **CHOICE)
    assert not Order.objects.exists()


def test_more_than_the_stock_is_explained_at_the_quantity(box, browser):
    Product.objects.update(stock=2, quantity_mode="scaling", maximum_quantity=5)

    html = page(browser, "/order/box/checkout/", **CHOICE | {"quantity": "3"})

    assert "Only 2 of Box are left." in html


def test_a_product_without_a_price_in_the_clients_currency_says_so(box):
    user = make_user()
    make_client(owner=user, currency="CHF")

    answer = browser_of(user).get("/order/box/")

    assert answer.status_code == 404
    assert "Box has no price in CHF yet" in answer.content.decode()
    assert browser_of(user).get("/order/box/checkout/", CHOICE).status_code == 404


def test_a_retired_product_has_no_page_in_any_currency(box):
    user = make_user()
    make_client(owner=user, currency="CHF")
    Product.objects.update(retired=True)

    answer = browser_of(user).get("/order/box/")

    assert answer.status_code == 404
    assert "no price in CHF" not in answer.content.decode()


def test_a_used_form_orders_nothing_a_second_time(box, browser):
    html, _ = place(browser)
    key = re.search(r'name="submission_key" value="(\w+)"', html)
    assert key
    form = CHOICE | {"submission_key": key[1], "payment_method": "test", "option-addresses": "4"}

    second = browser.post("/order/box/checkout/", form)

    assert second.status_code == 302
    assert Order.objects.count() == 1
    assert Service.objects.get().options[1]["value"] == 3


def test_the_first_cycle_is_chosen_and_a_chosen_one_stays_chosen(box):
    box.prices.create(currency="EUR", cycle="annual", recurring=100, setup_fee=0)

    first = page(Browser())
    again = page(
        Browser(), "/order/box/checkout/", **CHOICE | {"cycle": "annual", "option-addresses": "9"}
    )

    assert re.findall(r'name="cycle" value="(\w+)" checked', first) == ["monthly"]
    assert re.findall(r'name="cycle" value="(\w+)" checked', again) == ["annual"]
