"""`manage.py run_automation`: the day's work, now and line by line."""

from argparse import ArgumentParser
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_date

from billing_portal.automation.models import Task, TaskItem, TaskRun
from billing_portal.calc.periods import local_date
from billing_portal.clock.reading import now
from billing_portal.workflows import daily


class Command(BaseCommand):
    help = (
        "Remind, suspend and the rest of a day's work, after that of days missed. What was done"
        " is not done again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--date", metavar="YYYY-MM-DD", help="The business day; default today.")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="Print what would happen on that day, which may lie ahead, if nobody paid.",
        )

    def handle(self, *, date: str | None, dry_run: bool, **_: Any) -> None:
        at = now()
        today = local_date(at, settings.SELLER_TIMEZONE)
        day = _day(date) if date else today
        if dry_run:
            self._rehearse(day, at)
        elif day > today:
            raise CommandError(f"{day} has not come yet: only --dry-run can look ahead.")
        else:
            self._run(day, at)

    def _rehearse(self, day: date, at: datetime) -> None:
        failed = 0
        for task, deeds in daily.rehearse(day, at).items():
            self.stdout.write(f"{day}  {task.label}: {len(deeds)}")
            for deed in deeds:
                self._line(TaskItem.Outcome(deed.outcome), deed.summary)
                failed += deed.outcome == TaskItem.Outcome.FAILED
        self.stdout.write("Nothing was changed.")
        if failed:
            raise CommandError(f"{failed} of these would fail.")

    def _run(self, day: date, at: datetime) -> None:
        runs = daily.run_day(day, at)
        for run in runs:
            items = list(run.items.filter(at=at))
            self.stdout.write(f"{run.business_day}  {Task(run.task).label}: {len(items)}")
            for item in items:
                self._line(TaskItem.Outcome(item.outcome), item.summary)
        unfinished = TaskRun.objects.filter(business_day=day, state__in=TaskRun.UNFINISHED)
        if unfinished.exists():
            raise CommandError("Another worker is busy with it; see Automation in the dashboard.")
        if failed := [run for run in runs if run.state == TaskRun.State.FAILED]:
            reasons = "\n".join(f"{run}: {run.error or 'see above'}" for run in failed)
            raise CommandError(f"{len(failed)} task(s) did not go well:\n{reasons}")

    def _line(self, outcome: TaskItem.Outcome, summary: str) -> None:
        mark = "" if outcome == TaskItem.Outcome.DONE else f"{outcome.label.lower()}: "
        self.stdout.write(f"    {mark}{summary}")


def _day(text: str) -> date:
    try:
        day = parse_date(text)
    except ValueError as error:
        raise CommandError(f"--date {text}: {error}") from error
    if day is None:
        raise CommandError(f"--date {text}: not a day such as 2026-12-01.")
    return day
