"""Months of usage: in step with the billing months, and exact to the hour in every zone."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from backups.models import Datastore, SizeSpan
from billing_portal.calc.periods import Period, local_midnight, month_slice
from billing_portal.invoices.models import BillingSettings, Charge, Invoice
from billing_portal.services.models import Service
from billing_portal.workflows import bill_run
from billing_portal.workflows.forecast import forecast
from billing_portal.workflows.invoice_paid import record_payment
from billing_portal.workflows.place_order import OrderRequest, place_order
from provisioning import runner
from tests import fakes
from tests.factories import make_client, make_product, make_server, make_service, utc
from tests.workflows.billing import lines

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
GB = 10**9


@pytest.fixture
def vendor(settings: Any) -> Iterator[fakes.FakeVendor]:
    with fakes.installed(settings) as vendor:
        yield vendor


def make_datastore(service: Service, start: datetime, *sizes: tuple[int, int]) -> None:
    """A datastore with these sizes, (GB, real hours), one after the other from `start`."""
    server = make_server(module_key="remote_backups")
    row = Datastore.objects.create(
        server=server,
        remote_id="datastore-1",
        service=service,
        name="nas",
        size_bytes=sizes[-1][0] * GB,
        first_seen_at=start,
        last_seen_at=start + sum((hours for _, hours in sizes), 0) * HOUR,
    )
    for size_gb, hours in sizes:
        end = start + hours * HOUR
        SizeSpan.objects.create(
            datastore=row,
            size_bytes=size_gb * GB,
            starts_at=start,
            first_seen_at=start,
            last_seen_at=end,
            ends_at=end,
            source="poll",
        )
        start = end


@pytest.mark.parametrize(
    ("zone", "anchor", "hours", "amount"),
    [
        # 500 GB x 200 h + 1000 GB x 521 h = 621,000 GB h in a month of 721 hours.
        ("Pacific/Auckland", date(2026, 4, 1), 721, "8.61"),
        # 500 GB x 200 h + 1000 GB x 519 h = 619,000 GB h in a month of 719 hours.
        ("Pacific/Auckland", date(2026, 9, 1), 719, "8.61"),
        # 500 GB x 200 h + 1000 GB x 543 h = 643,000 GB h in a month of 743 hours.
        ("America/Los_Angeles", date(2026, 3, 1), 743, "8.65"),
        ("America/Los_Angeles", date(2026, 11, 1), 721, "8.61"),
        ("UTC", date(2026, 11, 1), 720, "8.61"),
    ],
)
def test_a_clock_change_adds_and_takes_no_gb_hour(zone, anchor, hours, amount, settings):
    settings.SELLER_TIMEZONE = zone
    start = local_midnight(anchor, zone)
    service = make_service(
        product=make_product(module_key="remote_backups"),
        anchor_date=anchor,
        usage={"storage": "10.00"},
        created_at=start,
        activated_at=start,
        spec={"size_gb": 1000},
    )
    make_datastore(service, start, (500, 200), (1000, hours - 200), (1000, 1000))

    report = bill_run.bill_all(start + (hours + 3) * HOUR)

    assert report.parked == []
    charge = Charge.objects.get()
    assert f"{charge.amount:.2f}" == amount
    assert [(one["size_gb"], one["hours"]) for one in charge.evidence["segments"]] == [
        (500, "200"),
        (1000, f"{hours - 200}"),
    ]
    (invoice,) = report.issued
    end = month_slice(anchor, 0, timezone=zone).end
    assert (charge.starts_at, charge.ends_at) == (start, end)
    assert [(kind, first) for kind, first, _, _ in lines(invoice)] == [("usage", f"{anchor}")]


def test_a_stub_leaves_the_months_of_usage_in_step_with_the_billing_months(vendor):
    BillingSettings.objects.create(pk=1)
    make_server()
    product = make_product(recurring="30.00", prorata_day=1, usage={"traffic": "1"})
    at = utc(2026, 3, 10, 12)
    order = place_order(
        client=make_client(),
        placed_by=None,
        items=[OrderRequest(product.pk, "monthly", "", {"size": "5"})],
        payment_method="bank_transfer",
        submission_key="a",
        at=at,
    )
    assert order.invoice is not None
    record_payment(
        invoice_id=order.invoice.pk,
        gateway="bank_transfer",
        external_id="1",
        amount=order.invoice.total,
        currency="EUR",
        received_at=at,
        at=at,
    )
    for job_id in runner.due_jobs(at=at):
        runner.run(job_id, at=at)
    service = Service.objects.get()
    march = Period(utc(2026, 3, 1), utc(2026, 4, 1))
    april = Period(utc(2026, 4, 1), utc(2026, 5, 1))
    vendor.owes(service.pk, march, "2.50")
    vendor.owes(service.pk, april, "5.00")

    for day in range(60):
        bill_run.bill_all(utc(2026, 3, 11, 3) + day * 24 * HOUR)

    assert [lines(invoice) for invoice in Invoice.objects.order_by("pk")] == [
        [("recurring", "2026-03-10", "2026-04-01", "21.29")],
        [
            ("recurring", "2026-04-01", "2026-05-01", "30.00"),
            ("usage", "2026-03-01", "2026-04-01", "2.50"),
        ],
        [
            ("recurring", "2026-05-01", "2026-06-01", "30.00"),
            ("usage", "2026-04-01", "2026-05-01", "5.00"),
        ],
    ]


def test_a_datastore_is_foretold_to_stand_as_it_does():
    """300 GB at first, 500 GB now: the month that runs is a mixture, the next ones are not."""
    start = utc(2026, 11, 1)
    service = make_service(
        product=make_product(module_key="remote_backups"),
        anchor_date=start.date(),
        usage={"storage": "10.00"},
        created_at=start,
        activated_at=start,
        spec={"size_gb": 500},
    )
    make_datastore(service, start, (300, 72), (500, 100))
    SizeSpan.objects.filter(size_bytes=500 * GB).update(ends_at=None)
    looked_at = start + 172 * HOUR

    found = forecast(service.client_id, currency="EUR", at=looked_at, months=4)

    # 300 GB x 72 h + 500 GB x 648 h of 720 h: 480 GB.
    assert [f"{month.usage:.2f}" for month in found.months] == ["0.00", "4.80", "5.00", "5.00"]
    assert found.estimated == found.total
    texts = {line.description for m in found.months for i in m.invoices for line in i.draft.lines}
    assert texts == {"Storage, estimate: as it stands"}


# --- Scenario 18 ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "amount"),
    [
        (((500, 200), (1000, 520)), "8.61"),
        (((500, 708), (1000, 12)), "5.08"),  # grown at noon of the last day
    ],
)
def test_a_month_of_growth_is_on_the_invoice_after_it_also_of_its_last_day(sizes, amount):
    start = utc(2026, 11, 1)
    service = make_service(
        product=make_product(module_key="remote_backups"),
        anchor_date=start.date(),
        created_at=start,
        spec={"size_gb": 500},
        usage={"storage": "10.00"},
    )
    make_datastore(service, start, *sizes)

    during = [bill_run.bill_all(utc(2026, 11, day, 23, 30)).issued for day in (14, 29, 30)]
    bill_run.bill_all(utc(2026, 12, 1, 5))

    assert during == [[], [], []]
    invoice = Invoice.objects.get()
    assert (f"{invoice.total:.2f}", invoice.issue_date) == (amount, date(2026, 12, 1))
