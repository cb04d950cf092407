"""The daily work: twice, by four workers at once, and after three days without a portal."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import transaction

from billing_portal.audit.models import Entry
from billing_portal.automation.models import AutomationSettings, Reminder, TaskItem, TaskRun
from billing_portal.invoices.models import (
    BillingSettings,
    Charge,
    Invoice,
    InvoiceLine,
    NumberSeries,
    UsageWindow,
)
from billing_portal.mail.models import ClientMail
from billing_portal.services.models import Service
from billing_portal.workflows import bill_run, daily
from provisioning.models import Job
from tests import fakes
from tests.automation.rows import make_overdue
from tests.factories import make_client, make_placement, make_product, make_service, utc
from tests.threads import at_once, failures
from tests.workflows.billing import make_metered

DAY = timedelta(days=1)
SIXTH = utc(2026, 5, 6, 5)


@pytest.fixture
def vendor(settings: Any) -> Iterator[fakes.FakeVendor]:
    with fakes.installed(settings) as vendor:
        yield vendor


def rented(name: str, **fields: Any) -> Service:
    """A running service without a module, billed until 1 June unless told otherwise."""
    values = {"anchor_date": date(2026, 4, 1), "billed_until": date(2026, 6, 1)}
    return make_service(
        make_client(company_name=name),
        product=make_product(module_key=""),
        recurring="30.00",
        label=name,
        **values | fields,
    )


def a_days_worth(vendor: fakes.FakeVendor) -> None:
    """Something to do for each kind of work on 6 May: bill, remind, suspend, complete."""
    BillingSettings.objects.create(pk=1, lead_days=0)
    # Without late fees, which a bill run after the daily work would rightly invoice.
    AutomationSettings.objects.create(pk=1)
    for number in range(8):
        make_metered(
            vendor,
            make_client(company_name=f"Metered {number}"),
            anchor=date(2026, 4, 6),
            billed_until=date(2026, 5, 6),
        )
    for number in range(4):
        rented(f"Renewed {number}", anchor_date=date(2026, 3, 6), billed_until=date(2026, 5, 6))
        make_overdue(rented(f"Late {number}"), due=date(2026, 5, 1))
        make_overdue(rented(f"Later {number}"), due=date(2026, 5, 2))
    placed = rented("Trial", ends_on=date(2026, 5, 13))
    make_placement(placed)
    rented("Instalments", billed_until=date(2026, 5, 6), periods_limit=12, periods_billed=12)


def work() -> None:
    bill_run.bill_all(SIXTH)
    daily.tick(SIXTH)


def everything() -> dict[str, list[Any]]:
    """What the work left, without keys: those of a run that was taken back are not used again."""
    client = "client__company_name"
    rows: dict[str, Any] = {
        "invoices": Invoice.objects.exclude(number__startswith="T-").values_list(
            "number", client, "status", "issue_date", "due_date", "total"
        ),
        "lines": InvoiceLine.objects.values_list(
            "invoice__client__company_name", "kind", "description", "period_start", "amount"
        ),
        "charges": Charge.objects.values_list(client, "kind", "amount", "line__invoice__number"),
        "windows": UsageWindow.objects.values_list("service__client__company_name", "starts_at"),
        "services": Service.objects.values_list(
            client, "status", "suspension_cause", "billed_until", "periods_billed"
        ),
        "numbers": NumberSeries.objects.values_list("prefix", "year", "next_number"),
        "mails": ClientMail.objects.values_list("template", "client_ref"),
        "reminders": Reminder.objects.values_list("invoice__number", "step", "mailed"),
        "runs": TaskRun.objects.values_list("task", "business_day", "state", "done_count"),
        "items": TaskItem.objects.values_list("run__task", "outcome", "service__label"),
        "jobs": Job.objects.values_list("service__client__company_name", "kind"),
        "history": Entry.objects.values_list("action", "client_ref", "actor_name"),
    }
    return {name: sorted(found.order_by(), key=repr) for name, found in rows.items()}


def once(do: Callable[[], None]) -> dict[str, list[Any]]:
    """What is left by doing it, which is then taken back."""
    with transaction.atomic():
        do()
        left = everything()
        transaction.set_rollback(True)
    return left


@pytest.mark.django_db
def test_the_daily_job_twice_leaves_what_once_leaves(vendor):
    a_days_worth(vendor)
    work()
    before = everything()

    work()
    daily.run_day(SIXTH.date(), SIXTH + timedelta(hours=4))

    assert everything() == before
    assert len(before["invoices"]) == 12
    assert [status for _, status, *_ in before["services"]].count("suspended") == 4
    assert [status for _, status, *_ in before["services"]].count("completed") == 1


@pytest.mark.django_db(transaction=True)
def test_four_workers_at_once_leave_what_one_leaves(vendor):
    a_days_worth(vendor)
    alone = once(work)

    assert failures(at_once(*[work] * 4)) == []

    together = everything()
    assert together == alone
    assert len(together["invoices"]) == 12
    assert {state for _, _, state, _ in together["runs"]} == {"done", "off"}


@pytest.mark.django_db
def test_three_days_without_a_portal_leave_what_each_day_would_have(vendor):
    """Only the days on which it was done differ: nothing is dated back."""

    def live(without: tuple[int, ...]) -> None:
        for day in range(1, 29):
            if day not in without:
                at = utc(2026, 2, day, 5)
                bill_run.bill_all(at)
                daily.tick(at)

    BillingSettings.objects.create(
        pk=1, lead_days=14, due_policy=BillingSettings.DuePolicy.PERIOD_START
    )
    rented("Acme", anchor_date=date(2026, 1, 31), billed_until=date(2026, 2, 28))
    make_overdue(rented("Late", billed_until=date(2026, 6, 1)), due=date(2026, 2, 13))
    dated = ("issue_date", "client__company_name", "due_date", "total")

    def told() -> list[Any]:
        steps = Reminder.objects.order_by("invoice__client", "step")
        return [
            sorted(Invoice.objects.values_list(*dated[1:])),
            list(InvoiceLine.objects.order_by("pk").values_list("period_start", "period_end")),
            list(steps.values_list("invoice__client__company_name", "step", "business_day")),
            sorted(Service.objects.values_list("label", "status", "billed_until")),
            list(TaskRun.objects.order_by("pk").values_list("task", "business_day", "state")),
        ]

    with transaction.atomic():
        live(())
        each_day = told()
        assert list(Invoice.objects.order_by("pk").values_list("issue_date", flat=True))[1:] == [
            date(2026, 2, 14)
        ]
        transaction.set_rollback(True)

    live((14, 15, 16))

    assert told() == each_day
    assert list(Invoice.objects.order_by("pk").values_list("issue_date", flat=True))[1:] == [
        date(2026, 2, 17)
    ]
    # The first overdue reminder, of the 14th, was overtaken by the second, of the 17th.
    mails = ClientMail.objects.filter(template__startswith="reminder").order_by("at", "pk")
    assert [(f"{mail.at:%m-%d}", mail.template) for mail in mails] == [
        ("02-10", "reminder_before_due"),
        ("02-17", "reminder_overdue_second"),
        ("02-23", "reminder_overdue_third"),
        ("02-25", "reminder_before_due"),
    ]
