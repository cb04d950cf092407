"""Writing orders down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from secrets import randbelow
from typing import Any

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.clients.models import Client
from billing_portal.invoices.models import Invoice
from billing_portal.orders.models import Order, OrderItem
from billing_portal.products.models import Price, Product
from billing_portal.services import actions as services


@dataclass(frozen=True, slots=True)
class ItemTerms:
    """One checked position of an order: what, at which price, and what it should be."""

    product: Product
    price: Price
    label: str
    spec: Mapping[str, Any]


def record_order(
    *,
    client: Client,
    placed_by: User | None,
    items: Sequence[ItemTerms],
    payment_method: str,
    submission_key: str,
    anchor_date: date,
    at: datetime,
) -> Order:
    """An order with one pending service per item; its invoice and total come next.

    Raises IntegrityError if `submission_key` was used before.
    """
    order = Order.objects.create(
        number=str(10**9 + randbelow(9 * 10**9)),
        client=client,
        placed_by=placed_by,
        submission_key=submission_key,
        payment_method=payment_method,
        currency=client.currency,
        total=Decimal(0),
        placed_at=at,
    )
    for item in items:
        service = services.open_service(
            client=client,
            product=item.product,
            price=item.price,
            label=item.label,
            spec=item.spec,
            anchor_date=anchor_date,
            at=at,
        )
        OrderItem.objects.create(
            order=order,
            product=item.product,
            service=service,
            label=item.label,
            cycle=item.price.cycle,
            setup_fee=item.price.setup_fee,
            recurring_amount=item.price.recurring,
            spec=dict(item.spec),
        )
    audit.record(
        "order.placed",
        order,
        summary=f"Order {order.number} placed",
        at=at,
        actor=placed_by,
        client_id=client.pk,
    )
    return order


def attach_invoice(order: Order, invoice: Invoice) -> None:
    """Note which invoice asks for the order's money."""
    order.invoice, order.total = invoice, invoice.total
    order.save(update_fields=["invoice", "total"])


def close(order: Order, *, reason: str, at: datetime, actor: User | None) -> None:
    """Mark a placed order as cancelled."""
    order.status = Order.Status.CANCELLED
    order.save(update_fields=["status"])
    audit.record(
        "order.cancelled",
        order,
        summary=f"Order {order.number} cancelled: {reason}",
        at=at,
        actor=actor,
        client_id=order.client_id,
    )
