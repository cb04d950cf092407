"""Deletion for non-payment: off by default, announced twice, and never unannounced."""

import logging
from datetime import date, timedelta

import pytest
from post_office.models import STATUS, Email

from billing_portal.automation.models import AutomationSettings, PlannedTermination, TaskItem
from billing_portal.invoices.models import Invoice
from billing_portal.mail.delivery import deliver_queued
from billing_portal.mail.models import ClientMail
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus, SuspensionCause
from billing_portal.workflows import daily
from billing_portal.workflows.ending_overdue import LAST
from billing_portal.workflows.invoice_paid import record_payment
from provisioning import runner
from provisioning.models import Job
from tests.automation.rows import make_overdue
from tests.factories import make_placement, make_product, make_service, utc
from tests.fakes import FakeModule, FakeVendor

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def rules(db: None) -> AutomationSettings:
    return AutomationSettings.objects.create(pk=1, send_reminders=False, terminate_overdue=True)


@pytest.fixture
def invoice(vendor: FakeVendor) -> Invoice:
    """Due on 1 May; its service has been suspended for it since the sixth."""
    service = make_service(status=ServiceStatus.SUSPENDED, suspension_cause=SuspensionCause.OVERDUE)
    account = FakeModule.vendor.add(f"fake-service{service.pk}")
    make_placement(service, remote_id=account.remote_id)
    return make_overdue(service)


def live(first: date, last: date) -> None:
    """A tick each day, with the mails and jobs it brings."""
    day = first
    while day <= last:
        at = utc(day.year, day.month, day.day, 4)
        daily.tick(at)
        deliver_queued()
        for job_id in runner.due_jobs(at=at):
            runner.run(job_id, at=at)
        day += DAY


def notices() -> list[tuple[str, str]]:
    sent = ClientMail.objects.filter(template__startswith="termination").order_by("pk")
    return [(f"{mail.at:%m-%d}", mail.email.subject) for mail in sent]


def box() -> str:
    return str(Service.objects.get())


def status() -> str:
    return Service.objects.get().status


def test_nothing_is_deleted_unless_staff_switch_it_on(invoice, vendor):
    live(date(2026, 5, 30), date(2026, 6, 20))

    assert (status(), len(vendor.accounts), notices()) == ("suspended", 1, [])


def test_a_notice_a_last_notice_and_then_the_deletion(rules, invoice, vendor):
    live(date(2026, 5, 30), date(2026, 6, 6))
    assert (status(), len(vendor.accounts)) == ("suspended", 1)

    live(date(2026, 6, 7), date(2026, 6, 8))

    assert (status(), vendor.accounts) == ("terminated", {})
    assert notices() == [
        ("05-31", f"{box()} will be deleted on 2026-06-07"),
        ("06-06", f"Last notice: {box()} will be deleted on 2026-06-07"),
    ]
    assert PlannedTermination.objects.get().carried_out_at == utc(2026, 6, 7, 4)


def test_payment_in_the_grace_saves_the_service(rules, invoice, vendor):
    live(date(2026, 5, 30), date(2026, 6, 6))
    at = utc(2026, 6, 6, 22)
    record_payment(
        invoice_id=invoice.pk,
        gateway="bank_transfer",
        external_id="p",
        amount=invoice.total,
        currency="EUR",
        received_at=at,
        at=at,
    )

    live(date(2026, 6, 7), date(2026, 6, 9))

    assert (status(), len(vendor.accounts)) == ("active", 1)
    assert PlannedTermination.objects.get().withdrawn_at == utc(2026, 6, 7, 4)


def test_payment_before_the_job_began_withdraws_the_deletion(rules, invoice, vendor):
    live(date(2026, 5, 30), date(2026, 6, 6))
    at = utc(2026, 6, 7, 4)
    daily.tick(at)
    assert Job.objects.get().kind == "terminate"

    record_payment(
        invoice_id=invoice.pk,
        gateway="bank_transfer",
        external_id="p",
        amount=invoice.total,
        currency="EUR",
        received_at=at,
        at=at,
    )
    live(date(2026, 6, 7), date(2026, 6, 8))

    assert (status(), len(vendor.accounts)) == ("active", 1)
    assert list(Job.objects.order_by("pk").values_list("kind", "status")) == [
        ("terminate", "resolved"),
        ("unsuspend", "done"),
    ]


def test_after_a_downtime_the_grace_counts_from_the_notice(rules, invoice, vendor):
    live(date(2026, 5, 20), date(2026, 5, 20))
    live(date(2026, 6, 20), date(2026, 6, 20))

    assert notices() == [("06-20", f"{box()} will be deleted on 2026-06-27")]
    assert status() == "suspended"


def test_after_a_downtime_in_the_grace_the_client_still_has_a_day(rules, invoice, vendor):
    live(date(2026, 5, 31), date(2026, 6, 1))
    live(date(2026, 6, 20), date(2026, 6, 20))
    assert (status(), notices()[1]) == (
        "suspended",
        ("06-20", f"Last notice: {box()} will be deleted on 2026-06-21"),
    )

    live(date(2026, 6, 21), date(2026, 6, 21))

    assert status() == "terminated"


def test_nothing_is_deleted_while_a_notice_has_not_gone_out(rules, invoice, vendor, caplog):
    live(date(2026, 5, 30), date(2026, 6, 6))
    Email.objects.filter(client_mail__template=LAST).update(status=STATUS.failed)

    with caplog.at_level(logging.CRITICAL):
        live(date(2026, 6, 7), date(2026, 6, 7))

    assert (status(), len(vendor.accounts)) == ("suspended", 1)
    service_id = invoice.lines.get().service_id
    assert TaskItem.objects.get(outcome="failed").summary == (
        f"Service {service_id}: {box()} was not deleted: its client's notice did not go out."
    )


@pytest.mark.parametrize(
    "change",
    [
        {"suspension_cause": SuspensionCause.STAFF},
        {"never_suspend_until": date(2026, 12, 1)},
        {"status": ServiceStatus.ACTIVE, "suspension_cause": ""},
    ],
)
def test_a_plan_whose_reason_is_gone_is_withdrawn(rules, invoice, vendor, change):
    rules.suspend_overdue = False
    rules.save()
    live(date(2026, 5, 30), date(2026, 6, 2))
    Service.objects.update(**change)

    live(date(2026, 6, 3), date(2026, 6, 12))

    assert (len(vendor.accounts), len(notices())) == (1, 1)
    assert PlannedTermination.objects.get().withdrawn_at == utc(2026, 6, 3, 4)


def test_a_service_without_a_module_just_ends(rules, vendor):
    service = make_service(
        product=make_product(module_key=""),
        status=ServiceStatus.SUSPENDED,
        suspension_cause=SuspensionCause.OVERDUE,
    )
    make_overdue(service)

    live(date(2026, 5, 30), date(2026, 6, 8))

    assert (status(), Job.objects.count()) == ("terminated", 0)
