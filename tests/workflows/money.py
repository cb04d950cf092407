"""Invoices to pay, credit and take back, and reading how a client's money stands."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from billing_portal.clients.models import Client
from billing_portal.invoices import crediting
from billing_portal.invoices.models import CreditNote, Invoice
from billing_portal.payments.models import CreditEntry, Transaction
from billing_portal.workflows.credit_notes import credit_invoice
from tests.factories import AT, make_client, make_invoice, make_service
from tests.workflows.paying import pay

VAT = [{"name": "VAT", "percent": "19.00", "category": "S", "base": "100.00", "amount": "19.00"}]


def bill(amount: str = "30.00", client: Client | None = None, **fields: Any) -> Invoice:
    client = client or make_client()
    return make_invoice(client, advance={make_service(client): amount}, **fields)


def taxed_bill(client: Client | None = None) -> Invoice:
    """60.00 and 40.00 at 19 %: 119.00."""
    client = client or make_client()
    lines = {make_service(client): "60.00", make_service(client): "40.00"}
    invoice = make_invoice(
        client,
        advance=lines,
        status="draft",
        number=None,
        total=Decimal("119.00"),
        net_total=Decimal("100.00"),
        tax_total=Decimal("19.00"),
        taxes=VAT,
    )
    first, second = invoice.lines.order_by("position")
    first.tax_amount, second.tax_amount = Decimal("11.40"), Decimal("7.60")
    first.save()
    second.save()
    Invoice.objects.filter(pk=invoice.pk).update(status="unpaid", number=f"INV-T-{invoice.pk}")
    invoice.refresh_from_db()
    return invoice


def paid_bill(amount: str = "30.00", *, paid: str = "", ref: str = "ref-1", **more: Any) -> Invoice:
    invoice = bill(amount, **more)
    pay(invoice, paid or amount, ref=ref, gateway="test")
    invoice.refresh_from_db()
    return invoice


def correct(
    invoice: Invoice, wish: Callable[[Invoice], Any] | str = "", *, key: str = "key", at: Any = AT
) -> CreditNote:
    """All of the invoice, so much of it, or as `wish` says."""
    if isinstance(wish, str):
        wish = partial(crediting.correct_by, gross=Decimal(wish)) if wish else crediting.correct_all
    return credit_invoice(invoice.pk, wish, reason="a mistake", request_key=key, at=at, actor=None)


def standing(invoice: Invoice) -> tuple[str, str, str]:
    """State of the invoice, what is left to pay, and the credit of its client."""
    invoice = Invoice.objects.select_related("client").get(pk=invoice.pk)
    return invoice.status, f"{invoice.balance:.2f}", f"{invoice.client.credit_balance:.2f}"


def ledger(client: Client) -> list[tuple[str, str]]:
    rows = CreditEntry.objects.filter(client=client).order_by("pk")
    return [(row.kind, f"{row.amount:.2f}") for row in rows]


def payment_of(invoice: Invoice) -> Transaction:
    return Transaction.objects.get(allocations__invoice=invoice)
