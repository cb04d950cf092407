"""What a service has used of its running month, and what that will cost."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing_portal.invoices.models import UsageWindow
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows.running_usage import running_usage
from tests.backups.test_usage import hours, make_datastore, make_storage
from tests.factories import make_service, utc
from tests.workflows.billing import make_metered, window

pytestmark = pytest.mark.django_db


def look(at, *services):
    rows = Service.objects.select_related("product").prefetch_related("usage_prices")
    return running_usage(rows.filter(pk__in=[one.pk for one in services]), at=at)


def reading(service, at):
    return look(at, service)[service.pk].readings[0]


def test_what_stands_counts_as_it_will_have_stood_at_the_end_of_the_month():
    service = make_storage()
    service.usage_prices.update(included=Decimal(500))
    make_datastore(service, (hours(0), 400))

    found = reading(service, hours(1))

    assert (found.metric.key, found.used, found.included) == ("storage", Decimal(400), 500)
    assert (found.cost_so_far, found.cost) == (Decimal("0.00"), Decimal("0.00"))


def test_the_cost_so_far_is_that_of_the_hours_up_to_now():
    """500 GB for 200 h and 1000 GB for 160 of 720 h: 361.11 GB, 3.61; 8.61 when it is over."""
    service = make_storage()
    make_datastore(service, (hours(0), 500), (hours(200), 1000))

    found = look(hours(360), service)[service.pk]

    assert found.readings[0].used == Decimal("861.111111")
    assert (found.cost_so_far, found.cost) == (Decimal("3.61"), Decimal("8.61"))
    assert found.days_left(hours(360)) == 15
    assert found.days_left(hours(719)) == 1


def test_what_is_counted_counts_as_used_so_far(vendor):
    service = make_metered(vendor, owes="4.00", anchor=date(2026, 11, 1))

    found = look(utc(2026, 11, 10), service)[service.pk]

    assert (found.readings[0].used, found.cost_so_far, found.cost) == (1, 4, 4)


def test_calls_wait_until_the_month_before_is_charged(vendor):
    """Until then they cannot be told apart from those of the month before."""
    service = make_metered(vendor, owes="")
    vendor.owes(service.pk, window(service, 1), "4.00")

    assert look(utc(2026, 11, 1, 1), service)[service.pk].cost == 0
    month = window(service)
    UsageWindow.objects.create(
        service=service, starts_at=month.start, ends_at=month.end, closed_at=utc(2026, 11, 1, 2)
    )

    assert look(utc(2026, 11, 1, 3), service)[service.pk].cost == 4


def test_what_does_not_run_or_has_no_meter_is_missing(vendor):
    ended = make_service(status=ServiceStatus.TERMINATED)
    waiting = make_service(status=ServiceStatus.PENDING)
    plain = make_service()
    plain.product.module_key = "plain"
    plain.product.save()

    assert look(utc(2026, 11, 10), ended, waiting, plain) == {}


def test_many_services_cost_as_many_statements_as_one():
    services = [make_storage() for _ in range(4)]
    for service in services:
        make_datastore(service, (hours(0), 400))

    with CaptureQueriesContext(
        connection,
    ) as one:
        look(hours(5), services[0])
    with CaptureQueriesContext(connection) as all_of_them:
        found = look(hours(5), *services)

    assert len(found) == 4
    assert len(all_of_them) == len(one)
