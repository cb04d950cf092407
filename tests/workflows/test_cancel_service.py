"""A client gives a service up: what is owed, what it may take back, when data is gone."""

from datetime import date, timedelta

import pytest

from billing_portal.automation.models import AutomationSettings, TaskItem
from billing_portal.calc.periods import month_slice
from billing_portal.invoices.models import BillingSettings, CreditNote, Invoice
from billing_portal.mail.models import ClientMail
from billing_portal.services.cancelling import CancellationRefused
from billing_portal.services.models import Cancellation, Service
from billing_portal.services.states import SuspensionCause
from billing_portal.workflows import bill_run, cancel_service, change_service, daily
from provisioning import drift, runner
from provisioning.models import Job
from tests.factories import (
    make_client,
    make_invoice,
    make_placement,
    make_product,
    make_service,
    utc,
)

pytestmark = pytest.mark.django_db

AT = utc(2026, 4, 16, 12)
NOW, PERIOD_END = Cancellation.When.NOW, Cancellation.When.PERIOD_END
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _vendor(vendor):
    BillingSettings.objects.create(pk=1, lead_days=0, term_days=14)
    return vendor


def make_running(vendor, client=None, *, module_key="fake", grace=7, **fields):
    """Monthly 30.00, paid until 1 May, standing at the vendor."""
    product = make_product(module_key=module_key, recurring="30", deletion_grace_days=grace)
    values = {"anchor_date": date(2026, 1, 1), "billed_until": date(2026, 5, 1)} | fields
    service = make_service(client, product=product, recurring="30.00", label="mail", **values)
    if module_key:
        account = vendor.add(f"fake-service{service.pk}")
        make_placement(service, remote_id=account.remote_id)
    return service


def cancel(service, when=PERIOD_END, at=AT, reason="too dear"):
    return cancel_service.request(service.pk, when=when, reason=reason, at=at, actor=None)


def live(*days):
    """On each of these days: the bill run, the tick and the workers."""
    for day in days:
        at = utc(day.year, day.month, day.day, 5)
        bill_run.bill_all(at)
        daily.tick(at)
        work(at)


def work(at):
    for job_id in runner.due_jobs(at=at):
        runner.run(job_id, at=at)


def every_day(first, last):
    return [first + number * DAY for number in range((last - first).days + 1)]


def row(service):
    return Service.objects.get(pk=service.pk)


def mails():
    return [(f"{m.at:%m-%d}", m.template) for m in ClientMail.objects.order_by("pk")]


# --- At the end of the paid period --------------------------------------------------------


def test_it_runs_until_what_is_paid_is_over_and_is_not_renewed(vendor):
    service = make_running(vendor)

    found = cancel(service)

    assert (found.ends_on, found.status, row(service).status) == (
        *(date(2026, 5, 1), "open", "active"),
    )
    live(date(2026, 4, 30))
    assert row(service).status == "active"
    live(date(2026, 5, 1))
    assert (row(service).status, row(service).ended_at) == ("cancelled", utc(2026, 5, 1))
    assert [account.suspended for account in vendor.accounts.values()] == [True]
    live(date(2026, 6, 1))
    assert not Invoice.objects.exists()


def test_data_is_kept_for_the_grace_and_deleted_after_its_notices(vendor):
    service = make_running(vendor, grace=14)
    cancel(service)

    live(*every_day(date(2026, 4, 30), date(2026, 5, 15)))

    assert vendor.accounts == {}
    assert row(service).status == "cancelled"
    assert Cancellation.objects.get().status == "done"
    assert mails() == [
        ("04-16", "cancellation_noted"),
        ("04-16", "cancellation_staff"),
        ("05-01", "service_ended"),
        ("05-08", "deletion_notice"),
        ("05-14", "deletion_last_notice"),
    ]
    assert list(TaskItem.objects.order_by("pk").values_list("summary", flat=True)) == [
        "Box - mail of Acme Ltd ended: it was cancelled",
        "Notice: the data of Box - mail will be deleted on May 15, 2026",
        "Last notice: the data of Box - mail will be deleted on May 15, 2026",
        "Box - mail of Acme Ltd is deleted: the grace is over",
    ]


