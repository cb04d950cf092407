"""Writing orders down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from secrets import randbelow
from typing import Any

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.pricing import ChosenOption, PricedItem
from billing_portal.clients.models import Client
from billing_portal.invoices.models import Invoice
from billing_portal.orders.models import Order, OrderItem
from billing_portal.products.models import Price, Product
from billing_portal.services import actions as services
from billing_portal.services.models import Service


@dataclass(frozen=True, slots=True)
class ItemTerms:
    """One checked position of an order: what, at which price, and what it should be.

    It becomes one service.  `priced` is for all of `quantity`, with the options.
    """

    product: Product
    price: Price
    label: str
    spec: Mapping[str, Any]
    priced: PricedItem
    quantity: int = 1
    options: tuple[ChosenOption, ...] = ()
    custom_fields: Mapping[str, Any] = field(default_factory=dict)

    def as_service(self, client: Client, *, anchor_date: date, at: datetime) -> Service:
        """The service it becomes, not stored yet."""
        return services.new_service(
            client=client,
            product=self.product,
            price=self.price,
            label=self.label,
            spec=self.spec,
            anchor_date=anchor_date,
            at=at,
            priced=self.priced,
            quantity=self.quantity,
            options=self.options,
            custom_fields=self.custom_fields,
        )


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
        service = services.open_service(item.as_service(client, anchor_date=anchor_date, at=at))
        OrderItem.objects.create(
            order=order,
            product=item.product,
            service=service,
            label=item.label,
            cycle=item.price.cycle,
            setup_fee=item.priced.setup_fee,
            recurring_amount=item.priced.recurring,
            quantity=item.quantity,
            options=[option.as_json() for option in item.options],
            custom_fields=dict(item.custom_fields),
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
