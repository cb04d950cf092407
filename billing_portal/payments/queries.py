"""Reading payments."""

from decimal import Decimal

from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Coalesce, Round

from billing_portal.payments.models import Allocation, Transaction


def payments_of(client_id: int) -> QuerySet[Transaction]:
    """A client's payments, newest first, with what they paid."""
    return Transaction.objects.filter(client_id=client_id).prefetch_related("allocations__invoice")


def allocations_of(invoice_id: int) -> QuerySet[Allocation]:
    """What was paid on an invoice, in the order it came."""
    return Allocation.objects.filter(invoice_id=invoice_id).select_related("transaction")


def unallocated() -> QuerySet[Transaction]:
    """Payments of which a part belongs to no invoice; `left` is that part."""
    used = Coalesce(Sum("allocations__amount"), Decimal(0))
    return (
        # SQLite subtracts decimals as floats; rounding takes its error away.
        Transaction.objects.annotate(left=Round(F("amount") - used, precision=3))
        .filter(left__gt=0)
        .select_related("client")
        .order_by("received_at", "pk")
    )
