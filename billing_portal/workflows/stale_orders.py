"""Taking back orders nobody ever paid for.  Off by default."""

from datetime import timedelta

from django.db.models import Exists, OuterRef

from billing_portal.automation.actions import Deed
from billing_portal.automation.queries import BusinessDay
from billing_portal.clients.notices import notify
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.orders.models import Order
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows.cancel_order import cancel_order


def orders_to_cancel(on: BusinessDay) -> list[int]:
    """Ids of orders of which nothing was paid or started, long after their invoice was due.

    Who paid a part, however small, is left to people.
    """
    begun = Service.objects.filter(order_item__order=OuterRef("pk")).exclude(
        status__in=(ServiceStatus.PENDING, ServiceStatus.CANCELLED)
    )
    limit = on.day - timedelta(days=on.rules.cancel_orders_after_days)
    return list(
        Order.objects.filter(
            ~Exists(begun),
            status=Order.Status.PLACED,
            invoice__status=InvoiceStatus.UNPAID,
            invoice__paid_amount=0,
            invoice__due_date__lte=limit,
            client__exempt_from_dunning=False,
        )
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def cancel(order_id: int, on: BusinessDay) -> Deed | None:
    """Cancel an order with its invoice and tell the client; None if something was paid meanwhile.

    In the caller's transaction.  Raises OrderNotCancellable if it was started by hand.
    """
    order = (
        Order.objects.select_for_update(of=("self",), no_key=True)
        .select_related("client")
        .get(pk=order_id)
    )
    invoice = Invoice.objects.select_for_update(no_key=True).get(order=order)
    unpaid = invoice.status == InvoiceStatus.UNPAID and not invoice.paid_amount
    if order.status != Order.Status.PLACED or not unpaid:
        return None
    cancel_order(order.pk, reason="it was never paid", at=on.at, actor=None)
    context = {
        "order": order.number,
        "number": invoice.number,
        "due_date": invoice.due_date.isoformat(),
        "path": f"/invoices/{invoice.pk}/",
    }
    notify(order.client, "order_cancelled", key=str(order.pk), context=context, at=on.at)
    summary = f"Order {order.number} of {order.client} cancelled: {invoice.number} was never paid"
    return Deed(summary, invoice_id=invoice.pk)