@pytest.mark.parametrize(
    ("grace", "told", "deleted_on"),
    [
        (7, ["deletion_last_notice"], date(2026, 5, 8)),
        (1, [], date(2026, 5, 2)),
        (0, [], date(2026, 5, 1)),
    ],
)
def test_a_short_grace_has_the_notices_that_fit_in(vendor, grace, told, deleted_on):
    cancel(make_running(vendor, grace=grace))

    live(*every_day(date(2026, 4, 30), deleted_on - DAY))
    assert vendor.accounts
    live(deleted_on)

    assert vendor.accounts == {}
    assert [template for _, template in mails() if template.startswith("deletion")] == told


def test_after_a_downtime_the_last_notice_comes_first_and_nothing_is_billed_twice(vendor):
    service = make_running(vendor, grace=14)
    cancel(service)
    live(*every_day(date(2026, 4, 30), date(2026, 5, 3)))

    live(date(2026, 5, 20))
    assert vendor.accounts
    assert [template for _, template in mails()][-1] == "deletion_last_notice"
    live(date(2026, 5, 21))

    assert vendor.accounts == {}
    assert row(service).ended_at == utc(2026, 5, 1)


def test_a_portal_that_was_down_ends_it_with_the_day_that_was_agreed(vendor):
    service = make_running(vendor)
    cancel(service)
    daily.tick(utc(2026, 4, 29, 5))

    live(date(2026, 5, 4))

    assert (row(service).status, row(service).ended_at) == ("cancelled", utc(2026, 5, 1))
    # The grace counts from the day on which it really ended.
    assert Cancellation.objects.get().deletes_at == utc(2026, 5, 11, 5)


def test_the_day_a_second_time_changes_nothing(vendor):
    cancel(make_running(vendor))
    live(*every_day(date(2026, 4, 30), date(2026, 5, 7)))
    before = (mails(), list(Job.objects.values_list("kind", "status")))

    daily.run_day(date(2026, 5, 7), utc(2026, 5, 7, 9))

    assert (mails(), list(Job.objects.values_list("kind", "status"))) == before


# --- Now ----------------------------------------------------------------------------------


def test_now_is_at_once(vendor):
    service = make_running(vendor)

    found = cancel(service, NOW)
    work(AT)

    assert (row(service).status, row(service).ended_at) == ("cancelled", AT)
    assert (found.ends_on, found.deletes_at) == (date(2026, 4, 16), AT + 7 * DAY)
    assert [account.suspended for account in vendor.accounts.values()] == [True]


def test_where_staff_carry_cancellations_out_now_waits_for_them(vendor):
    AutomationSettings.objects.create(pk=1, process_cancellations=False)
    service = make_running(vendor)

    found = cancel(service, NOW)
    live(date(2026, 4, 17))
    assert row(service).status == "active"
    cancel_service.end(found.pk, at=AT + DAY)

    assert row(service).status == "cancelled"


def test_without_a_vendor_it_just_ends(vendor):
    service = make_running(vendor, module_key="")

    cancel(service, NOW)

    assert (row(service).status, Cancellation.objects.get().status) == ("cancelled", "done")


# --- What is owed -------------------------------------------------------------------------


def renewal(vendor, *, others=0):
    """A service whose May was invoiced on 17 April and is unpaid."""
    BillingSettings.objects.update(lead_days=14)
    service = make_running(vendor)
    for _ in range(others):
        make_running(vendor, service.client)
    bill_run.bill_all(utc(2026, 4, 17, 5))
    return service, Invoice.objects.get()


def test_an_unpaid_renewal_of_its_own_is_cancelled(vendor):
    service, invoice = renewal(vendor)

    found = cancel(service, at=utc(2026, 4, 20))

    invoice.refresh_from_db()
    assert (invoice.status, found.ends_on) == ("cancelled", date(2026, 5, 1))
    assert (row(service).billed_until, row(service).periods_billed) == (date(2026, 5, 1), 0)


def test_what_it_has_used_it_pays_for(vendor):
    """The unpaid period has begun: it stays owed, and the service ends with it."""
    service, invoice = renewal(vendor)

    found = cancel(service, at=utc(2026, 5, 3))

    invoice.refresh_from_db()
    assert (invoice.status, found.ends_on) == ("unpaid", date(2026, 6, 1))


def test_kept_after_all_the_period_is_billed_again(vendor):
    service, _ = renewal(vendor)
    found = cancel(service, at=utc(2026, 4, 20))

    cancel_service.withdraw(found.pk, at=utc(2026, 4, 21), actor=None)
    bill_run.bill_all(utc(2026, 4, 21, 5))

    assert [(i.status, f"{i.total:.2f}") for i in Invoice.objects.order_by("pk")] == [
        ("cancelled", "30.00"),
        ("unpaid", "30.00"),
    ]
    assert row(service).billed_until == date(2026, 6, 1)
    assert mails()[-2][1] == "service_kept"


