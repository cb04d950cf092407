"""Orders of things without a module, paid at once, and the bill runs of many days."""

from datetime import date, datetime, timedelta
from typing import Any

from billing_portal.calc.periods import local_midnight
from billing_portal.clients.models import Client
from billing_portal.invoices.models import BillingSettings, Invoice
from billing_portal.products.models import Product
from billing_portal.services.models import Service
from billing_portal.workflows import bill_run
from billing_portal.workflows.invoice_paid import record_payment
from billing_portal.workflows.place_order import OrderRequest, place_order
from tests.factories import make_client, make_product, make_service

DAY = timedelta(days=1)


def set_rules(**fields: object) -> None:
    values = {"lead_days": 14, "due_policy": BillingSettings.DuePolicy.PERIOD_START}
    BillingSettings.objects.update_or_create(pk=1, defaults=values | fields)


def box(recurring: str = "30.00", setup_fee: str = "10.00", **fields: Any) -> Product:
    return make_product(module_key="", recurring=recurring, setup_fee=setup_fee, **fields)


def order(*products: Product, at: datetime, client: Client | None = None) -> Invoice:
    placed = place_order(
        client=client or make_client(),
        placed_by=None,
        items=[
            OrderRequest(product.pk, product.prices.get().cycle, "", {}) for product in products
        ],
        payment_method="bank_transfer",
        submission_key=f"order at {at.isoformat()}",
        at=at,
    )
    assert placed.invoice is not None
    return placed.invoice


def rented(client: Client, **fields: Any) -> Service:
    """A running service without a module."""
    return make_service(client, product=make_product(module_key=""), **fields)


def pay(invoice: Invoice, *, at: datetime) -> None:
    record_payment(
        invoice_id=invoice.pk,
        gateway="bank_transfer",
        external_id=f"for {invoice.number}",
        amount=invoice.total,
        currency=invoice.currency,
        received_at=at,
        at=at,
    )


def run_days(first: date, last: date, *, zone: str = "UTC", hours: tuple[int, ...] = (3,)) -> None:
    """The bill run of each day, at these hours after the seller's midnight; all is paid at once."""
    day = first
    while day <= last:
        for hour in hours:
            at = local_midnight(day, zone) + timedelta(hours=hour)
            for invoice in bill_run.bill_all(at).issued:
                pay(invoice, at=at)
        day += DAY


def issued() -> list[tuple[str, str, str]]:
    """Issue date, due date and total of each invoice."""
    return [
        (f"{i.issue_date}", f"{i.due_date}", f"{i.total:.2f}")
        for i in Invoice.objects.order_by("pk")
    ]


def next_due() -> str:
    return f"{Service.objects.get().billed_until}"
