"""Orders to be paid, paying them, and what that started."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_portal.clients.models import Client
from billing_portal.invoices.models import Invoice
from billing_portal.orders.models import Order
from billing_portal.payments.models import Transaction
from billing_portal.products.models import Product
from billing_portal.workflows.invoice_paid import record_payment
from billing_portal.workflows.place_order import OrderRequest, place_order
from provisioning.models import Job
from tests.factories import AT, make_client, make_product, utc

LATER = utc(2026, 11, 3, 9)


def make_order(*products: Product, client: Client | None = None, key: str = "a") -> Order:
    products = products or (make_product(recurring="29.95"),)
    return place_order(
        client=client or make_client(),
        placed_by=None,
        items=[OrderRequest(product.pk, "monthly", "", {"size": "5"}) for product in products],
        payment_method="bank_transfer",
        submission_key=key,
        at=AT,
    )


def pay(
    invoice: Invoice,
    amount: str = "29.95",
    *,
    ref: str = "ref-1",
    currency: str = "EUR",
    gateway: str = "bank_transfer",
    **more: Any,
) -> Transaction:
    return record_payment(
        invoice_id=invoice.pk,
        gateway=gateway,
        external_id=ref,
        amount=Decimal(amount),
        currency=currency,
        received_at=utc(2026, 11, 2),
        at=LATER,
        **more,
    )


def state(invoice: Invoice) -> tuple[str, str, datetime | None]:
    """Status, what was paid, and when it was settled."""
    invoice.refresh_from_db()
    return invoice.status, f"{invoice.paid_amount:.2f}", invoice.paid_at


def jobs() -> list[tuple[int, str, str]]:
    return list(Job.objects.order_by("pk").values_list("service_id", "kind", "request_key"))
