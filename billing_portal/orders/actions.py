"""Writing orders down."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from secrets import randbelow
from typing import Any

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.discounts import NO_EFFECT, PromotionEffect
from billing_portal.calc.pricing import ChosenOption, PricedItem
from billing_portal.clients.models import Client
from billing_portal.invoices.models import Invoice, LineKind
from billing_portal.orders.models import Order, OrderItem
from billing_portal.products.models import Price, Product
from billing_portal.promotions.models import Promotion
from billing_portal.services import actions as services
from billing_portal.services import addons
from billing_portal.services.addons import AddonTerms
from billing_portal.services.models import Service, ServiceAddon


@dataclass(frozen=True, slots=True)
class ItemTerms:
    """One checked position of an order: what, at which price, and what it should be.

    It becomes one service.  `priced` is for all of `quantity`, with the options;
    `effect` is what the promotion takes off it.
    """

    product: Product
    price: Price
    label: str
    spec: Mapping[str, Any]
    priced: PricedItem
    quantity: int = 1
    options: tuple[ChosenOption, ...] = ()
    custom_fields: Mapping[str, Any] = field(default_factory=dict)
    addons: tuple[AddonTerms, ...] = ()
    promotion: Promotion | None = None
    effect: PromotionEffect = NO_EFFECT

    def as_service(self, client: Client, *, anchor_date: date, at: datetime) -> Service:
        """The service it becomes, not stored yet."""
        service = services.new_service(
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
        if self.promotion:
            service.promotion = self.promotion
            service.discount_amount = self.effect.off_period
            service.discounts_left = self.effect.periods
        return service

    def as_addons(self, service: Service, *, day: date, at: datetime) -> list[ServiceAddon]:
        """The add-ons of that service, not stored yet."""
        return [addons.new_addon(service, wanted, day=day, at=at) for wanted in self.addons]


def record_order(
    *,
    client: Client,
    placed_by: User | None,
    items: Sequence[ItemTerms],
    payment_method: str,
    submission_key: str,
    anchor_date: date,
    at: datetime,
    promotion_code: str = "",
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
        promotion_code=promotion_code,
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
            addons=[wanted.as_json() for wanted in item.addons],
            custom_fields=dict(item.custom_fields),
            spec=dict(item.spec),
        )
        for row in item.as_addons(service, day=anchor_date, at=at):
            addons.open_addon(row, at=at, actor=placed_by)
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
    off: dict[int, Decimal] = defaultdict(Decimal)
    for line in invoice.lines.filter(kind=LineKind.DISCOUNT, addon__isnull=True):
        if line.service_id:
            off[line.service_id] -= line.amount
    for item in order.items.filter(service__in=off):
        item.discount_amount = off[item.service_id]
        item.save(update_fields=["discount_amount"])


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