def test_of_a_shared_invoice_only_its_line_is_credited(vendor):
    service, invoice = renewal(vendor, others=1)

    cancel(service, at=utc(2026, 4, 20))

    invoice.refresh_from_db()
    note = CreditNote.objects.get()
    assert (invoice.status, f"{invoice.balance:.2f}", f"{note.total:.2f}") == (
        *("unpaid", "30.00", "30.00"),
    )
    assert [line.line.service_id for line in note.lines.all()] == [service.pk]


# --- Keeping it ---------------------------------------------------------------------------


def test_within_the_grace_it_comes_back_as_it_was(vendor):
    service = make_running(vendor)
    found = cancel(service, NOW)
    work(AT)

    cancel_service.keep(found.pk, at=AT + DAY, actor=None, by_client=True)
    work(AT + DAY)

    now = row(service)
    assert (now.status, now.ended_at, now.suspension_reason) == ("active", None, "")
    assert [account.suspended for account in vendor.accounts.values()] == [False]
    live(*every_day(date(2026, 4, 30), date(2026, 5, 1)))
    assert [f"{i.total:.2f}" for i in Invoice.objects.all()] == ["30.00"]


def test_a_suspended_service_comes_back_suspended(vendor):
    service = make_running(vendor)
    change_service.suspend(service.pk, reason="abuse", request_key="s", at=AT, actor=None)
    work(AT)
    found = cancel(service, NOW)
    assert row(service).status == "cancelled"

    cancel_service.keep(found.pk, at=AT + DAY, actor=None, by_client=True)
    work(AT + DAY)

    now = row(service)
    assert (now.status, now.suspension_reason, now.suspension_cause) == (
        *("suspended", "abuse", SuspensionCause.STAFF),
    )
    assert [account.suspended for account in vendor.accounts.values()] == [True]


def test_a_client_pays_what_is_overdue_before_keeping_it(vendor):
    service = make_running(vendor)
    invoice = make_invoice(service.client, advance={service: "30"}, due_date=date(2026, 4, 10))
    found = cancel(service, NOW)

    with pytest.raises(CancellationRefused, match=f"Please pay invoice {invoice} first"):
        cancel_service.keep(found.pk, at=AT + DAY, actor=None, by_client=True)

    cancel_service.keep(found.pk, at=AT + DAY, actor=None)
    assert Cancellation.objects.get().status == "withdrawn"


def test_what_is_deleted_cannot_be_kept(vendor):
    found = cancel(make_running(vendor), NOW)
    work(AT)
    cancel_service.delete(found.pk, at=AT + DAY)
    work(AT + DAY)

    with pytest.raises(CancellationRefused, match="can no longer be kept"):
        cancel_service.keep(found.pk, at=AT + DAY, actor=None)
    assert vendor.accounts == {}


# --- Refusals -----------------------------------------------------------------------------


def test_one_cancellation_at_a_time(vendor):
    service = make_running(vendor)
    cancel(service)

    with pytest.raises(CancellationRefused, match="Box - mail is cancelled already"):
        cancel(service, NOW)


def test_what_has_not_ended_is_not_deleted(vendor):
    found = cancel(make_running(vendor))

    with pytest.raises(CancellationRefused, match="has not ended"):
        cancel_service.delete(found.pk, at=AT)


def test_what_ended_is_kept_and_not_withdrawn(vendor):
    found = cancel(make_running(vendor), NOW)

    with pytest.raises(CancellationRefused, match="has ended already"):
        cancel_service.withdraw(found.pk, at=AT, actor=None)


def test_what_is_kept_for_the_grace_is_no_drift(vendor):
    service = make_running(vendor)
    found = cancel(service, NOW)
    work(AT)

    assert drift.check_server(service.placement.server, at=AT) == []

    Cancellation.objects.filter(pk=found.pk).update(status="done")
    (left_over,) = drift.check_server(service.placement.server, at=AT)
    assert left_over.kind == "left over"


def test_usage_until_the_end_is_on_a_last_invoice(vendor):
    client = make_client()
    service = make_running(vendor, client, billed_until=date(2026, 5, 1))
    vendor.owes(service.pk, month_slice(date(2026, 4, 1), 0, timezone="UTC"), "4.20")
    cancel(service, NOW)

    live(date(2026, 4, 17))

    assert [f"{i.total:.2f}" for i in Invoice.objects.all()] == ["4.20"]
