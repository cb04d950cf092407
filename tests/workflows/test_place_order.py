"""Ordering: what one checkout leaves behind, once, and what it refuses with nothing stored."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.audit.models import Entry
from billing_portal.clients.models import ClientStatus
from billing_portal.invoices.models import Invoice
from billing_portal.mail.models import ClientMail
from billing_portal.orders.models import Order, OrderItem
from billing_portal.products.models import Product
from billing_portal.services.models import Service
from billing_portal.workflows.place_order import OrderRefused, OrderRequest, place_order
from provisioning.models import Job, Placement
from tests.factories import AT, make_client, make_product, make_server, make_user, utc
from tests.workflows.billing import lines

pytestmark = pytest.mark.django_db

SetUp = Product.SetUp


@pytest.fixture(autouse=True)
def _vendor(vendor):
    make_server()


@pytest.fixture
def client():
    return make_client()


def item(product, *, label="mail", size="5", cycle="monthly"):
    return OrderRequest(product.pk, cycle, label, {"size": size})


def order(client, *items, key="a", method="bank_transfer", at=AT, by=None):
    return place_order(
        client=client,
        placed_by=by,
        items=items,
        payment_method=method,
        submission_key=key,
        at=at,
    )


def stored():
    """How much of everything an order could leave behind."""
    models = (Order, OrderItem, Service, Invoice, Job, Placement, Entry, ClientMail)
    return {model.__name__: model.objects.count() for model in models if model.objects.exists()}


# --- A good order -------------------------------------------------------------------------


def test_an_order_is_a_pending_service_and_an_invoice_for_what_is_due_now(client):
    user = make_user()
    product = make_product(recurring="29.95", setup_fee="10", usage={"traffic": "5"})

    placed = order(client, item(product), by=user)

    assert (placed.client, placed.placed_by, placed.payment_method, placed.currency) == (
        client,
        user,
        "bank_transfer",
        "EUR",
    )
    assert (placed.total, placed.status, placed.placed_at) == (Decimal("39.95"), "placed", AT)
    service = Service.objects.get()
    assert (service.status, service.label, service.spec) == ("pending", "mail", {"size": 5})
    assert (service.anchor_date, service.billed_until) == (date(2026, 11, 1), date(2026, 12, 1))
    assert lines(placed.invoice) == [
        ("setup", "2026-11-01", "2026-11-01", "10.00"),
        ("recurring", "2026-11-01", "2026-12-01", "29.95"),
    ]
    assert (placed.invoice.number, placed.invoice.due_date) == (
        "INV-2026-00001",
        date(2026, 11, 15),
    )
    assert not Job.objects.exists()


def test_an_order_remembers_its_terms(client):
    product = make_product(recurring="29.95", setup_fee="10")

    order(client, item(product))
    product.prices.update(recurring=99)

    kept = OrderItem.objects.get()
    assert (kept.product, kept.cycle, kept.label, kept.spec) == (
        product,
        "monthly",
        "mail",
        {"size": 5},
    )
    assert (kept.recurring_amount, kept.setup_fee) == (Decimal("29.95"), Decimal(10))


def test_several_items_share_one_invoice(client):
    first, second = make_product(recurring="10"), make_product(recurring="5", name="Disk")

    placed = order(client, item(first), item(second, label=""))

    assert [line.description for line in placed.invoice.lines.all()] == [
        "Box, size 5 (mail)",
        "Disk, size 5",
    ]
    assert placed.total == Decimal("15.00")
    assert Service.objects.count() == 2


def test_the_anchor_is_the_sellers_day(client, settings):
    settings.SELLER_TIMEZONE = "Pacific/Auckland"

    order(client, item(make_product(recurring="10")), at=utc(2026, 11, 1, 12))

    assert Service.objects.get().anchor_date == date(2026, 11, 2)


def test_a_label_is_one_line(client):
    order(client, item(make_product(), label="  our\r\n mail "))

    assert Service.objects.get().label == "our mail"


@pytest.mark.parametrize(
    ("cycle", "recurring", "end"),
    [("annual", "100", "2027-11-01"), ("one_time", "100", "2026-11-01")],
)
def test_the_first_period_is_as_long_as_the_cycle(client, cycle, recurring, end):
    product = make_product(recurring=recurring, cycle=cycle)

    placed = order(client, item(product, cycle=cycle))

    assert lines(placed.invoice) == [("recurring", "2026-11-01", end, "100.00")]


def test_history_tells_of_the_order(client):
    user = make_user(name="Ann Smith")

    placed = order(client, item(make_product(recurring="10")), by=user)

    assert list(Entry.objects.order_by("pk").values_list("action", "actor_name")) == [
        ("order.placed", "Ann Smith"),
        ("invoice.issued", "system"),
    ]
    assert Entry.objects.filter(client_ref=client.pk).count() == 2
    assert placed.number.isdigit()


# --- What starts when ---------------------------------------------------------------------


def starts(client, *products):
    """Order and say whether it started, and the mail's sentence about what happens next."""
    placed = order(client, *(item(product) for product in products))
    mail = ClientMail.objects.get(key=f"order_placed:{placed.pk}").email
    return Job.objects.exists(), mail.message.split("\n\n")[2]


def test_an_order_to_be_paid_waits_for_the_money(client):
    assert starts(client, make_product(recurring="10")) == (
        False,
        "We start as soon as the invoice over €10.00 is paid.",
    )


