"""Clients with something to bill, and reading the invoices they got."""

from datetime import date

from billing_portal.calc.periods import Period, month_slice
from billing_portal.clients.models import Client
from billing_portal.invoices.models import Invoice
from billing_portal.services.models import Service
from tests.factories import make_service
from tests.fakes import FakeVendor


def window(service: Service, index: int = 0) -> Period:
    """The usage window number `index` of a service, in UTC."""
    return month_slice(service.anchor_date, index, timezone="UTC")


def make_metered(
    vendor: FakeVendor,
    client: Client | None = None,
    *,
    recurring: str = "29.95",
    owes: str = "5.01",
    anchor: date = date(2026, 10, 1),
    billed_until: date = date(2026, 11, 1),
    **fields: object,
) -> Service:
    """An active metered service whose first month is paid and used."""
    service = make_service(
        client, recurring=recurring, anchor_date=anchor, billed_until=billed_until, **fields
    )
    if owes:
        vendor.owes(service.pk, window(service), owes)
    return service


def lines(invoice: Invoice | None) -> list[tuple[str, str, str, str]]:
    """Kind, first day, last day (excluded) and amount of each line."""
    assert invoice is not None, "no invoice"
    return [
        (line.kind, f"{line.period_start}", f"{line.period_end}", f"{line.amount:.2f}")
        for line in invoice.lines.order_by("position")
    ]


def totals() -> list[tuple[str, str]]:
    """Number and total of every invoice, in the order of their numbers."""
    return [(i.number, f"{i.total:.2f}") for i in Invoice.objects.order_by("number")]
