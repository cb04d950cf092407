"""The tick: each business day's work once, in order, however late."""

import logging
from datetime import date, timedelta
from threading import Barrier, Thread

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from billing_portal.automation import actions as runs
from billing_portal.automation import queries
from billing_portal.automation.models import (
    AutomationSettings,
    Reminder,
    Task,
    TaskItem,
    TaskRun,
)
from billing_portal.services.models import Service
from billing_portal.workflows import daily
from tests.automation.rows import mailed, make_overdue, subjects
from tests.factories import make_client, make_placement, make_service, make_user, utc

pytestmark = pytest.mark.django_db

PER_REMINDER = 14
"""SQL statements, those of its savepoint and its mail counted."""


def states() -> list[tuple[str, str, str]]:
    return [(f"{run.business_day}", run.task, run.state) for run in TaskRun.objects.all()]


def rule(**fields: object) -> None:
    AutomationSettings.objects.update_or_create(pk=1, defaults=fields)


def test_a_new_portal_starts_with_today_once_its_hour_has_come():
    assert daily.tick(utc(2026, 5, 4, 3, 59)) == []

    daily.tick(utc(2026, 5, 4, 4))

    assert states() == [
        ("2026-05-04", "rates", "off"),
        ("2026-05-04", "tax_ids", "done"),
        ("2026-05-04", "captures", "done"),
        ("2026-05-04", "reminders", "done"),
        ("2026-05-04", "changes", "done"),
        ("2026-05-04", "cancellations", "done"),
        ("2026-05-04", "unsuspensions", "done"),
        ("2026-05-04", "suspensions", "done"),
        ("2026-05-04", "terminations", "off"),
        ("2026-05-04", "terms", "done"),
        ("2026-05-04", "addons", "done"),
        ("2026-05-04", "late_fees", "off"),
        ("2026-05-04", "orders", "off"),
        ("2026-05-04", "card_expiry", "done"),
        ("2026-05-04", "digest", "done"),
    ]


def test_a_second_tick_of_the_day_does_nothing():
    daily.tick(utc(2026, 5, 4, 4))

    assert daily.tick(utc(2026, 5, 4, 23)) == []
    assert daily.tick(utc(2026, 5, 5, 3)) == []


def test_missed_days_are_done_in_order():
    daily.tick(utc(2026, 5, 4, 4))

    finished = daily.tick(utc(2026, 5, 7, 5))

    reminders = [run for run in finished if run.task == Task.REMINDERS]
    assert [f"{run.business_day}" for run in reminders] == [
        "2026-05-05",
        "2026-05-06",
        "2026-05-07",
    ]
    assert [run.business_day for run in finished] == sorted(run.business_day for run in finished)


@pytest.mark.parametrize(
    ("zone", "at", "day"),
    [
        ("Pacific/Auckland", utc(2026, 5, 3, 16), "2026-05-04"),
        ("America/Los_Angeles", utc(2026, 5, 4, 11), "2026-05-04"),
        # The night clocks go forward in Berlin: there is no 2:30, and 4:00 is 2:00 UTC.
        ("Europe/Berlin", utc(2026, 3, 29, 2), "2026-03-29"),
    ],
)
def test_the_day_and_the_hour_are_the_sellers(settings, zone, at, day):
    settings.SELLER_TIMEZONE = zone

    assert daily.tick(at - timedelta(minutes=1)) == []
    daily.tick(at)

    assert {f"{run.business_day}" for run in TaskRun.objects.all()} == {day}


def test_what_is_switched_off_is_not_caught_up_later():
    rule(send_reminders=False, suspend_overdue=False)
    make_overdue()
    daily.tick(utc(2026, 5, 6, 4))
    rule(send_reminders=True)

    daily.tick(utc(2026, 5, 6, 5))

    assert TaskRun.objects.get(task=Task.REMINDERS).state == TaskRun.State.OFF
    assert mailed() == []


