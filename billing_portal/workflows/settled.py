"""An invoice was settled, by money, by credit or by a credit note: what it bought starts.

Whatever else follows from a settled invoice is called here, once and for every way to
settle one.  It may be called again and then does nothing.
"""

from datetime import datetime

from billing_portal.invoices.models import Invoice
from billing_portal.services.models import Service
from billing_portal.workflows import addon_starts, change_steps, overdue_services, start_services


def follow_up(invoice: Invoice, *, at: datetime) -> None:
    """Start what was ordered with the invoice and bring back what it had suspended.

    In the caller's transaction, which holds the invoice's lock.
    """
    start_services.start_on_payment(_ordered_with(invoice), at=at)
    change_steps.invoice_settled(invoice, at=at)
    addon_starts.start_paid(invoice, at=at)
    overdue_services.lift_after_payment(invoice, at=at)


def _ordered_with(invoice: Invoice) -> list[Service]:
    """The services of the order this invoice asked payment for, in its order."""
    return list(
        Service.objects.filter(order_item__order__invoice=invoice)
        .select_related("product")
        .order_by("pk")
    )
