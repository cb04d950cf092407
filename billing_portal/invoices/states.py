"""The life of an invoice: which state may follow which.  The whole truth is this table.

"Overdue" is no state but a view: owed, and its due day has passed.
"""

from django.db import models


class InvoiceStatus(models.TextChoices):
    DRAFT = "draft", "Draft"
    UNPAID = "unpaid", "Unpaid"
    PENDING = "pending", "Payment pending"
    PAID = "paid", "Paid"
    REFUNDED = "refunded", "Refunded"
    COLLECTIONS = "collections", "Collections"
    CANCELLED = "cancelled", "Cancelled"


OWED = (InvoiceStatus.UNPAID, InvoiceStatus.PENDING, InvoiceStatus.COLLECTIONS)
"""States in which the balance of an invoice is owed."""
PAYABLE = (InvoiceStatus.UNPAID, InvoiceStatus.COLLECTIONS)
"""States in which a client is asked to pay; one with a payment under way is not asked again."""
HIDDEN = (InvoiceStatus.DRAFT,)
"""States no client ever sees, and no sum counts."""
VOID = (InvoiceStatus.DRAFT, InvoiceStatus.CANCELLED)
"""States in which an invoice is no turnover."""


TRANSITIONS: dict[InvoiceStatus, frozenset[InvoiceStatus]] = {
    InvoiceStatus.DRAFT: frozenset({InvoiceStatus.UNPAID, InvoiceStatus.PAID}),
    InvoiceStatus.UNPAID: frozenset(
        {
            InvoiceStatus.PENDING,
            InvoiceStatus.PAID,
            InvoiceStatus.COLLECTIONS,
            InvoiceStatus.CANCELLED,
        }
    ),
    InvoiceStatus.PENDING: frozenset(
        {InvoiceStatus.UNPAID, InvoiceStatus.PAID, InvoiceStatus.COLLECTIONS}
    ),
    InvoiceStatus.PAID: frozenset(
        {InvoiceStatus.UNPAID, InvoiceStatus.REFUNDED, InvoiceStatus.COLLECTIONS}
    ),
    InvoiceStatus.COLLECTIONS: frozenset(
        {
            InvoiceStatus.UNPAID,
            InvoiceStatus.PENDING,
            InvoiceStatus.PAID,
            InvoiceStatus.CANCELLED,
        }
    ),
    InvoiceStatus.REFUNDED: frozenset({InvoiceStatus.COLLECTIONS}),
    InvoiceStatus.CANCELLED: frozenset(),
}

BY_HAND = (InvoiceStatus.UNPAID, InvoiceStatus.PENDING, InvoiceStatus.COLLECTIONS)
"""Where staff may put an invoice that is owed; the other states follow from money."""