def test_one_unit_that_fails_stops_nobody_and_is_shown(monkeypatch, caplog):
    bad, good = make_overdue(), make_overdue()
    real = daily.TASKS[Task.REMINDERS]

    def act(pk, on):
        if pk == bad.pk:
            raise ZeroDivisionError("boom")
        return real.act(pk, on)

    tasks = {**daily.TASKS, Task.REMINDERS: daily.DailyTask(real.units, act, "invoice")}
    monkeypatch.setattr(daily, "TASKS", tasks)

    with caplog.at_level(logging.CRITICAL):
        daily.tick(utc(2026, 5, 2, 4))

    run = TaskRun.objects.get(task=Task.REMINDERS)
    assert (run.state, run.done_count, run.failed_count) == ("failed", 1, 1)
    [item] = run.items.filter(outcome="failed")
    assert item.invoice == bad
    assert item.summary == f"Invoice {bad.pk}: our bug: ZeroDivisionError('boom')"
    assert Reminder.objects.get().invoice == good


def test_a_task_that_breaks_down_does_not_keep_the_others_from_their_work(monkeypatch, caplog):
    def broken(on):
        raise ZeroDivisionError("no list")

    real = daily.TASKS[Task.REMINDERS]
    tasks = {**daily.TASKS, Task.REMINDERS: daily.DailyTask(broken, real.act, "invoice")}
    monkeypatch.setattr(daily, "TASKS", tasks)

    with caplog.at_level(logging.CRITICAL):
        daily.tick(utc(2026, 5, 2, 4))

    failed = [task for _, task, state in states() if state == "failed"]
    unfinished = [task for _, task, state in states() if state in TaskRun.UNFINISHED]
    assert (failed, unfinished) == (["reminders"], [])
    run = TaskRun.objects.get(task=Task.REMINDERS)
    assert run.error == "our bug: ZeroDivisionError('no list')"


def test_a_killed_worker_is_followed_by_another_once_its_lease_is_over():
    make_overdue()
    at = utc(2026, 5, 2, 4)
    runs.open_days([date(2026, 5, 2)], queries.rules())
    assert runs.claim_next(at=at) is not None  # and dies

    assert daily.tick(at + timedelta(minutes=5)) == []
    daily.tick(at + timedelta(minutes=11))

    assert TaskRun.objects.get(task=Task.REMINDERS).state == "done"
    assert mailed() == ["reminder_overdue_first"]


def test_who_lost_the_lease_writes_no_result():
    at = utc(2026, 5, 2, 4)
    runs.open_days([date(2026, 5, 2)], queries.rules())
    slow = runs.claim_next(at=at)
    runs.claim_next(at=at + timedelta(minutes=11))

    with pytest.raises(runs.LeaseLost):
        runs.finish(slow, at=at)


def test_a_task_and_day_are_one_row():
    runs.open_days([date(2026, 5, 2)], queries.rules())
    runs.open_days([date(2026, 5, 2)], queries.rules())

    assert TaskRun.objects.count() == len(Task)
    with pytest.raises(IntegrityError), transaction.atomic():
        TaskRun.objects.create(task=Task.DIGEST, business_day=date(2026, 5, 2), position=9)


def test_repeating_a_day_tries_again_what_failed_and_nothing_else(monkeypatch, caplog):
    invoice = make_overdue()
    real = daily.TASKS[Task.REMINDERS]

    def broken(pk, on):
        raise ZeroDivisionError

    tasks = {**daily.TASKS, Task.REMINDERS: daily.DailyTask(real.units, broken, "invoice")}
    with monkeypatch.context() as patched, caplog.at_level(logging.CRITICAL):
        patched.setattr(daily, "TASKS", tasks)
        daily.tick(utc(2026, 5, 2, 4))

    daily.run_day(date(2026, 5, 2), utc(2026, 5, 2, 9))
    daily.run_day(date(2026, 5, 2), utc(2026, 5, 2, 10))

    run = TaskRun.objects.get(task=Task.REMINDERS)
    assert (run.state, run.done_count, run.failed_count) == ("done", 1, 0)
    assert [item.invoice for item in run.items.all()] == [invoice]
    assert mailed() == ["reminder_overdue_first"]


