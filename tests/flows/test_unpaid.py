"""An invoice nobody pays, from its issue to suspension and back: what operators rely on."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing_portal.automation.models import Reminder, TaskRun
from billing_portal.invoices.models import Invoice
from billing_portal.mail.models import ClientMail
from billing_portal.services.models import Service
from billing_portal.workflows import bill_run, change_service, daily
from billing_portal.workflows.invoice_paid import record_payment
from provisioning import runner
from tests import fakes
from tests.factories import make_client, make_placement, make_service, utc

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
START = utc(2026, 4, 17, 5)


@pytest.fixture
def vendor(settings: Any) -> Iterator[fakes.FakeVendor]:
    settings.INVOICE_LEAD_DAYS = settings.PAYMENT_TERM_DAYS = 14
    with fakes.installed(settings) as vendor:
        yield vendor


@pytest.fixture
def service(vendor: fakes.FakeVendor, db: None) -> Service:
    """Monthly 30.00, paid until 1 May."""
    service = make_service(
        make_client(company_name="Acme"),
        recurring="30.00",
        anchor_date=date(2026, 4, 1),
        billed_until=date(2026, 5, 1),
    )
    account = vendor.add(f"fake-service{service.pk}")
    make_placement(service, remote_id=account.remote_id)
    return service


def live(first: int, last: int, *, month: int = 5, without: tuple[int, ...] = ()) -> None:
    """Each day: the bill run, the tick and the workers; not on the days `without` a portal."""
    for day in range(first, last + 1):
        if day in without:
            continue
        at = utc(2026, month, day, 5)
        bill_run.bill_all(at)
        daily.tick(at)
        for job_id in runner.due_jobs(at=at):
            runner.run(job_id, at=at)


def pay(amount: str, day: int) -> None:
    at = utc(2026, 5, day, 15)
    record_payment(
        invoice_id=Invoice.objects.order_by("pk").first().pk,
        gateway="bank_transfer",
        external_id=f"{amount}-{day}",
        amount=Decimal(amount),
        currency="EUR",
        received_at=at,
        at=at,
    )
    for job_id in runner.due_jobs(at=at):
        runner.run(job_id, at=at)


def state(service: Service) -> str:
    service.refresh_from_db()
    return service.status


def history() -> list[tuple[str, str]]:
    return [(f"{m.at:%m-%d}", m.template) for m in ClientMail.objects.order_by("pk")]


def test_due_on_the_first_suspended_on_the_sixth_paid_on_the_seventh_and_back(service):
    live(17, 30, month=4)
    live(1, 5)
    assert state(service) == "active"

    live(6, 6)
    assert state(service) == "suspended"
    pay("30.00", 7)

    assert (state(service), service.billed_until) == ("active", date(2026, 6, 1))
    assert history() == [
        ("04-17", "invoice_issued"),
        ("04-28", "reminder_before_due"),
        ("05-02", "reminder_overdue_first"),
        ("05-05", "reminder_overdue_second"),
        ("05-06", "service_suspended"),
        ("05-07", "payment_received"),
        ("05-07", "service_unsuspended"),
    ]


def test_suspended_for_abuse_and_paid_it_stays_suspended(service):
    live(17, 30, month=4)
    change_service.suspend(
        service.pk, reason="abuse", request_key="a", at=utc(2026, 5, 1), actor=None
    )
    live(1, 6)

    pay("30.00", 7)
    live(7, 9)

    assert (state(service), service.suspension_reason) == ("suspended", "abuse")


def test_overridden_until_the_twentieth_it_is_not_suspended_before(service):
    Service.objects.update(never_suspend_until=date(2026, 5, 20))
    live(17, 30, month=4)

    live(1, 19)
    assert state(service) == "active"

    live(20, 20)
    assert state(service) == "suspended"


def test_a_part_payment_leaves_it_overdue_and_the_reminders_name_the_rest(service):
    live(17, 30, month=4)
    pay("10.00", 1)

    live(1, 6)

    assert state(service) == "suspended"
    mail = ClientMail.objects.get(template="reminder_overdue_first")
    assert "\N{EURO SIGN}20.00 are still open" in mail.email.message


def test_three_days_without_a_portal_end_as_if_each_day_had_run(service):
    live(17, 30, month=4)

    live(1, 9, without=(5, 6, 7))

    assert state(service) == "suspended"
    assert [(t, d) for d, t in history()][2:] == [
        ("reminder_overdue_first", "05-02"),
        ("reminder_overdue_second", "05-08"),
        ("service_suspended", "05-08"),
    ]
    days = TaskRun.objects.filter(task="reminders").values_list("business_day", flat=True)
    assert list(days) == [START.date() + number * DAY for number in range(23)]
    assert Reminder.objects.filter(mailed=False).count() == 0


def test_the_daily_work_a_second_time_changes_nothing(service):
    live(17, 30, month=4)
    live(1, 6)
    before = (history(), list(service.jobs.values_list("kind", "status")))

    live(6, 6)
    daily.run_day(date(2026, 5, 6), utc(2026, 5, 6, 9))

    assert (history(), list(service.jobs.values_list("kind", "status"))) == before


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles", "Europe/Berlin"])
def test_each_step_falls_on_the_sellers_day_in_every_zone(service, settings, zone):
    """Four times a day, while Auckland is on winter time and Berlin on summer time."""
    settings.SELLER_TIMEZONE = zone
    at = utc(2026, 4, 14)
    while at < utc(2026, 5, 8):
        bill_run.bill_all(at)
        daily.tick(at)
        at += timedelta(hours=6)

    invoice = Invoice.objects.get()
    assert (invoice.issue_date, invoice.due_date) == (date(2026, 4, 17), date(2026, 5, 1))
    steps = Reminder.objects.order_by("step").values_list("business_day", flat=True)
    assert list(steps) == [date(2026, 4, 28), date(2026, 5, 2), date(2026, 5, 5)]
    run = TaskRun.objects.get(task="suspensions", done_count=1)
    assert run.business_day == date(2026, 5, 6)
