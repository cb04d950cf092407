"""From the catalogue to a placed order, and what the confirmation says next."""

import re
from decimal import Decimal

import pytest
from django.test import Client as Browser

from billing_portal.clients.models import Permission
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.orders.models import Order
from billing_portal.products.models import Price, Product
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from provisioning.models import Job
from tests.factories import make_client, make_member, make_product, make_server, make_user

from .conftest import NOW, browser_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    user = make_user("ann@acme.example", name="Ann Smith")
    make_client(owner=user)
    return user


@pytest.fixture
def browser(owner):
    return browser_of(owner)


@pytest.fixture
def store():
    """A datastore from 500 to 2000 GB: 5.00 to set up, 10.00 per 1000 GB and month."""
    make_server(module_key="remote_backups")
    return make_product(
        module_key="remote_backups",
        name="Backup datastore",
        slug="backup",
        setup_fee="5",
        usage={"storage": "10"},
        module_settings={"size_gb": 500, "min_size_gb": 500, "max_size_gb": 2000},
    )


CHOICE = {"cycle": "monthly", "label": "Office", "spec-size_gb": "800"}


def checkout(browser, **answers):
    """The checkout's page for a choice, and the hidden key of its form."""
    page = browser.get("/order/backup/checkout/", CHOICE | answers).content.decode()
    key = re.search(r'name="submission_key" value="(\w+)"', page)
    return page, key and key[1]


def place(browser, key, **fields):
    form = CHOICE | {"submission_key": key, "payment_method": "test"} | fields
    return browser.post("/order/backup/checkout/", form)


# --- The catalogue ------------------------------------------------------------------------


def test_visitors_see_what_is_for_sale_in_the_portal_s_currency(store):
    hidden = make_product(name="Secret box", module_key="", hidden=True)
    make_product(name="Old box", module_key="", retired=True)
    make_product(name="Dollar box", module_key="", currency="USD")

    page = Browser().get("/").content.decode()

    assert "Backup datastore" in page
    assert '€10.00</span> <span class="muted">per 1,000 GB and month' in page
    assert "€5.00 set-up" in page
    for name in ("Secret box", "Old box", "Dollar box"):
        assert name not in page
    assert Browser().get(f"/order/{hidden.slug}/").status_code == 200


def test_customers_see_prices_in_their_own_currency(store):
    user = make_user()
    make_client(owner=user, currency="USD")
    make_product(name="Dollar box", module_key="", currency="USD", recurring="12")

    page = browser_of(user).get("/order/").content.decode()

    assert "$12.00" in page
    assert "Backup datastore" not in page


def test_a_product_whose_module_is_not_installed_is_not_for_sale(db):
    product = make_product(module_key="gone", name="Gone box")

    assert "Gone box" not in Browser().get("/").content.decode()
    assert Browser().get(f"/order/{product.slug}/").status_code == 404


def test_an_empty_shop_says_so(db):
    assert "Nothing is for sale right now" in Browser().get("/").content.decode()


def test_what_is_not_for_sale_is_not_there(store):
    Product.objects.update(retired=True)

    assert Browser().get("/order/backup/").status_code == 404
    assert Browser().get("/order/other/").status_code == 404


# --- The live price -----------------------------------------------------------------------


def test_the_price_follows_the_size(store):
    page = Browser().get("/order/backup/price/", CHOICE).content.decode()

    assert "<dt>You chose</dt><dd>800 GB</dd>" in page
    assert "<dt>Set-up, once</dt><dd>€5.00</dd>" in page
    assert "<dt>Due now</dt><dd>€5.00</dd>" in page
    assert 'About <strong class="num">€8.00</strong> a month' in page
    assert "<html" not in page


def test_the_price_follows_the_cycle(store):
    Price.objects.create(
        product=store, currency="EUR", cycle="annual", recurring=Decimal("120"), setup_fee=0
    )

    page = Browser().get("/order/backup/price/", CHOICE | {"cycle": "annual"}).content.decode()

    assert "<dt>Per year, in advance</dt><dd>€120.00</dd>" in page
    assert "<dt>Due now</dt><dd>€120.00</dd>" in page


def test_a_size_that_cannot_be_has_no_price(store):
    page = Browser().get("/order/backup/price/", CHOICE | {"spec-size_gb": "550"})

    assert "The price appears here once the answers fit." in page.content.decode()


# --- Checking out -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        ("499", "499 GB is too small: the smallest size is 500 GB."),
        ("550", "The size goes in steps of 100 GB: 500 or 600 GB, not 550 GB."),
        ("2100", "2100 GB is too large: the largest size is 2000 GB."),
    ],
)
def test_a_bad_size_is_explained_beside_the_field(store, browser, size, sentence):
    page, key = checkout(browser, **{"spec-size_gb": size})

    assert 'aria-describedby="id_spec-size_gb_help id_spec-size_gb_error"' in page
    assert sentence in page
    assert key is None
    assert place(browser, "k" * 32, **{"spec-size_gb": size}).status_code == 200
    assert not Order.objects.exists()