def test_an_order_that_costs_nothing_now_starts_at_once(client):
    assert starts(client, make_product(usage={"traffic": "5"})) == (
        True,
        "We are setting it up now and will write again when it is ready.",
    )
    assert Order.objects.get().invoice is None
    assert Service.objects.get().billed_until == date(2026, 12, 1)


def test_what_is_set_up_on_order_does_not_wait(client):
    assert starts(client, make_product(recurring="10", set_up=SetUp.ON_ORDER)) == (
        True,
        "Please pay the invoice over €10.00. "
        "We are setting it up now and will write again when it is ready.",
    )


def test_what_staff_set_up_waits_for_them(client):
    assert starts(client, make_product(set_up=SetUp.MANUALLY)) == (
        False,
        "We look at it ourselves first and will write again when it is ready.",
    )


def test_what_staff_set_up_may_still_have_to_be_paid(client):
    assert starts(client, make_product(recurring="10", set_up=SetUp.MANUALLY)) == (
        False,
        "Please pay the invoice over €10.00. "
        "We look at it ourselves first and will write again when it is ready.",
    )


def test_without_a_module_a_free_service_is_active_at_once(client):
    order(client, item(make_product(module_key="")))

    service = Service.objects.get()
    assert (service.status, service.activated_at, service.spec) == ("active", AT, {})


def test_an_order_is_kept_though_no_server_has_room(client):
    type(make_server()).objects.update(disabled=True)

    placed = order(client, item(make_product()))

    job = Job.objects.get()
    assert (job.status, job.last_error) == (
        Job.Status.FAILED,
        "No server for fake is enabled and has room.",
    )
    assert placed.items.get().service.status == "pending"


# --- Twice --------------------------------------------------------------------------------


def test_sending_the_form_twice_is_one_order(client):
    product = make_product(recurring="10")
    first = order(client, item(product))
    before = stored()

    assert order(client, item(product)) == first
    assert stored() == before


def test_the_same_form_is_the_same_order_even_if_it_could_not_be_placed_any_more(client):
    product = make_product(recurring="10")
    first = order(client, item(product))
    Product.objects.update(retired=True)

    assert order(client, item(product)) == first


def test_another_clients_form_cannot_be_used(client):
    product = make_product(recurring="10")
    order(client, item(product))
    before = stored()

    with pytest.raises(OrderRefused, match="This form was already used"):
        order(make_client(), item(product))

    assert stored() == before


# --- Bad input ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        ("", "This field is required."),
        ("five", "Enter a whole number."),
        ("0", "Ensure this value is greater than or equal to 1."),
    ],
)
def test_a_wrong_answer_is_named_at_its_field(client, size, sentence):
    with pytest.raises(OrderRefused) as refused:
        order(client, item(make_product(recurring="10"), size=size))

    assert refused.value.field_errors == {"size": [sentence]}
    assert str(refused.value) == sentence
    assert stored() == {}


def test_a_size_the_product_forbids_is_refused(client):
    with pytest.raises(OrderRefused, match=r"The size must be from 1 to 10\."):
        order(client, item(make_product(recurring="10"), size="11"))

    assert stored() == {}


def test_one_bad_item_stores_nothing_of_the_good_one(client):
    good, bad = make_product(recurring="10"), make_product(recurring="10")

    with pytest.raises(OrderRefused):
        order(client, item(good), item(bad, size="11"))

    assert stored() == {}


def test_a_long_label_is_refused(client):
    with pytest.raises(OrderRefused) as refused:
        order(client, item(make_product(), label="x" * 121))

    assert refused.value.field_errors == {"label": ["A name has at most 120 characters."]}
    assert stored() == {}


def test_an_unknown_way_to_pay_is_refused(client):
    with pytest.raises(OrderRefused) as refused:
        order(client, item(make_product()), method="gold")

    assert refused.value.field_errors == {
        "payment_method": ["There is no way to pay called 'gold'."]
    }
    assert stored() == {}


def test_an_empty_order_is_refused(client):
    with pytest.raises(OrderRefused, match="There is nothing in this order"):
        order(client)

    assert stored() == {}


@pytest.mark.parametrize("key", ["", "x" * 65])
def test_a_form_without_a_proper_key_is_refused(client, key):
    with pytest.raises(OrderRefused, match="This form is damaged"):
        order(client, item(make_product()), key=key)

    assert stored() == {}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"retired": True}, "This product is no longer for sale."),
        ({"pk": 10**9}, "This product is no longer for sale."),
    ],
)
def test_what_is_not_for_sale_cannot_be_ordered(client, change, sentence):
    product = make_product()
    Product.objects.filter(pk=product.pk).update(retired=change.get("retired", False))

    with pytest.raises(OrderRefused, match=sentence):
        order(client, OrderRequest(change.get("pk", product.pk), "monthly", "", {"size": "5"}))

    assert stored() == {}


@pytest.mark.parametrize("cycle", ["annual", "", "weekly"])
def test_a_cycle_without_a_price_is_refused(client, cycle):
    with pytest.raises(OrderRefused, match=r"Box is not offered that way in EUR\."):
        order(client, item(make_product(), cycle=cycle))

    assert stored() == {}


def test_a_currency_without_a_price_is_refused():
    with pytest.raises(OrderRefused, match=r"Box is not offered that way in USD\."):
        order(make_client(currency="USD"), item(make_product()))

    assert stored() == {}


def test_a_closed_account_orders_nothing():
    with pytest.raises(OrderRefused, match=r"This account is closed\."):
        order(make_client(status=ClientStatus.CLOSED), item(make_product()))

    assert stored() == {}
