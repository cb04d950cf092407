"""Bill runs as processes: eight at once, and killed ten times at moments nobody chose.

The processes bill with their own connections, so what must hold is between rows and locks.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import Count

from billing_portal.clients.models import Client
from billing_portal.invoices.models import Invoice, InvoiceLine
from billing_portal.mail.models import ClientMail
from billing_portal.services.models import Service
from tests.factories import AT, make_product, utc
from tests.faults.test_processes import database_url
from tests.settings import ROOT

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

CLIENTS = 400
DUE = utc(2026, 11, 1, 2)
RUN = """
import sys, django
django.setup()
from django.utils.dateparse import parse_datetime
from billing_portal.workflows import bill_run
bill_run.CHUNK = 2
print("begun", flush=True)
report = bill_run.bill_all(parse_datetime(sys.argv[1]))
sys.exit(len(report.parked))
"""

Run = subprocess.Popen[bytes]


@pytest.fixture
def start_run(tmp_path: Path) -> Iterator[Callable[[], Run]]:
    """Start a bill run in a process of its own on the test's database."""
    environment = {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "billing_portal.settings",
        "CELERY_BROKER_URL": "memory://",
    }
    started = list[Run]()

    def start() -> Run:
        run = subprocess.Popen(
            [sys.executable, "-c", RUN, DUE.isoformat()],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
        )
        started.append(run)
        return run

    yield start
    for run in started:
        run.kill()
        run.wait()
        assert run.stdout
        run.stdout.close()


@pytest.fixture
def due() -> None:
    """One monthly service of 29.95 for each client, due on the 1st of November."""
    product = make_product(module_key="")
    clients = Client.objects.bulk_create(
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
            created_at=AT,
        )
        for number in range(CLIENTS)
    )
    Service.objects.bulk_create(
        Service(
            client=client,
            product=product,
            status="active",
            cycle="monthly",
            currency="EUR",
            recurring_amount=Decimal("29.95"),
            anchor_date=date(2026, 10, 1),
            billed_until=date(2026, 11, 1),
            created_at=AT,
            activated_at=AT,
        )
        for client in clients
    )


@pytest.mark.usefixtures("due")
def test_eight_runs_at_once_bill_everybody_once(start_run):
    runs = [start_run() for _ in range(8)]

    assert [run.wait(timeout=120) for run in runs] == [0] * 8
    everybody_is_billed_once()


@pytest.mark.usefixtures("due")
def test_ten_kills_at_random_moments_cost_nothing(start_run):
    moments = random.Random(20261101)
    for _ in range(10):
        run = start_run()
        run.stdout.readline()  # from now on it bills
        time.sleep(moments.uniform(0.02, 0.25))
        run.kill()
        run.wait()
    killed_at = Invoice.objects.count()

    assert start_run().wait(timeout=120) == 0
    assert 0 < killed_at < CLIENTS  # some kills hit a run at work
    everybody_is_billed_once()


def everybody_is_billed_once():
    """Numbers without a gap, one line and one mail each, nothing half done."""
    numbers = list(Invoice.objects.order_by("number").values_list("number", flat=True))
    assert numbers == [f"INV-2026-{number:05d}" for number in range(1, CLIENTS + 1)]
    each = Client.objects.annotate(count=Count("invoices")).values_list("count", flat=True)
    assert set(each) == {1}
    assert InvoiceLine.objects.count() == CLIENTS
    assert set(Service.objects.values_list("billed_until", flat=True)) == {date(2026, 12, 1)}
    assert ClientMail.objects.filter(template="invoice_issued").count() == CLIENTS
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(total) FROM invoices_invoice")
        assert cursor.fetchone() == (Decimal("29.95") * CLIENTS,)
