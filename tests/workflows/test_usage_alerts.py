"""Who is told of what was used: each step once a month, and only the highest that is new."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backups.models import Datastore, SizeSpan
from billing_portal.invoices.models import UsageWindow
from billing_portal.mail.models import ClientMail
from billing_portal.services.models import ServiceUsagePrice, UsageAlert
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import tasks, usage_alerts
from tests.backups.test_usage import GB, hours, make_datastore, make_storage
from tests.factories import make_product, utc
from tests.workflows.billing import make_metered, window

pytestmark = pytest.mark.django_db


def included(size_gb, *, units="500", price="10.00", **fields):
    """A service with `units` GB included whose datastore had one size since 1 November."""
    service = make_storage(price, label="Office", **fields)
    service.usage_prices.update(included=Decimal(units))
    make_datastore(service, (hours(0), size_gb))
    return service


def capped(cap, *sizes, **fields):
    service = make_storage(label="Office", usage_cap=Decimal(cap), **fields)
    make_datastore(service, *sizes)
    return service


def resize(service, size_gb, at):
    store = Datastore.objects.get(service=service)
    SizeSpan.objects.filter(datastore=store, ends_at=None).update(ends_at=at, last_seen_at=at)
    SizeSpan.objects.create(
        datastore=store,
        size_bytes=size_gb * GB,
        starts_at=at,
        first_seen_at=at,
        last_seen_at=utc(2030, 1, 1),
        source="poll",
    )


def told():
    """Template and subject of every mail, in order."""
    mails = ClientMail.objects.select_related("email").order_by("pk")
    return [(mail.template, mail.email.subject) for mail in mails]


def body():
    return ClientMail.objects.select_related("email").latest("pk").email.message


def steps():
    rows = UsageAlert.objects.order_by("pk")
    return [(f"{row.window_start:%Y-%m-%d}", row.basis, row.percent) for row in rows]


def test_400_gb_of_500_included_are_80_percent_and_one_mail():
    included(400)

    found = [usage_alerts.tell_all(hours(count)) for count in (1, 2, 48)]

    assert found == [["Box - Office: 80 % of the 500 GB included"], [], []]
    assert told() == [("usage_alert", "Box - Office: 80 % of the 500 GB included")]
    assert steps() == [("2026-11-01", "included:storage:500", 80)]


def test_a_resize_that_crosses_100_percent_is_told_and_nothing_in_between():
    """400 GB for 360 h and 800 GB for 360 h are 600 GB: 120 %."""
    service = included(400)
    usage_alerts.tell_all(hours(1))
    resize(service, 800, hours(360))

    found = usage_alerts.tell_all(hours(361))

    assert found == ["Box - Office: 120 % of the 500 GB included"]
    assert [percent for _, _, percent in steps()] == [80, 100]
    assert (
        "Box - Office has used 600 GB of the 500 GB included: 120 %. That is the average of the "
        "whole month, if the size stays as it is." in body()
    )
    assert "costs €0.00 so far and will probably come to €1.00. The month has 15 days left." in (
        body()
    )
    assert "What is used beyond it is on your next invoice." in body()
    assert "Questions? Just reply, or write to" in body()


def test_the_next_month_counts_anew():
    included(400)
    usage_alerts.tell_all(hours(1))

    usage_alerts.tell_all(utc(2026, 12, 1, 3))

    assert steps() == [
        ("2026-11-01", "included:storage:500", 80),
        ("2026-12-01", "included:storage:500", 80),
    ]
    assert len(told()) == 2


def test_below_half_nobody_is_told():
    included(249)

    assert usage_alerts.tell_all(hours(1)) == []
    assert told() == []


def test_a_cap_of_10_with_8_61_to_come_is_told_once_at_80_percent():
    capped("10.00", (hours(0), 500), (hours(200), 1000))

    found = [usage_alerts.tell_all(hours(count)) for count in (201, 360)]

    assert found == [["Box - Office: 86 % of your cap of €10.00"], []]
    assert steps() == [("2026-11-01", "cap:10", 80)]
    assert told() == [("usage_alert", "Box - Office: 86 % of your cap of €10.00")]
    # 500 GB for 200 h and 1000 GB for one: 140.28 GB of the month.
    assert "costs €1.40 so far and will probably come to €8.61." in body()
    assert "it does not switch anything off." in body()


def test_a_cap_that_is_reached_is_told_to_staff_too():
    capped("5.00", (hours(0), 600))

    usage_alerts.tell_all(hours(1))
    usage_alerts.tell_all(hours(2))

    assert told() == [
        ("usage_alert", "Box - Office: 120 % of your cap of €5.00"),
        ("usage_cap_staff", "Box - Office of Acme Ltd has reached its cap of €5.00"),
    ]
    assert "comes to €6.00 this month. Its cap is €5.00" in body()


def test_a_cap_that_is_raised_counts_anew():
    service = capped("5.00", (hours(0), 600))
    usage_alerts.tell_all(hours(1))
    service.usage_cap = Decimal("7.50")
    service.save()

    found = usage_alerts.tell_all(hours(2))

    assert found == ["Box - Office: 80 % of your cap of €7.50"]


def test_the_cheaper_product_is_named_if_there_is_one():
    """1000 GB beyond 500 are 5.00, with 10.00 in advance 15.00; a flat 9.00 is less."""
    service = included(1000, recurring="10.00", spec={"size_gb": 1000})
    usage_alerts.tell_all(hours(1))
    assert "would cost" not in body()

    flat = make_product(
        module_key="remote_backups", name="Backup L", recurring="9.00", usage={"storage": "0"}
    )
    service.product.upgrades_to.add(flat)
    usage_alerts.tell_all(utc(2026, 12, 1, 3))

    assert "With Backup L the same month would cost €9.00 instead of €15.00." in body()


def test_calls_count_as_used_so_far(vendor):
    service = make_metered(vendor, owes="", anchor=date(2026, 11, 1), usage_cap=Decimal(20))
    ServiceUsagePrice.objects.create(
        service=service, metric="traffic", price=Decimal(1), included=Decimal(10)
    )
    vendor.owes(service.pk, window(service), "12.00", quantity="6")

    found = usage_alerts.tell_all(utc(2026, 11, 16))

    assert found == [
        f"{service}: 60 % of the 10 TB included",
        f"{service}: 60 % of your cap of €20.00",
    ]
    assert "costs €12.00 so far and will probably come to €24.83." in body()  # 30 / 14.5 days


def test_what_is_left_from_last_month_is_not_told_as_this_month_s(vendor):
    service = make_metered(vendor, owes="", usage_cap=Decimal(5))
    vendor.owes(service.pk, window(service, 1), "6.00")

    assert usage_alerts.tell_all(utc(2026, 11, 1, 1)) == []
    month = window(service)
    UsageWindow.objects.create(
        service=service, starts_at=month.start, ends_at=month.end, closed_at=utc(2026, 11, 1, 2)
    )

    assert usage_alerts.tell_all(utc(2026, 11, 1, 3)) == [f"{service}: 120 % of your cap of €5.00"]


def test_a_service_that_has_ended_is_not_told_of():
    included(400, status=ServiceStatus.TERMINATED)

    assert usage_alerts.tell_all(hours(1)) == []


def test_one_that_cannot_be_read_does_not_keep_others_from_their_mail():
    broken = capped("1.00", (hours(0), 500))
    broken.usage_prices.all().delete()
    included(400)

    assert usage_alerts.tell_all(hours(1)) == ["Box - Office: 80 % of the 500 GB included"]


def test_looking_at_many_costs_as_many_statements_as_at_one():
    included(100)
    with CaptureQueriesContext(connection) as one:
        usage_alerts.tell_all(hours(1))
    for _ in range(5):
        included(100)

    with CaptureQueriesContext(connection) as six:
        usage_alerts.tell_all(hours(1))

    assert len(six) == len(one)


def test_the_hourly_task_tells():
    service = included(400)

    tasks.tell_usage()

    assert UsageAlert.objects.filter(service=service).count() == 1
