"""Rows for tests in few words.  Every argument has a default a test need not care about.

Names and addresses are of example domains.  Nothing here decides anything: a row is
written as asked, so a test can also build what the portal itself would refuse.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from billing_portal.accounts.models import User
from billing_portal.clients.models import Client, Membership
from billing_portal.products.models import Cycle, Price, Product, ProductGroup, UsagePrice
from billing_portal.services.models import Service, ServiceUsagePrice
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
