"""Reading payments."""

from decimal import Decimal
from typing import Any

from django.db.models import F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Round

from billing_portal.payments.models import (
    Allocation,
    CaptureAttempt,
    CreditEntry,
    PaymentSettings,
    StoredMethod,
    Transaction,
)

CAME_IN = (CreditEntry.Kind.OVERPAYMENT, CreditEntry.Kind.DEPOSIT)
"""Credit that is what a payment brought beyond its invoices."""


def payment_rules() -> PaymentSettings:
    """What clients may pay in advance; the defaults until staff change them."""
    return PaymentSettings.objects.filter(pk=1).first() or PaymentSettings(pk=1)


def payments_of(client_id: int) -> QuerySet[Transaction]:
    """A client's payments, newest first, with what they paid."""
    return Transaction.objects.filter(client_id=client_id).prefetch_related("allocations__invoice")


def allocations_of(invoice_id: int) -> QuerySet[Allocation]:
    """What was paid on an invoice, in the order it came."""
    return Allocation.objects.filter(invoice_id=invoice_id).select_related("transaction")


def unallocated() -> QuerySet[Transaction]:
    """Payments of which a part is neither an invoice's nor credit; `left` is that part.

    Only a payment in a currency its client has left since: credit is in one currency.
    """
    used = Coalesce(_sum_of(Allocation.objects.all()), Decimal(0))
    kept = CreditEntry.objects.filter(kind__in=CAME_IN)
    credited = Coalesce(_sum_of(kept), Decimal(0))
    return (
        # SQLite subtracts decimals as floats; rounding takes its error away.
        Transaction.objects.annotate(left=Round(F("amount") - used - credited, precision=3))
        .filter(left__gt=0, reversed_at__isnull=True)
        .select_related("client")
        .order_by("received_at", "pk")
    )


def to_look_at() -> QuerySet[Transaction]:
    """Payments a person should look at, each with its `problem`, oldest first."""
    payments = Transaction.objects.exclude(problem="").select_related("client")
    return payments.order_by("received_at", "pk")


def credit_of(client_id: int) -> QuerySet[CreditEntry]:
    """A client's credit ledger, newest first."""
    return (
        CreditEntry.objects.filter(client_id=client_id)
        .select_related("invoice", "transaction", "credit_note")
        .order_by("-pk")
    )


def methods_of(client_id: int) -> QuerySet[StoredMethod]:
    """The cards and mandates a client left and did not remove, the default first."""
    removed = StoredMethod.Status.REMOVED
    return StoredMethod.objects.filter(client_id=client_id).exclude(status=removed)


def pending_capture(invoice_id: int, *, gateway: str) -> CaptureAttempt | None:
    """The try of an invoice whose answer a bank still owes us."""
    pending = CaptureAttempt.Outcome.PENDING
    return CaptureAttempt.objects.filter(
        invoice_id=invoice_id, outcome=pending, method__gateway=gateway
    ).first()


def _sum_of(rows: QuerySet[Any]) -> Subquery:
    """What the rows of a payment add up to."""
    of_payment = rows.filter(transaction=OuterRef("pk")).order_by().values("transaction")
    return Subquery(of_payment.annotate(total=Sum("amount")).values("total"))
