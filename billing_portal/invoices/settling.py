"""What settles an invoice: money, credit and credit notes; and what opens it again.

The caller holds the invoice's lock, has checked that the amount fits, and writes down in
its own noun where the amount came from.
"""

from datetime import datetime
from decimal import Decimal

from billing_portal.invoices import moving
from billing_portal.invoices.models import Invoice, InvoiceStatus


def pay(invoice: Invoice, amount: Decimal, *, at: datetime) -> bool:
    """Count a payment towards the invoice; True if that settled it."""
    invoice.paid_amount += amount
    return _save(invoice, "paid_amount", at=at)


def use_credit(invoice: Invoice, amount: Decimal, *, at: datetime) -> bool:
    """Count the client's credit towards the invoice; True if that settled it."""
    invoice.credit_applied += amount
    return _save(invoice, "credit_applied", at=at)


def lower(invoice: Invoice, amount: Decimal, *, at: datetime) -> bool:
    """Lower what is owed by a credit note; True if that settled it."""
    invoice.credited_amount += amount
    return _save(invoice, "credited_amount", at=at)


def take_back(invoice: Invoice, amount: Decimal, *, at: datetime) -> None:
    """Undo what a payment paid: the payer's bank took it back, and it is owed again."""
    invoice.paid_amount -= amount
    invoice.save(update_fields=["paid_amount"])
    if invoice.status != InvoiceStatus.CANCELLED:
        moving.move(invoice, InvoiceStatus.COLLECTIONS, at=at)


def _save(invoice: Invoice, column: str, *, at: datetime) -> bool:
    settled = invoice.is_owed and invoice.balance == 0
    invoice.save(update_fields=[column])
    if settled:
        moving.move(invoice, InvoiceStatus.PAID, at=at)
    return settled
