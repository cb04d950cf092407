"""Withdrawing changes of services that nobody paid for in time."""

from django.db.models import Exists, OuterRef, Q

from billing_portal.automation.actions import Deed
from billing_portal.automation.queries import BusinessDay
from billing_portal.clients.notices import notify
from billing_portal.invoices.models import InvoiceLine, InvoiceStatus
from billing_portal.orders.models import ServiceChange
from billing_portal.workflows import change_product

Status = ServiceChange.Status


def changes_to_withdraw(on: BusinessDay) -> list[int]:
    """Ids of unpaid changes whose time is over, or whose service was renewed meanwhile.

    One whose payment is under way waits for that.
    """
    renewed = InvoiceLine.objects.filter(
        service=OuterRef("service"),
        kind=InvoiceLine.Kind.RECURRING,
        addon=None,
        billed=True,
        invoice__issued_at__gt=OuterRef("requested_at"),
    )
    over = Q(expires_at__lte=on.at) | Exists(renewed)
    found = ServiceChange.objects.filter(over, status=Status.PENDING).exclude(
        invoice__status=InvoiceStatus.PENDING
    )
    return list(found.order_by("pk").values_list("pk", flat=True))


def withdraw(change_id: int, on: BusinessDay) -> Deed | None:
    """Withdraw an unpaid change and tell the client; None if it was paid meanwhile.

    In the caller's transaction.  What was paid in part is the client's credit.
    """
    change = change_product.expire(change_id, reason="it was not paid in time", at=on.at)
    if change is None:
        return None
    service = change.service
    context = {
        "service": str(service),
        "summary": change.after["summary"],
        "number": str(change.invoice),
        "path": f"/services/{service.pk}/",
    }
    notify(service.client, "change_expired", key=str(change.pk), context=context, at=on.at)
    summary = f"Change of {service} of {service.client} withdrawn: {change.invoice} was not paid"
    return Deed(summary, invoice_id=change.invoice_id, service_id=service.pk)
