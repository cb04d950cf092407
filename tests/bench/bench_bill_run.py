"""The monthly bill run: clients with one service each, a line in advance and one of usage.

Each invoice has 29.95 for the new month and 5.01 for a datastore that had 501 GB in the
old one, read from recorded sizes by the real module.  Numbered, written to the history,
its mail rendered and queued, one transaction per client.
"""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

from django.db import connection
from django.db.models import Sum

from backups.models import Datastore, SizeSpan
from billing_portal.clients.models import Client
from billing_portal.invoices.models import Invoice
from billing_portal.products.models import Product
from billing_portal.services.models import Service, ServiceUsagePrice
from billing_portal.workflows import bill_run
from provisioning.models import Server
from tests.bench.measurement import Measurement, StatementCounter
from tests.factories import make_product, make_server

CLIENTS = 1000
ANCHOR = date(2026, 10, 1)
BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
DUE = datetime(2026, 11, 1, 2, tzinfo=UTC)
TOTAL = Decimal("34.96")
SIZE_BYTES = 501 * 10**9


def measure() -> Iterator[Measurement]:
    product, server = make_product(module_key="remote_backups"), make_server()
    _make_services(_make_clients(), product, server)
    with connection.execute_wrapper(counter := StatementCounter()):
        started = time.perf_counter()
        report = bill_run.bill_all(DUE)
        seconds = time.perf_counter() - started
    _check(report)
    note = f"{counter.statements / CLIENTS:.1f} statements each"
    yield Measurement("bill run, 2 lines each", CLIENTS, "invoices", seconds, note)

    started = time.perf_counter()
    again = bill_run.bill_all(DUE)
    seconds = time.perf_counter() - started
    assert again.issued == again.parked == [], again
    yield Measurement("the same again, nothing due", CLIENTS, "clients", seconds)


def _make_clients() -> list[Client]:
    return Client.objects.bulk_create(
        Client(
            company_name=f"Client {number}",
            first_name="Ann",
            last_name="Smith",
            email=f"client{number}@example.org",
            address1="1 High Street",
            city="Berlin",
            postcode="10115",
            country="DE",
            currency="EUR",
            created_at=BEGIN,
        )
        for number in range(CLIENTS)
    )


def _make_services(clients: list[Client], product: Product, server: Server) -> None:
    services = Service.objects.bulk_create(
        Service(
            client=client,
            product=product,
            status="active",
            cycle="monthly",
            currency="EUR",
            recurring_amount=Decimal("29.95"),
            spec={"size_gb": 501, "name_prefix": "backup"},
            anchor_date=ANCHOR,
            billed_until=date(2026, 11, 1),
            created_at=BEGIN,
            activated_at=BEGIN,
        )
        for client in clients
    )
    ServiceUsagePrice.objects.bulk_create(
        ServiceUsagePrice(service=service, metric="storage", price=Decimal(10))
        for service in services
    )
    datastores = Datastore.objects.bulk_create(
        Datastore(
            server=server,
            service=service,
            remote_id=f"ds{service.pk}",
            name=f"backup-{service.pk}",
            size_bytes=SIZE_BYTES,
            first_seen_at=BEGIN,
            last_seen_at=DUE,
        )
        for service in services
    )
    SizeSpan.objects.bulk_create(
        SizeSpan(
            datastore=datastore,
            size_bytes=SIZE_BYTES,
            starts_at=BEGIN,
            first_seen_at=BEGIN,
            last_seen_at=DUE,
            source="poll",
        )
        for datastore in datastores
    )


def _check(report: bill_run.BillRunReport) -> None:
    """The work was really done: a number and 34.96 for each client, and all lines."""
    assert report.parked == [], report.parked[:3]
    numbers = set(Invoice.objects.values_list("number", flat=True))
    assert numbers == {f"INV-2026-{number:05d}" for number in range(1, CLIENTS + 1)}
    assert Invoice.objects.aggregate(sum=Sum("total"))["sum"] == TOTAL * CLIENTS
