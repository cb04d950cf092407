"""Taking back an order nobody paid for yet."""

from collections import Counter
from datetime import datetime

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.errors import PortalError
from billing_portal.invoices import actions as invoices
from billing_portal.orders import actions as orders
from billing_portal.orders.models import Order
from billing_portal.products import actions as products
from billing_portal.promotions import actions as promotions
from billing_portal.services import actions as services
from billing_portal.services.models import Service
from billing_portal.services.states import ENDED, ServiceStatus
from provisioning import actions as provisioning
from provisioning.models import Job


class OrderNotCancellable(PortalError):
    """Something of the order already started or was paid."""


def cancel_order(order_id: int, *, reason: str, at: datetime, actor: User | None) -> Order:
    """Cancel the order, its pending services and its unpaid invoice; all or nothing.

    A service whose creation failed and was resolved by hand counts as not started.
    Raises OrderNotCancellable once a service started, InvoiceNotCancellable once paid.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update(no_key=True).get(pk=order_id)
        if order.status == Order.Status.CANCELLED:
            return order
        _return_stock(order)
        if order.promotion_code:
            promotions.give_back(order.promotion_code)
        # The invoice before the services: a payment locks it before it starts them.
        if order.invoice_id:
            invoices.cancel(order.invoice_id, reason=reason, at=at, actor=actor)
        for service in Service.objects.filter(order_item__order=order).order_by("pk"):
            _cancel(service, at=at, actor=actor)
        orders.close(order, reason=reason, at=at, actor=actor)
        return order


def _return_stock(order: Order) -> None:
    """Put back what the order took.  First, as an order takes stock before it locks more."""
    pending = order.items.filter(service__status=ServiceStatus.PENDING)
    units = Counter[int]()
    for product_id, quantity in pending.values_list("product_id", "quantity"):
        units[product_id] += quantity
    for product_id, number in sorted(units.items()):
        products.return_stock(product_id, number)


def _cancel(service: Service, *, at: datetime, actor: User | None) -> None:
    if service.status in ENDED:
        return
    unresolved = service.jobs.exclude(status=Job.Status.RESOLVED)
    if service.status != ServiceStatus.PENDING or unresolved.exists():
        raise OrderNotCancellable(f"{service} has already been started.")
    services.move(service.pk, to=ServiceStatus.CANCELLED, at=at, actor=actor)
    provisioning.give_up_place(service.pk, at=at)
