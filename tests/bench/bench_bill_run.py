"""The monthly bill run: a thousand clients with one service each, without and with usage.

Each invoice has 29.95 for the new month, and with usage 5.01 for the old one: at hand in
a meter that needs no database, or 501 GB that stood, read from recorded sizes by the real
module.  Numbered, written to the history, its mail rendered and queued, in the
transactions the portal itself makes.
"""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import connection
from django.db.models import Sum
from django.test.utils import override_settings

from backups.models import Datastore, SizeSpan
from billing_portal.calc.periods import Period
from billing_portal.clients.models import Client
from billing_portal.invoices.models import Invoice
from billing_portal.products.models import Product
from billing_portal.services.models import Service, ServiceUsagePrice
from billing_portal.workflows import bill_run
from provisioning.models import Server
from tests.bench.measurement import Measurement, StatementCounter
from tests.factories import make_product, make_server
from tests.fakes import installed

CLIENTS = 1000
ANCHOR = date(2026, 10, 1)
BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
OCTOBER = Period(BEGIN, datetime(2026, 11, 1, tzinfo=UTC))
DUE = datetime(2026, 11, 1, 2, tzinfo=UTC)
IN_ADVANCE = Decimal("29.95")
USED = Decimal("5.01")
"""501 GB for the whole month at 10.00 per 1000 GB."""
SIZE_BYTES = 501 * 10**9


def measure() -> Iterator[Measurement]:
    _make_services(_make_clients(), make_product(module_key=""))
    yield _bill("bill run, 1 line each, no usage", IN_ADVANCE)

    with override_settings(), installed(settings) as vendor:
        for service in _make_services(_make_clients(), make_product(module_key="fake")):
            vendor.owes(service.pk, OCTOBER, str(USED))
        yield _bill("bill run, 2 lines each, usage at hand", IN_ADVANCE + USED)

    metered = _make_services(_make_clients(), make_product(module_key="remote_backups"))
    _make_datastores(metered, make_server(module_key="remote_backups"))
    yield _bill("bill run, 2 lines each, recorded sizes", IN_ADVANCE + USED)

    started = time.perf_counter()
    again = bill_run.bill_all(DUE)
    seconds = time.perf_counter() - started
    assert again.issued == again.parked == [], again
    yield Measurement("the same again, nothing due", 3 * CLIENTS, "clients", seconds)


def _bill(name: str, each: Decimal) -> Measurement:
    """Run it, and see that it was really done: a number and the amount for each client."""
    before = Invoice.objects.count()
    with connection.execute_wrapper(counter := StatementCounter()):
        started = time.perf_counter()
        report = bill_run.bill_all(DUE)
        seconds = time.perf_counter() - started
    assert report.parked == [], report.parked[:3]
    issued = Invoice.objects.filter(pk__in=[invoice.pk for invoice in report.issued])
    assert set(issued.values_list("number", flat=True)) == {
        f"INV-2026-{before + number:05d}" for number in range(1, CLIENTS + 1)
    }
    assert issued.aggregate(sum=Sum("total"))["sum"] == each * CLIENTS
    note = f"{counter.statements / CLIENTS:.1f} statements each"
    return Measurement(name, CLIENTS, "invoices", seconds, note)


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


def _make_services(clients: list[Client], product: Product) -> list[Service]:
    return Service.objects.bulk_create(
        Service(
            client=client,
            product=product,
            status="active",
            cycle="monthly",
            currency="EUR",
            recurring_amount=IN_ADVANCE,
            spec={"size_gb": 501, "name_prefix": "backup"},
            anchor_date=ANCHOR,
            billed_until=date(2026, 11, 1),
            created_at=BEGIN,
            activated_at=BEGIN,
        )
        for client in clients
    )


def _make_datastores(services: list[Service], server: Server) -> None:
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
