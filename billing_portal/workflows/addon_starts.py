"""Letting add-ons begin once they are paid, and writing to their clients."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from billing_portal.accounts.models import User
from billing_portal.clients.notices import notify
from billing_portal.invoices.models import Invoice
from billing_portal.services import addons
from billing_portal.services.models import ServiceAddon
from billing_portal.services.states import ServiceStatus


def start(rows: Iterable[ServiceAddon], *, at: datetime, actor: User | None = None) -> None:
    """Let pending add-ons begin, and tell their clients."""
    for row in addons.activate(rows, at=at, actor=actor):
        tell("addon_active", row, at=at)


def start_paid(invoice: Invoice, *, at: datetime) -> None:
    """Let the add-ons begin that were ordered with an invoice which is now settled."""
    with_order = Q(service__order_item__order__invoice=invoice, invoice_lines__isnull=True)
    waiting = ServiceAddon.objects.filter(
        Q(invoice_lines__invoice=invoice) | with_order, status=ServiceStatus.PENDING
    )
    start(waiting.distinct().order_by("pk"), at=at)


def tell(template: str, row: ServiceAddon, *, at: datetime, **more: str) -> None:
    """Write to the client about an add-on, once per moment."""
    context = {
        "addon": row.addon.name,
        "service": str(row.service),
        "path": f"/services/{row.service_id}/",
        **more,
    }
    key = f"{row.pk} at {at.isoformat()}"
    notify(row.service.client, template, key=key, context=context, at=at)
