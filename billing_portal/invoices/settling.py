"""What settles an invoice: money, credit and credit notes; and what opens it again.

The caller holds the invoice's lock, has checked that the amount fits, and writes down in
its own noun where the amount came from.
"""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from billing_portal.invoices import moving
from billing_portal.invoices.models import Invoice, InvoiceStatus


def locked_invoices(invoice_ids: Collection[int]) -> list[Invoice]:
    """These invoices with their rows locked, the first due first.

    Whoever moves money has locked their client before.
    """
    rows = Invoice.objects.select_for_update(of=("self",), no_key=True).select_related("client")
    # Locked in the order of their keys, as everywhere.
    found = list(rows.filter(pk__in=invoice_ids).order_by("pk"))
    return sorted(found, key=lambda invoice: (invoice.due_date, invoice.pk))


def pay(invoice: Invoice, amount: Decimal, *, at: datetime) -> bool:
    """Count a payment towards the invoice; True if that settled it."""
    invoice.paid_amount += amount
    return settle(invoice, "paid_amount", at=at)


def use_credit(invoice: Invoice, amount: Decimal, *, at: datetime) -> bool:
    """Count the client's credit towards the invoice; True if that settled it."""
    invoice.credit_applied += amount
    return settle(invoice, "credit_applied", at=at)


def take_back(invoice: Invoice, amount: Decimal, *, at: datetime) -> None:
    """Undo what a payment paid: the payer's bank took it back, and it is owed again."""
    invoice.paid_amount -= amount
    invoice.save(update_fields=["paid_amount"])
    if invoice.status != InvoiceStatus.CANCELLED:
        moving.move(invoice, InvoiceStatus.COLLECTIONS, at=at)


def settle(invoice: Invoice, column: str, *, at: datetime) -> bool:
    """Save the changed `column`; True if nothing is left to pay now, and it is paid."""
    settled = invoice.is_owed and invoice.balance == 0
    invoice.save(update_fields=[column])
    if settled:
        moving.move(invoice, InvoiceStatus.PAID, at=at)
    return settled
