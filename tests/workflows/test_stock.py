"""Stock: an order takes it, a cancelled one returns it, and the last one is sold once."""

import pytest

from billing_portal.orders.models import Order
from billing_portal.products.models import Product
from billing_portal.services.models import Service
from billing_portal.workflows.cancel_order import cancel_order
from billing_portal.workflows.place_order import OrderRefused
from tests.factories import AT, make_client, make_product, make_server
from tests.threads import at_once, failures

from .choosing import ask, order, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendor(vendor):
    make_server()


@pytest.fixture
def client():
    return make_client()


Mode = Product.QuantityMode


def stock_of(product):
    return Product.objects.values_list("stock", flat=True).get(pk=product.pk)


@pytest.mark.parametrize("mode", [Mode.SERVICES, Mode.SCALING])
def test_an_order_takes_stock_and_a_cancelled_one_returns_it(client, mode):
    product = make_product(recurring="10", stock=5, quantity_mode=mode, maximum_quantity=9)

    placed = order(client, ask(product, quantity=3))
    assert stock_of(product) == 2
    cancel_order(placed.pk, reason="changed their mind", at=AT, actor=None)
    cancel_order(placed.pk, reason="changed their mind", at=AT, actor=None)

    assert stock_of(product) == 5


def test_without_a_limit_nothing_is_counted(client):
    product = make_product(recurring="10")

    placed = order(client, ask(product))
    cancel_order(placed.pk, reason="changed their mind", at=AT, actor=None)

    assert stock_of(product) is None


@pytest.mark.parametrize(
    ("stock", "sentence"),
    [
        (0, "Box is out of stock."),
        (1, "Only 1 of Box is left."),
        (2, "Only 2 of Box are left."),
    ],
)
def test_more_than_there_is_cannot_be_ordered(client, stock, sentence):
    product = make_product(
        recurring="10", stock=stock, quantity_mode=Mode.SCALING, maximum_quantity=9
    )

    assert refusal(client, ask(product, quantity=3)) == {"quantity": [sentence]}
    assert stock_of(product) == stock


def test_two_items_of_one_order_share_the_stock(client):
    product = make_product(recurring="10", stock=1)

    with pytest.raises(OrderRefused, match=r"Only 1 of Box is left\."):
        order(client, ask(product), ask(product))

    assert (stock_of(product), Service.objects.count()) == (1, 0)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_clients_racing_for_the_last_one_do_not_both_get_it():
    product = make_product(recurring="10", stock=1)
    clients = [make_client() for _ in range(4)]

    outcomes = at_once(
        *[lambda one=one: order(one, ask(product), key=f"key {one.pk}") for one in clients]
    )

    assert [str(error) for error in failures(outcomes)] == ["Box is out of stock."] * 3
    assert (stock_of(product), Order.objects.count(), Service.objects.count()) == (0, 1, 1)
