"""Taking back an order nobody paid for yet."""

from datetime import datetime

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.errors import PortalError
from billing_portal.invoices import actions as invoices
from billing_portal.orders import actions as orders
from billing_portal.orders.models import Order
from billing_portal.services import actions as services
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus


class OrderNotCancellable(PortalError):
    """Something of the order already started or was paid."""


def cancel_order(order_id: int, *, reason: str, at: datetime, actor: User | None) -> Order:
    """Cancel the order, its pending services and its unpaid invoice; all or nothing.

    Raises OrderNotCancellable once a service started, InvoiceNotCancellable once paid.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        if order.status == Order.Status.CANCELLED:
            return order
        for service in Service.objects.filter(order_item__order=order).order_by("pk"):
            if service.status != ServiceStatus.PENDING or service.jobs.exists():
                raise OrderNotCancellable(f"{service} has already been started.")
            services.move(service.pk, to=ServiceStatus.CANCELLED, at=at, actor=actor)
        if order.invoice_id:
            invoices.cancel(order.invoice_id, reason=reason, at=at, actor=actor)
        orders.close(order, reason=reason, at=at, actor=actor)
        return order