def test_the_first_bad_field_gets_the_focus(store, browser):
    page, _ = checkout(browser, **{"spec-size_gb": "550"})

    assert page.count(" autofocus") == 1
    assert re.search(r'<input[^>]*name="spec-size_gb"[^>]* autofocus', page)


def test_a_visitor_signs_up_first_and_comes_back_to_the_order(store):
    response = Browser().get("/order/backup/checkout/", CHOICE)

    assert response.status_code == 302
    assert response.url == (
        "/accounts/signup/?next=%2Forder%2Fbackup%2Fcheckout%2F"
        "%3Fcycle%3Dmonthly%26label%3DOffice%26spec-size_gb%3D800"
    )


def test_a_visitor_s_bad_size_is_explained_before_signing_up(store):
    response = Browser().get("/order/backup/checkout/", CHOICE | {"spec-size_gb": "1"})

    assert "1 GB is too small: the smallest size is 500 GB." in response.content.decode()


def test_an_order_goes_straight_on_to_the_payment_page(store, browser):
    page, key = checkout(browser)

    response = place(browser, key)

    order = Order.objects.get()
    service = Service.objects.get()
    assert "Order and pay €5.00" in page
    assert response.url == f"/pay/test/{order.invoice_id}/"
    assert (order.placed_by.email, order.total, order.payment_method) == (
        "ann@acme.example",
        Decimal("5.00"),
        "test",
    )
    assert (service.label, service.spec["size_gb"], service.status) == (
        "Office",
        800,
        ServiceStatus.PENDING,
    )


def test_sending_the_form_twice_is_one_order(store, browser):
    _, key = checkout(browser)

    first = place(browser, key)
    second = place(browser, key)

    assert first.url == second.url
    assert Order.objects.count() == Service.objects.count() == Invoice.objects.count() == 1


def test_each_form_has_its_own_key(store, browser):
    assert checkout(browser)[1] != checkout(browser)[1]


def test_another_client_s_key_orders_nothing(store, browser):
    _, key = checkout(browser)
    place(browser, key)
    stranger = make_user()
    make_client(owner=stranger)

    page = place(browser_of(stranger), key).content.decode()

    assert "This form was already used. Please start the order again." in page
    assert Order.objects.count() == 1


def test_an_unknown_way_to_pay_orders_nothing(store, browser):
    _, key = checkout(browser)

    page = place(browser, key, payment_method="magic").content.decode()

    assert "magic is not one of the available choices" in page
    assert not Order.objects.exists()


def test_a_member_who_may_not_order_is_told_so(store, owner):
    member = make_member(owner.clients.get(), Permission.PRODUCTS)

    response = browser_of(member).get("/order/backup/checkout/", CHOICE)

    assert response.status_code == 403
    assert "You may not place orders for Acme Ltd." in response.content.decode()


# --- The confirmation ---------------------------------------------------------------------


def order_page(browser):
    return browser.get(f"/orders/{Order.objects.get().pk}/").content.decode()


def test_a_transfer_shows_where_the_money_goes(store, browser):
    _, key = checkout(browser)

    page = browser.get(place(browser, key, payment_method="bank_transfer").url).content.decode()

    assert "Please transfer the amount." in page
    assert f"{Invoice.objects.get().number}</dd>" in page
    assert "Starts by itself once the payment is in." in page
    assert "every 2s" not in page


def test_a_paid_order_is_being_set_up_and_looks_again_by_itself(store, browser):
    place(browser, checkout(browser)[1])
    invoice = Invoice.objects.get()

    page = browser.post(
        f"/pay/test/{invoice.pk}/", {"event_key": "e" * 32, "pay": "yes"}, follow=True
    ).content.decode()

    assert f"Thank you. Invoice {invoice.number} is paid." in page
    assert "Under way; this usually takes less than a minute." in page
    assert 'hx-trigger="every 2s"' in page
    assert Job.objects.get().kind == Job.Kind.CREATE


def test_a_ready_order_leads_to_the_service(store, browser):
    place(browser, checkout(browser)[1])
    Invoice.objects.update(status=InvoiceStatus.PAID)
    Service.objects.update(status=ServiceStatus.ACTIVE, activated_at=NOW)

    page = order_page(browser)

    assert "Everything is ready." in page
    assert f'href="/services/{Service.objects.get().pk}/">Open</a>' in page
    assert "every 2s" not in page


def test_a_failed_set_up_is_ours_to_mend(store, browser):
    place(browser, checkout(browser)[1])
    service = Service.objects.get()
    Job.objects.create(
        service=service,
        kind=Job.Kind.CREATE,
        request_key="k",
        status=Job.Status.FAILED,
        last_error="token rejected",
        due_at=NOW,
        created_at=NOW,
    )

    page = order_page(browser)

    assert "Setting up takes longer than usual." in page
    assert "token rejected" not in page


def test_an_order_that_costs_nothing_now_starts_at_once(store, browser):
    Price.objects.update(setup_fee=0)
    page, key = checkout(browser)

    response = place(browser, key)

    order = Order.objects.get()
    assert "Nothing is due now, so it is set up at once." in page
    assert response.url == f"/orders/{order.pk}/"
    assert order.invoice is None
    assert "Under way" in order_page(browser)
