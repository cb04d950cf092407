"""Suspending for overdue invoices, and coming back by payment: only then, and only that."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import connection

from billing_portal.automation.models import AutomationSettings, TaskItem, TaskRun
from billing_portal.clients.models import Client
from billing_portal.invoices import actions as invoices
from billing_portal.invoices.models import Invoice
from billing_portal.payments.models import Transaction
from billing_portal.products.models import Cycle
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus, SuspensionCause
from billing_portal.workflows import change_service, daily, overdue_services
from billing_portal.workflows.invoice_paid import record_payment
from provisioning import runner
from provisioning.models import Job
from tests.automation.rows import mailed, make_overdue
from tests.factories import make_client, make_placement, make_product, make_service, utc
from tests.fakes import FakeModule, FakeVendor

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_reminders(db: None) -> None:
    AutomationSettings.objects.create(pk=1, send_reminders=False)


@pytest.fixture
def service(vendor: FakeVendor) -> Service:
    """Active, at a vendor that can suspend."""
    service = make_service(make_client(company_name="Acme"))
    account = FakeModule.vendor.add(f"fake-service{service.pk}")
    make_placement(service, remote_id=account.remote_id)
    return service


def live(day: int, hour: int = 4) -> None:
    """A tick in May, and the workers after it."""
    at = utc(2026, 5, day, hour)
    daily.tick(at)
    for job_id in runner.due_jobs(at=at):
        runner.run(job_id, at=at)


def pay(invoice: Invoice, day: int, hour: int = 12) -> None:
    at = utc(2026, 5, day, hour)
    record_payment(
        invoice_id=invoice.pk,
        gateway="bank_transfer",
        external_id=f"{invoice.number}-{at}",
        amount=Invoice.objects.get(pk=invoice.pk).balance,
        currency="EUR",
        received_at=at,
        at=at,
    )
    for job_id in runner.due_jobs(at=at):
        runner.run(job_id, at=at)


def state(service: Service) -> str:
    service.refresh_from_db()
    return service.status


def test_a_service_is_suspended_five_days_after_the_due_date_and_not_before(service, vendor):
    invoice = make_overdue(service)

    live(5)
    assert state(service) == "active"
    live(6)

    assert state(service) == "suspended"
    assert service.suspension_cause == SuspensionCause.OVERDUE
    assert service.suspension_reason == (f"invoice {invoice.number} has been due since 2026-05-01")
    assert vendor.accounts["acc-1"].suspended
    assert mailed() == ["service_suspended"]


def test_all_services_on_the_invoice_are_suspended(service):
    other = make_service(service.client)
    make_placement(other, remote_id=FakeModule.vendor.add("other").remote_id)
    bystander = make_service(service.client)
    make_overdue(service, also=[other])

    live(6)

    assert [state(s) for s in (service, other, bystander)] == ["suspended", "suspended", "active"]


def test_payment_brings_the_service_back_at_once(service, vendor):
    invoice = make_overdue(service)
    live(6)

    pay(invoice, 7)

    assert (state(service), service.suspension_cause) == ("active", "")
    assert not vendor.accounts["acc-1"].suspended
    assert mailed() == ["service_suspended", "payment_received", "service_unsuspended"]


def test_payment_lifts_nothing_while_another_invoice_of_the_service_is_overdue(service):
    first, second = make_overdue(service), make_overdue(service, due=date(2026, 5, 3))
    live(6)

    pay(first, 7)
    live(7)
    assert state(service) == "suspended"

    pay(second, 8)
    assert state(service) == "active"


def test_a_suspension_people_wished_stays_whatever_is_paid(service):
    invoice = make_overdue(service)
    change_service.suspend(
        service.pk, reason="abuse", request_key="x", at=utc(2026, 5, 2), actor=None
    )
    live(3)

    pay(invoice, 7)
    live(8)

    assert (state(service), service.suspension_reason) == ("suspended", "abuse")


def test_staff_who_suspend_while_the_automatic_suspension_waits_have_the_last_word(service):
    invoice = make_overdue(service)
    daily.tick(utc(2026, 5, 6, 4))
    change_service.suspend(
        service.pk, reason="abuse", request_key="x", at=utc(2026, 5, 6, 4), actor=None
    )
    for job_id in Job.objects.values_list("pk", flat=True):
        runner.run(job_id, at=utc(2026, 5, 6, 5))

    pay(invoice, 7)
    live(8)

    assert (state(service), service.suspension_reason) == ("suspended", "abuse")


def test_a_suspension_nobody_began_is_withdrawn_by_payment(service, vendor):
    invoice = make_overdue(service)
    daily.tick(utc(2026, 5, 6, 4))

    pay(invoice, 6)

    job = Job.objects.get()
    assert (job.status, job.last_error) == ("resolved", f"{invoice.number} was paid meanwhile.")
    assert (state(service), vendor.calls) == ("active", [])


def test_a_suspension_under_way_during_the_payment_is_lifted_by_the_next_tick(service, vendor):
    invoice = make_overdue(service)
    daily.tick(utc(2026, 5, 6, 4))
    vendor.during_call = lambda: _pay_once(invoice, vendor)
    runner.run(Job.objects.get().pk, at=utc(2026, 5, 6, 4))
    assert state(service) == "suspended"

    live(6, 5)

    assert state(service) == "active"


def _pay_once(invoice: Invoice, vendor: FakeVendor) -> None:
    vendor.during_call = lambda: None
    at = utc(2026, 5, 6, 4)
    record_payment(
        invoice_id=invoice.pk,
        gateway="bank_transfer",
        external_id="once",
        amount=Decimal("30.00"),
        currency="EUR",
        received_at=at,
        at=at,
    )


def test_a_cancelled_invoice_suspends_nobody_any_longer(service):
    invoice = make_overdue(service)
    live(6)
    invoices.cancel(invoice.pk, reason="wrong", at=utc(2026, 5, 7))

    live(7)

    assert state(service) == "active"


def test_with_the_switch_off_payment_lifts_nothing(service):
    AutomationSettings.objects.update(unsuspend_on_payment=False)
    invoice = make_overdue(service)
    live(6)

    pay(invoice, 7)
    live(8)

    assert state(service) == "suspended"


def test_what_stands_in_the_way_of_coming_back_never_stops_a_payment(service, vendor):
    invoice = make_overdue(service)
    live(6)
    service.placement.remote_id = ""
    service.placement.save()

    pay(invoice, 7)
    live(7)

    assert (Transaction.objects.count(), state(service)) == (1, "suspended")
    [item] = TaskItem.objects.filter(outcome="failed")
    assert item.summary == f"Service {service.pk}: {service} has nothing at the vendor."
    assert item.run.task == "unsuspensions"


def test_a_service_staff_brought_back_is_not_suspended_for_the_same_invoice_again(service):
    make_overdue(service)
    live(6)
    change_service.unsuspend(service.pk, request_key="s", at=utc(2026, 5, 6, 9), actor=None)
    live(6, 10)
    assert state(service) == "active"

    live(7)
    assert state(service) == "active"

    make_overdue(service, due=date(2026, 5, 3))
    live(8)
    assert state(service) == "suspended"


def test_an_override_holds_until_its_day(service):
    make_overdue(service)
    Service.objects.update(never_suspend_until=date(2026, 5, 20))

    live(6)
    live(19)
    assert state(service) == "active"
    live(20)

    assert state(service) == "suspended"


def test_exempt_clients_and_one_time_products_are_left_alone(service):
    make_overdue(service)
    Client.objects.update(exempt_from_dunning=True)
    once = make_service(cycle=Cycle.ONE_TIME)
    make_overdue(once)

    live(6)

    assert [state(service), state(once)] == ["active", "active"]


def test_a_vendor_without_suspend_makes_it_commercial_and_says_so(vendor):
    service = make_service(product=make_product(module_key="plain"))
    make_placement(service, remote_id=FakeModule.vendor.add("box").remote_id)
    invoice = make_overdue(service)

    live(6)

    assert (state(service), vendor.calls) == ("suspended", [])
    [item] = TaskItem.objects.filter(run__task="suspensions")
    assert item.summary == (
        f"{service} of Acme Ltd suspended commercially, it keeps running: "
        f"invoice {invoice.number} has been due since 2026-05-01"
    )

    pay(invoice, 7)

    assert state(service) == "active"
    assert mailed() == ["service_suspended", "payment_received", "service_unsuspended"]


def test_a_missed_day_suspends_on_the_next_run_with_its_own_date(service):
    make_overdue(service)
    live(4)

    live(9)

    assert state(service) == "suspended"
    [run] = TaskRun.objects.filter(task="suspensions", done_count=1)
    assert run.business_day == date(2026, 5, 6)


def test_suspending_takes_no_more_queries_for_a_service_among_many(
    service, django_assert_max_num_queries
):
    for _ in range(20):
        make_overdue(make_service(), due=date(2026, 5, 3))
    make_overdue(service)
    daily.tick(utc(2026, 5, 5, 4))

    with django_assert_max_num_queries(125):
        daily.tick(utc(2026, 5, 6, 4))
    assert Service.objects.get(pk=service.pk).status == ServiceStatus.ACTIVE  # its job waits
    assert Job.objects.count() == 1


def test_a_payment_that_lifts_nothing_asks_two_questions_more(service, django_assert_num_queries):
    invoice = make_overdue(service, also=[make_service(service.client) for _ in range(5)])

    with django_assert_num_queries(2):
        overdue_services.lift_after_payment(invoice, at=utc(2026, 5, 2))


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_payment_and_a_suspension_at_once_end_with_the_service_running(service):
    """Whichever takes the invoice first: the other sees what it did."""
    for attempt in range(5):
        invoice = make_overdue(service, due=date(2026, 5, 1 + attempt))
        start = Barrier(2)

        def both(act: Callable[[], object], start: Barrier = start) -> Thread:
            def run() -> None:
                start.wait()
                act()
                connection.close()

            thread = Thread(target=run)
            thread.start()
            return thread

        at = utc(2026, 5, 6 + attempt, 12)
        threads = [
            both(lambda at=at: daily.tick(at)),
            both(lambda invoice=invoice, at=at: _book(invoice, at)),
        ]
        for thread in threads:
            thread.join()
        for _ in range(2):
            for job_id in runner.due_jobs(at=at):
                runner.run(job_id, at=at)
            daily.tick(at)
        for job_id in runner.due_jobs(at=at):
            runner.run(job_id, at=at)

        assert state(service) == "active"


def _book(invoice: Invoice, at: datetime) -> None:
    record_payment(
        invoice_id=invoice.pk,
        gateway="bank_transfer",
        external_id=f"race-{invoice.pk}",
        amount=Decimal("30.00"),
        currency="EUR",
        received_at=at,
        at=at,
    )
