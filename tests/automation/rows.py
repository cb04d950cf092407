"""Unpaid invoices and what was mailed about them."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import count

from post_office.models import Email

from billing_portal.invoices.models import Invoice, InvoiceLine
from billing_portal.mail.models import ClientMail
from billing_portal.services.models import Service, ServiceAddon
from tests.factories import make_client, make_service, utc

_numbers = count(1)
DUE = date(2026, 5, 1)


def make_overdue(
    service: Service | None = None,
    *,
    due: date = DUE,
    also: Sequence[Service] = (),
    addon: ServiceAddon | None = None,
) -> Invoice:
    """An unpaid invoice over 30.00 for each of these services, issued 14 days before `due`.

    With `addon`, the line is that of the service's add-on.
    """
    service = service or make_service(make_client())
    billed = [service, *also]
    issued = due - timedelta(days=14)
    invoice = Invoice.objects.create(
        client=service.client,
        number=f"T-{next(_numbers):04d}",
        currency="EUR",
        issued_at=utc(issued.year, issued.month, issued.day),
        issue_date=issued,
        due_date=due,
        net_total=Decimal("30.00") * len(billed),
        total=Decimal("30.00") * len(billed),
        seller={},
        buyer={},
    )
    for position, one in enumerate(billed, start=1):
        InvoiceLine.objects.create(
            invoice=invoice,
            position=position,
            kind=InvoiceLine.Kind.RECURRING,
            service=one,
            addon=addon,
            description="Box",
            period_start=due,
            period_end=due + timedelta(days=30),
            amount=Decimal("30.00"),
        )
    return invoice


def mailed() -> list[str]:
    """The templates of all mails, in the order they were queued."""
    return list(ClientMail.objects.order_by("pk").values_list("template", flat=True))


def subjects() -> list[str]:
    return [email.subject for email in Email.objects.order_by("pk")]