def test_running_a_day_by_hand_does_the_missed_ones_first():
    daily.tick(utc(2026, 5, 2, 4))

    finished = daily.run_day(date(2026, 5, 5), utc(2026, 5, 5, 1))

    assert sorted({f"{run.business_day}" for run in finished}) == [
        "2026-05-03",
        "2026-05-04",
        "2026-05-05",
    ]


def test_a_rehearsal_says_what_would_happen_and_leaves_nothing(vendor):
    service = make_service(make_client(company_name="Acme"))
    make_placement(service)
    invoice = make_overdue(service)

    rehearsed = daily.rehearse(date(2026, 5, 6), utc(2026, 5, 2, 1))

    said = {task: [deed.summary for deed in deeds] for task, deeds in rehearsed.items() if deeds}
    assert said == {
        Task.REMINDERS: [f"Second overdue reminder of {invoice} to Acme"],
        Task.SUSPENSIONS: [
            f"{service} of Acme suspended: invoice {invoice.number} has been due since 2026-05-01"
        ],
    }
    assert (TaskItem.objects.count(), mailed(), service.jobs.count()) == (0, [], 0)


def test_what_is_not_due_costs_no_queries(django_assert_num_queries):
    daily.tick(utc(2026, 5, 2, 4))
    for _ in range(20):
        make_overdue(due=date(2026, 9, 1))

    with django_assert_num_queries(6):
        daily.tick(utc(2026, 5, 2, 4, 5))


def test_the_work_grows_with_the_invoices_due_and_not_faster():
    rule(suspend_overdue=False, second_overdue_days=0, third_overdue_days=0)

    def queries_of(day: int, count: int) -> int:
        for _ in range(count):
            make_overdue(due=date(2026, 5, day - 1))
        with CaptureQueriesContext(connection) as captured:
            daily.tick(utc(2026, 5, day, 4))
        return len(captured)

    queries_of(2, 1)  # the mail template is made once
    one, eleven = queries_of(3, 1), queries_of(4, 11)

    assert eleven - one == 10 * PER_REMINDER


def test_staff_get_one_digest_of_a_day_on_which_something_was_done():
    make_user("boss@example.org", is_staff=True, is_superuser=True)
    make_user("helper@example.org", is_staff=True)
    make_overdue()

    daily.tick(utc(2026, 5, 2, 4))
    daily.tick(utc(2026, 5, 3, 4))
    daily.run_day(date(2026, 5, 2), utc(2026, 5, 3, 9))

    assert subjects() == [
        f"Invoice {Reminder.objects.get().invoice} was due on 2026-05-01",
        "2026-05-02: 1 reminders",
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"first_overdue_days": 4, "second_overdue_days": 4},
        {"first_overdue_days": 4, "second_overdue_days": 0, "third_overdue_days": 3},
        {"terminate_overdue": True, "suspend_overdue": False},
        {"terminate_overdue": True, "terminate_after_days": 5},
        {"daily_hour": 24},
    ],
)
def test_rules_that_contradict_each_other_are_refused(fields):
    with pytest.raises(ValidationError):
        AutomationSettings(pk=1, **fields).full_clean()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_ticks_at_once_do_each_task_once(vendor):
    services = []
    for _ in range(10):
        service = make_service()
        make_placement(service)
        make_overdue(service)
        services.append(service.pk)
    start, finished = Barrier(4), []

    def work():
        start.wait()
        finished.extend(daily.tick(utc(2026, 5, 6, 4)))
        connection.close()

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(finished) == len(Task) - 4  # four are off
    assert sorted(mailed()) == ["reminder_overdue_second"] * 10
    jobs = [list(Service.objects.get(pk=pk).jobs.values_list("kind", flat=True)) for pk in services]
    assert jobs == [["suspend"]] * 10
