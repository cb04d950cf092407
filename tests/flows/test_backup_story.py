"""A client buys backup storage and is billed for what stood."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from backups.sandbox_control import SandboxControl
from billing_portal.clock.setting import set_clock
from billing_portal.invoices.models import Charge, Invoice, InvoiceLine
from billing_portal.orders.models import Order
from billing_portal.services.models import Service
from billing_portal.workflows import bill_run
from tests.flows.browser import Person
from tests.flows.conftest import HOUR, START
from tests.flows.jobs import ring, wait_for_a_waiting_job

pytestmark = [pytest.mark.sends_tasks, pytest.mark.django_db(transaction=True)]

CHOICE = "/order/backup-datastore/checkout/?cycle=monthly&label=Attic&spec-size_gb="
MONTH_CLOSED = START + timedelta(hours=722)


def order_and_pay(person: Person, size_gb: int = 500) -> None:
    person.open(f"{CHOICE}{size_gb}")
    person.submit("submission_key", payment_method="test")
    person.submit("pay", pay="yes")


def test_growth_after_200_hours_is_billed_by_the_hour(
    person: Person,
    worker: None,
    backups_sandbox: SandboxControl,
    wait_for_active: Callable[[], Service],
    record_hours: Callable[[int, int], None],
):
    order_and_pay(person)
    service = wait_for_active()
    record_hours(1, 200)
    backups_sandbox.resize(service.placement.remote_id, 1000, at=START + 200 * HOUR)
    record_hours(200, 723)
    set_clock(MONTH_CLOSED)

    report = bill_run.bill_all(MONTH_CLOSED)

    [invoice] = report.issued
    [line] = invoice.lines.all()
    assert (line.kind, line.amount, invoice.total) == ("usage", Decimal("8.61"), Decimal("8.61"))
    assert line.description.endswith("average 861.11 GB (Attic)")
    assert [
        (segment["size_gb"], round(Decimal(segment["hours"])))
        for segment in line.charge.evidence["segments"]
    ] == [(500, 200), (1000, 520)]
    page = re.sub(r"\s+", " ", person.open(f"/invoices/{invoice.pk}/"))
    for shown in ("861.11 GB", "€8.61", "500 GB", "1,000 GB"):
        assert shown in page


def test_the_order_is_paid_once_and_active_within_seconds(
    person: Person,
    worker: None,
    backups_sandbox: SandboxControl,
    wait_for_active: Callable[[], Service],
):
    order_and_pay(person)

    service = wait_for_active(timeout_s=10)

    [datastore] = backups_sandbox.datastores()
    assert datastore["friendly"] == f"backup-client{service.client_id}-service{service.pk}"
    assert datastore["size"] == 500 * 10**9
    assert service.placement.remote_id == datastore["_id"]
    [invoice] = Invoice.objects.all()
    assert (invoice.status, invoice.total) == ("paid", Decimal("5.00"))
    page = person.open(f"/services/{service.pk}/")
    assert "Active" in page
    assert service.placement.credentials["password"] not in page


def test_a_reply_lost_after_creating_leaves_one_datastore_adopted_by_the_retry(
    person: Person,
    worker: None,
    backups_sandbox: SandboxControl,
    wait_for_active: Callable[[], Service],
):
    backups_sandbox.fault("lose_reply", method="POST")
    order_and_pay(person)
    job = wait_for_a_waiting_job()

    set_clock(job.due_at + timedelta(seconds=31))
    ring()

    service = wait_for_active()
    [datastore] = backups_sandbox.datastores()
    assert service.placement.remote_id == datastore["_id"]
    assert service.jobs.get().attempts == 2


def test_a_form_sent_twice_is_one_order(person: Person, backups_sandbox: SandboxControl):
    person.open(f"{CHOICE}500")
    checkout, path = person.html, person.path
    person.submit("submission_key", payment_method="bank_transfer")
    person.html, person.path = checkout, path

    person.submit("submission_key", payment_method="bank_transfer")

    assert (Order.objects.count(), Service.objects.count(), Invoice.objects.count()) == (1, 1, 1)


@pytest.mark.parametrize(
    ("size_gb", "sentence"),
    [
        (400, "500 GB"),
        (550, "100 GB"),
        (10_100, "10,000 GB"),
    ],
)
def test_a_size_nobody_sells_is_refused_with_the_rule_before_anything_is_stored(
    person: Person, size_gb: int, sentence: str
):
    page = person.open(f"{CHOICE}{size_gb}")

    [complaint] = re.findall(r'class="error".*?<span>(.*?)</span>', page, re.DOTALL)
    assert sentence in complaint.replace("10000", "10,000")
    assert (Order.objects.count(), Service.objects.count()) == (0, 0)


def test_a_month_billed_twice_is_billed_once(
    person: Person,
    worker: None,
    wait_for_active: Callable[[], Service],
    record_hours: Callable[[int, int], None],
):
    order_and_pay(person)
    wait_for_active()
    record_hours(1, 3)
    first = bill_run.bill_all(MONTH_CLOSED)

    second = bill_run.bill_all(MONTH_CLOSED)

    assert ([invoice.total for invoice in first.issued], second.issued) == ([Decimal("5.00")], [])
    assert Charge.objects.count() == InvoiceLine.objects.filter(kind="usage").count() == 1
