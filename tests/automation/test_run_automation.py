"""`manage.py run_automation`: line by line, with an exit code that tells."""

from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command

from billing_portal.automation import actions as runs
from billing_portal.automation import queries
from billing_portal.automation.models import TaskRun
from tests.automation.rows import mailed, make_overdue
from tests.factories import make_client, make_placement, make_service, utc

pytestmark = pytest.mark.django_db


def run(*arguments: str, at: tuple[int, ...] = (2026, 5, 2, 9)) -> list[str]:
    out = StringIO()
    with time_machine.travel(utc(*at), tick=False):
        call_command("run_automation", *arguments, stdout=out)
    return out.getvalue().splitlines()


def worth_reading(lines):
    """The lines without those of tasks that had nothing to do."""
    return [line for line in lines if not line.endswith(": 0")]


def test_the_days_work_is_done_and_printed_line_by_line():
    invoice = make_overdue(make_service(make_client(company_name="Acme")))

    lines = run()

    assert worth_reading(lines) == [
        "2026-05-02  Reminders: 1",
        f"    First overdue reminder of {invoice} to Acme",
    ]
    assert mailed() == ["reminder_overdue_first"]


def test_a_second_time_there_is_nothing_to_do():
    make_overdue()
    run()

    lines = run(at=(2026, 5, 2, 10))
    assert "2026-05-02  Reminders: 0" in lines
    assert worth_reading(lines) == []


def test_a_dry_run_looks_ahead_and_changes_nothing():
    service = make_service(make_client(company_name="Acme"))
    make_placement(service)
    invoice = make_overdue(service)

    lines = run("--date", "2026-05-06", "--dry-run")

    assert worth_reading(lines) == [
        "2026-05-06  Reminders: 1",
        f"    Second overdue reminder of {invoice} to Acme",
        "2026-05-06  Suspensions: 1",
        f"    {service} of Acme suspended: invoice {invoice} has been due since 2026-05-01",
        "Nothing was changed.",
    ]
    assert (mailed(), TaskRun.objects.count(), service.jobs.count()) == ([], 0, 0)


def test_what_would_fail_makes_a_dry_run_fail():
    make_overdue(make_service())  # active, but nothing stands at the vendor

    with pytest.raises(CommandError, match=r"1 of these would fail\."):
        run("--date", "2026-05-06", "--dry-run")


def test_what_failed_makes_the_command_fail():
    make_overdue(make_service())

    with pytest.raises(CommandError, match=r"1 task\(s\) did not go well:\nSuspensions of 2026"):
        run(at=(2026, 5, 6, 9))


def test_a_day_to_come_is_refused():
    with pytest.raises(CommandError, match="2026-05-03 has not come yet"):
        run("--date", "2026-05-03")

    assert TaskRun.objects.count() == 0


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30"])
def test_what_is_no_day_is_refused(text):
    with pytest.raises(CommandError, match=f"--date {text}: "):
        run("--date", text)


def test_a_busy_worker_is_not_disturbed():
    at = utc(2026, 5, 2, 8, 59)
    runs.open_days([at.date()], queries.rules())
    runs.claim_next(at=at)

    with pytest.raises(CommandError, match="Another worker is busy"):
        run()
