"""Ordering in few words: products without a module, and add-ons for a service."""

from billing_portal.workflows import addon_orders
from billing_portal.workflows.place_order import OrderRequest, place_order
from tests.factories import AT


def request(product, cycle="monthly", **more):
    return OrderRequest(product.pk, cycle, "", {}, **more)


def order(client, *products, code="", key="a", at=AT, items=()):
    return place_order(
        client=client,
        placed_by=None,
        items=items or [request(product) for product in products],
        payment_method="bank_transfer",
        submission_key=key,
        at=at,
        promotion_code=code,
    )


def amounts(invoice):
    """Kind and amount of each line, as they are printed."""
    return [(line.kind, f"{line.amount:.2f}") for line in invoice.lines.order_by("position")]


def order_addon(service, addon, *, key="k1", cycle="monthly", quantity=1, at=AT, **more):
    return addon_orders.order(
        service.pk,
        addon_id=addon.pk,
        cycle=cycle,
        quantity=quantity,
        request_key=key,
        at=at,
        actor=None,
        **more,
    )
