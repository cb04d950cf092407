"""The monthly bill run: clients with one service each, 29.95 for the new month and VAT of 21 %.

With usage each invoice also has 5.01 for the old month: at hand in a meter that needs no
database (250.5 min at 0.02), or 501 GB that stood, read from recorded sizes by the real
module.  34.96 and 7.34 VAT are 42.30.  Numbered, with the parties' addresses, charges and
history, in the transactions the portal itself makes, by processes that only bill
(`billing.py`); telling the clients by mail comes after it and is measured by itself.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice

from django.db import connection
from django.db.models import Sum

from backups.models import Datastore, SizeSpan
from billing_portal.clients.models import Client
from billing_portal.invoices import announcing
from billing_portal.invoices.models import Invoice
from billing_portal.products.models import Product
from billing_portal.services.models import Service, ServiceUsagePrice
from billing_portal.taxes.models import TaxRule, TaxSettings
from provisioning.models import Server
from tests.bench.measurement import Measurement
from tests.factories import make_product, make_server
from tests.faults.test_processes import database_url
from tests.settings import ROOT

SIZES = (1_000, 10_000, 100_000)
BATCH = 5_000
ANCHOR = date(2026, 10, 1)
BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
DUE = datetime(2026, 11, 1, 2, tzinfo=UTC)
NET, GROSS = Decimal("29.95"), Decimal("36.24")
WITH_USAGE = Decimal("42.30")
SIZE_BYTES = 501 * 10**9


def measure() -> Iterator[Measurement]:
    TaxSettings.objects.update_or_create(pk=1, defaults={"enabled": True})
    TaxRule.objects.create(name="VAT", country="DE", percent=Decimal(21))
    _bill(10, _plain, GROSS, "")  # the first number of the year
    yield _bill(1_000, _plain, GROSS, "bill run, 1 line each, no usage")
    for size in SIZES:
        yield _bill(size, _at_hand, WITH_USAGE, "bill run, 2 lines each, usage at hand")
    yield _bill(10_000, _at_hand, WITH_USAGE, "the same, two workers", workers=2)
    yield _bill(10_000, _recorded, WITH_USAGE, "bill run, 2 lines each, recorded sizes")
    yield _again(10_000)
    yield _telling(1_000)


def _bill(count: int, services: object, each: Decimal, name: str, workers: int = 1) -> Measurement:
    """Run it, and see that it was really done: a number and the amount for each client."""
    assert callable(services)
    services(count)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    before = Invoice.objects.count()
    runs = _run(workers)
    issued = Invoice.objects.filter(issued_at=DUE).order_by("pk")[before:]
    assert sum(run["issued"] for run in runs) == count, runs
    assert Invoice.objects.count() == before + count
    assert issued.aggregate(sum=Sum("total"))["sum"] == each * count
    last = Invoice.objects.order_by("-pk").values_list("number", flat=True)[0]
    assert last == f"INV-2026-{before + count:05d}", last
    each_cost = sum(run["statements"] for run in runs) / count
    peak = max(run["peak_mib"] for run in runs)
    cpu_ms = sum(run["cpu_s"] for run in runs) / count * 1000
    note = f"{each_cost:.3f} statements, {cpu_ms:.2f} ms CPU each; worker's peak {peak:.0f} MiB"
    return Measurement(name, count, "invoices", max(run["seconds"] for run in runs), note)


def _again(count: int) -> Measurement:
    (run,) = _run(1)
    assert run["issued"] == 0, run
    return Measurement("the same again, nothing due", count, "clients", run["seconds"])


def _telling(count: int) -> Measurement:
    keys = Invoice.objects.order_by("pk").values_list("pk", flat=True)
    Invoice.objects.exclude(pk__in=list(keys[:count])).update(announced_at=DUE)
    started = time.perf_counter()
    assert announcing.announce_waiting(at=DUE) == count
    seconds = time.perf_counter() - started
    return Measurement("mails of issued invoices, queued", count, "mails", seconds)


def _run(workers: int) -> list[dict[str, float]]:
    """Bill in so many processes at once, each its share of the chunks; what each says."""
    environment = {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "billing_portal.settings",
        "CELERY_BROKER_URL": "memory://",
    }
    command = [sys.executable, "-m", "tests.bench.billing", DUE.isoformat(), str(workers)]
    runs = [
        subprocess.Popen(
            [*command, str(share)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for share in range(workers)
    ]
    for run in runs:
        assert run.stdout and run.stdout.readline() == "ready\n"
    for run in runs:
        assert run.stdin
        run.stdin.write("go\n")
        run.stdin.flush()
    said = [json.loads(run.communicate()[0]) for run in runs]
    assert [run.returncode for run in runs] == [0] * workers
    return said


def _plain(count: int) -> None:
    for _ in _services(count, make_product(module_key="")):
        pass


def _at_hand(count: int) -> None:
    """Their module is the one `billing.py` installs."""
    for _ in _services(count, make_product(module_key="fake")):
        pass


def _recorded(count: int) -> None:
    server = make_server(module_key="remote_backups")
    for services in _services(count, make_product(module_key="remote_backups")):
        _make_datastores(services, server)


def _services(count: int, product: Product) -> Iterator[list[Service]]:
    numbers = iter(range(count))
    while batch := list(islice(numbers, BATCH)):
        yield _make_services(_make_clients(batch), product)


def _make_clients(numbers: list[int]) -> list[Client]:
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
        for number in numbers
    )


def _make_services(clients: list[Client], product: Product) -> list[Service]:
    return Service.objects.bulk_create(
        Service(
            client=client,
            product=product,
            status="active",
            cycle="monthly",
            currency="EUR",
            recurring_amount=NET,
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
