"""Rows for tests in few words.  Every argument has a default a test need not care about.

Names and addresses are of example domains.  Nothing here decides anything: a row is
written as asked, so a test can also build what the portal itself would refuse.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from billing_portal.accounts.models import User
from billing_portal.clients.models import Client, ClientGroup, Membership, Permission
from billing_portal.invoices.models import Charge, Invoice, InvoiceLine
from billing_portal.products.models import (
    Addon,
    AddonPrice,
    Cycle,
    Price,
    Product,
    ProductGroup,
    UsagePrice,
)
from billing_portal.promotions.models import Promotion
from billing_portal.services.models import Service, ServiceAddon, ServiceUsagePrice
from billing_portal.services.states import ENDED, ServiceStatus
from provisioning.models import Placement, Server

_numbers = count(1)


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


AT = utc(2026, 11, 1, 12)
"""A moment for tests in which nothing depends on it."""


def make_user(email: str = "", **fields: Any) -> User:
    return User.objects.create_user(email or f"user{next(_numbers)}@example.org", **fields)


def make_client(*, owner: User | None = None, **fields: Any) -> Client:
    values: dict[str, Any] = {
        "company_name": "Acme Ltd",
        "first_name": "Ann",
        "last_name": "Smith",
        "email": f"client{next(_numbers)}@example.org",
        "address1": "1 High Street",
        "city": "Berlin",
        "postcode": "10115",
        "country": "DE",
        "currency": "EUR",
        "created_at": AT,
    }
    client = Client.objects.create(**values | fields)
    if owner:
        Membership.objects.create(client=client, user=owner, is_owner=True)
    return client


def make_product(
    *,
    module_key: str = "fake",
    recurring: str = "0",
    setup_fee: str = "0",
    cycle: str = Cycle.MONTHLY,
    currency: str = "EUR",
    usage: Mapping[str, str] | None = None,
    **fields: Any,
) -> Product:
    """A product with one price; `usage` gives metered prices by meter."""
    number = next(_numbers)
    group, _ = ProductGroup.objects.get_or_create(slug="hosting", defaults={"name": "Hosting"})
    product = Product.objects.create(
        **{
            "group": group,
            "name": "Box",
            "slug": f"box-{number}",
            "module_key": module_key,
            "module_settings": {},
        }
        | fields
    )
    Price.objects.create(
        product=product,
        currency=currency,
        cycle=cycle,
        recurring=Decimal(recurring),
        setup_fee=Decimal(setup_fee),
    )
    for metric, price in (usage or {}).items():
        UsagePrice.objects.create(
            product=product, currency=currency, metric=metric, price=Decimal(price)
        )
    return product


def make_service(
    client: Client | None = None,
    *,
    product: Product | None = None,
    status: ServiceStatus = ServiceStatus.ACTIVE,
    recurring: str = "0",
    anchor_date: date = date(2026, 11, 1),
    usage: Mapping[str, str] | None = None,
    **fields: Any,
) -> Service:
    """A service in `status`; a running one was activated at noon of its anchor date."""
    activated = status not in (ServiceStatus.PENDING, ServiceStatus.FRAUD)
    noon = utc(anchor_date.year, anchor_date.month, anchor_date.day, 12)
    values: dict[str, Any] = {
        "product": product or make_product(),
        "status": status,
        "cycle": Cycle.MONTHLY,
        "currency": "EUR",
        "recurring_amount": Decimal(recurring),
        "spec": {"size": 5},
        "anchor_date": anchor_date,
        "billed_until": anchor_date,
        "created_at": noon,
        "activated_at": noon if activated else None,
        "ended_at": noon if status in ENDED else None,
    }
    service = Service.objects.create(client=client or make_client(), **values | fields)
    for metric, price in (usage or {}).items():
        ServiceUsagePrice.objects.create(service=service, metric=metric, price=Decimal(price))
    return service


def make_server(name: str = "", *, module_key: str = "fake", **fields: Any) -> Server:
    values: dict[str, Any] = {
        "name": name or f"server-{next(_numbers)}",
        "base_url": "http://127.0.0.1:9",
        "credentials": {"token": "server-token"},
    }
    return Server.objects.create(module_key=module_key, **values | fields)


def make_placement(service: Service, *, server: Server | None = None, **fields: Any) -> Placement:
    """Where an active service lives, as the module described it when it was created."""
    values: dict[str, Any] = {
        "server": server or make_server(module_key=service.product.module_key),
        "remote_id": f"remote-{service.pk}",
        "remote_name": f"fake-service{service.pk}",
        "spec": service.spec,
        "placed_at": AT,
        "seen_at": AT,
    }
    return Placement.objects.create(service=service, **values | fields)


def make_member(client: Client, *permissions: Permission, user: User | None = None) -> User:
    """A user who may do `permissions` for a client and nothing else."""
    member = user or make_user()
    keys = [permission.value for permission in permissions]
    Membership.objects.create(client=client, user=member, permissions=keys)
    return member


def make_charge(service: Service, **fields: Any) -> Charge:
    """Storage of 720 hours in November 2026: 500 GB for 200 of them, then 1000 GB."""
    values: dict[str, Any] = {
        "key": f"charge-{next(_numbers)}",
        "metric": "storage",
        "description": "Backup storage in November",
        "starts_at": utc(2026, 11, 1),
        "ends_at": utc(2026, 12, 1),
        "quantity": Decimal("861.111111"),
        "unit": "GB",
        "unit_price": Decimal(10),
        "amount": Decimal("8.61"),
        "currency": "EUR",
        "evidence": SIZE_EVIDENCE,
        "created_at": AT,
    }
    return Charge.objects.create(client=service.client, service=service, **values | fields)


def make_invoice(
    client: Client,
    *,
    charges: Sequence[Charge] = (),
    advance: Mapping[Service, str] | None = None,
    **fields: Any,
) -> Invoice:
    """An issued invoice with a line per charge and per service billed in `advance`."""
    number = next(_numbers)
    amounts = [charge.amount for charge in charges]
    amounts += [Decimal(amount) for amount in (advance or {}).values()]
    values: dict[str, Any] = {
        "number": f"INV-2026-{number:05d}",
        "currency": client.currency,
        "issued_at": utc(2026, 12, 1, 2),
        "issue_date": date(2026, 12, 1),
        "due_date": date(2026, 12, 15),
        "total": sum(amounts, Decimal(0)),
        "seller": {
            "name": "Northwind Hosting",
            "address": "12 Harbour Street\n20457 Hamburg\nGermany",
            "tax_id": "DE000000000",
            "email": "billing@northwind.example",
            "bank_account": "IBAN DE00 1234",
        },
        "buyer": {
            "name": client.company_name,
            "person": f"{client.first_name} {client.last_name}",
            "address": "1 High Street\n10115 Berlin\nGermany",
            "tax_id": "DE123456789",
        },
    }
    values |= fields
    values.setdefault("net_total", values["total"] - values.get("tax_total", 0))
    invoice = Invoice.objects.create(client=client, **values)
    lines = [_advance_line(service, amount) for service, amount in (advance or {}).items()]
    lines += [_usage_line(charge) for charge in charges]
    for position, line in enumerate(lines, start=1):
        line.invoice, line.position = invoice, position
        line.save()
    return invoice


def _advance_line(service: Service, amount: str) -> InvoiceLine:
    return InvoiceLine(
        kind=InvoiceLine.Kind.RECURRING,
        service=service,
        description=f"{service.product.name} in advance",
        period_start=date(2026, 12, 1),
        period_end=date(2027, 1, 1),
        unit_price=Decimal(amount),
        amount=Decimal(amount),
    )


def _usage_line(charge: Charge) -> InvoiceLine:
    return InvoiceLine(
        kind=InvoiceLine.Kind.USAGE,
        service=charge.service,
        charge=charge,
        description=charge.description,
        period_start=charge.starts_at.date(),
        period_end=charge.ends_at.date(),
        quantity=charge.quantity,
        unit=charge.unit,
        unit_price=charge.unit_price,
        amount=charge.amount,
    )


SIZE_EVIDENCE = {
    "segments": [
        {
            "size_gb": 500,
            "from": "2026-11-01T00:00:00+00:00",
            "to": "2026-11-09T08:00:00+00:00",
            "hours": "200",
            "amount": "1.39",
        },
        {
            "size_gb": 1000,
            "from": "2026-11-09T08:00:00+00:00",
            "to": "2026-12-01T00:00:00+00:00",
            "hours": "520",
            "amount": "7.22",
        },
    ],
    "average_gb": "861.111111",
    "price_per_1000gb": "10",
    "hours": "720",
}
CALL_EVIDENCE = {
    "calls": 3,
    "talked_s": 301,
    "billed_s": 360,
    "amount": "0.371000",
    "late_calls": 1,
    "unrated_calls": 2,
    "destinations": [
        {
            "description": "Germany mobile",
            "calls": 2,
            "talked_s": 181,
            "billed_s": 240,
            "amount": "0.356000",
        },
        {
            "description": "Germany",
            "calls": 1,
            "talked_s": 120,
            "billed_s": 120,
            "amount": "0.015000",
        },
    ],
}


def only(found: Sequence[Any]) -> Any:
    """The one thing found, None if nothing was; more than one is an error of the test."""
    assert len(found) <= 1, found
    return found[0] if found else None


def make_promotion(
    code: str = "",
    *,
    products: Sequence[Product] = (),
    requires: Sequence[Product] = (),
    **fields: Any,
) -> Promotion:
    """A code for 10 % off the first payment of anything."""
    values: dict[str, Any] = {
        "code": code or f"CODE-{next(_numbers)}",
        "kind": "percent",
        "value": "10",
    }
    promotion = Promotion.objects.create(**values | fields)
    promotion.products.set(products)
    promotion.requires.set(requires)
    promotion.refresh_from_db()
    return promotion


def make_addon(
    product: Product,
    recurring: str = "0",
    *,
    setup_fee: str = "0",
    cycle: str = Cycle.MONTHLY,
    currency: str = "EUR",
    **fields: Any,
) -> Addon:
    """An add-on for a product with one price."""
    values: dict[str, Any] = {"name": "Snapshots", "slug": f"addon-{next(_numbers)}"}
    addon = Addon.objects.create(**values | fields)
    addon.products.add(product)
    AddonPrice.objects.create(
        addon=addon,
        currency=currency,
        cycle=cycle,
        recurring=Decimal(recurring),
        setup_fee=Decimal(setup_fee),
    )
    return addon


def make_client_group(name: str = "", **fields: Any) -> ClientGroup:
    group = ClientGroup.objects.create(name=name or f"Group {next(_numbers)}", **fields)
    group.refresh_from_db()  # numbers given as text
    return group


def rewrite_issued(invoice: Invoice, **fields: Any) -> None:
    """Change what never changes once it is issued, such as the day an invoice is due."""
    row = Invoice.objects.filter(pk=invoice.pk)
    status = row.values_list("status", flat=True).get()
    row.update(status="draft")
    row.update(**{"status": status} | fields)
    invoice.refresh_from_db()


def make_service_addon(service: Service, addon: Addon, **fields: Any) -> ServiceAddon:
    """An active add-on at its first price, on its service's schedule."""
    price = addon.prices.order_by("pk")[0]
    values: dict[str, Any] = {
        "status": ServiceStatus.ACTIVE,
        "cycle": price.cycle,
        "currency": price.currency,
        "recurring_amount": price.recurring,
        "setup_fee": price.setup_fee,
        "anchor_date": service.anchor_date,
        "billed_until": service.billed_until,
        "created_at": service.created_at,
        "activated_at": service.activated_at,
    }
    return ServiceAddon.objects.create(service=service, addon=addon, **values | fields)
