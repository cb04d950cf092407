"""Ordering in few words, and a product with an option of every kind."""

import pytest

from billing_portal.orders.models import Order
from billing_portal.workflows.place_order import OrderRefused, OrderRequest, place_order
from tests.factories import AT, make_product
from tests.options import make_option


def ask(product, *, size="5", cycle="monthly", label="mail", **wishes):
    return OrderRequest(product.pk, cycle, label, {"size": size}, **wishes)


def order(client, *items, key="a"):
    return place_order(
        client=client,
        placed_by=None,
        items=items,
        payment_method="bank_transfer",
        submission_key=key,
        at=AT,
    )


def refusal(client, item):
    with pytest.raises(OrderRefused) as refused:
        order(client, item)
    assert not Order.objects.exists()
    return refused.value.field_errors


def with_options(**fields):
    """A box for 10.00: a location, how fast, a backup and addresses."""
    product = make_product(recurring="10", setup_fee="1", **fields)
    make_option(product, "location", "dropdown", {"fra": "0", "sgp": "4"}, position=1)
    make_option(product, "disks", "radio", {"hdd": "0", "ssd": "2.50"}, position=2)
    make_option(product, "backup", "yes_no", {"unit": "3"}, setup={"unit": "5"}, position=3)
    make_option(
        product,
        "addresses",
        "quantity",
        {"unit": "1.50"},
        setup={"unit": "0.50"},
        minimum=1,
        maximum=4,
        position=4,
    )
    return product


CHOSEN = {"location": "sgp", "disks": "ssd", "backup": "on", "addresses": "3"}
