"""Opening, claiming and closing runs, and noting what they did.

    waiting --claim--> running --finish--> done, or failed if something in it failed
       ^                  |
       +--- repeat -------+--lease over: another worker goes on with it

The first unfinished run, in order of day and position, is the only one that can be
claimed: while a worker is busy with it, nobody works ahead.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import uuid4

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Coalesce

from billing_portal.automation.models import AutomationSettings, Task, TaskItem, TaskRun

LEASE = timedelta(minutes=10)
"""How long a run may be silent before another worker goes on with it."""
HOLD_EVERY_S = 60

State, Outcome = TaskRun.State, TaskItem.Outcome


class LeaseLost(Exception):
    """Another worker has taken the run over, so this one must stop."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done to one invoice or service, or why it was left alone, in a sentence."""

    summary: str
    outcome: TaskItem.Outcome = Outcome.DONE
    invoice_id: int | None = None
    service_id: int | None = None


@dataclass(slots=True)
class Claim:
    """A run this worker holds, since a moment of its own clock."""

    run: TaskRun
    token: str
    held_s: float


def note_tick(*, at: datetime) -> None:
    """Remember that automation is alive."""
    if not AutomationSettings.objects.filter(pk=1).update(ticked_at=at):
        AutomationSettings.objects.get_or_create(pk=1, defaults={"ticked_at": at})


def open_days(days: Iterable[date], rules: AutomationSettings) -> None:
    """A run per task for each day; a run that is already there stays as it is.

    What is switched off on its day is off for good: switching it on later catches up nothing.
    """
    TaskRun.objects.bulk_create(
        (
            TaskRun(
                task=task,
                business_day=day,
                position=position,
                state=State.WAITING if rules.wants(task) else State.OFF,
            )
            for day in days
            for position, task in enumerate(Task)
        ),
        ignore_conflicts=True,
    )


def repeat_day(day: date, rules: AutomationSettings) -> None:
    """Let the tasks of a day that were done, failed or off be done again."""
    wanted = [task for task in Task if rules.wants(task)]
    again = TaskRun.objects.filter(business_day=day, task__in=wanted)
    again.exclude(state__in=TaskRun.UNFINISHED).update(state=State.WAITING)


def claim_next(*, at: datetime) -> Claim | None:
    """Take the first unfinished run; None if there is none or another worker has it."""
    first = (
        TaskRun.objects.filter(state__in=TaskRun.UNFINISHED)
        .order_by("business_day", "position")
        .first()
    )
    if first is None:
        return None
    token = str(uuid4())
    free = Q(state=State.WAITING) | Q(state=State.RUNNING, lease_until__lt=at)
    with transaction.atomic():
        if not TaskRun.objects.filter(free, pk=first.pk).update(
            state=State.RUNNING,
            lease_until=at + LEASE,
            lease_token=token,
            started_at=Coalesce("started_at", at),
            finished_at=None,
            error="",
        ):
            return None
        # What failed before is tried again now.
        first.items.filter(outcome=Outcome.FAILED).delete()
    return Claim(first, token, time.monotonic())


def hold(claim: Claim) -> None:
    """Lengthen the lease now and then.  Raises LeaseLost if it no longer is ours."""
    passed_s = time.monotonic() - claim.held_s
    if passed_s < HOLD_EVERY_S:
        return
    lease_until = TaskRun.objects.values_list("lease_until", flat=True).get(pk=claim.run.pk)
    if lease_until is None or not _mine(claim).update(
        lease_until=lease_until + timedelta(seconds=passed_s)
    ):
        raise LeaseLost
    claim.held_s = time.monotonic()


def note(run: TaskRun, deed: Deed, *, at: datetime) -> TaskItem:
    """Add one line to what a run did, in the caller's transaction."""
    return TaskItem.objects.create(
        run=run,
        outcome=deed.outcome,
        summary=deed.summary[:300],
        invoice_id=deed.invoice_id,
        service_id=deed.service_id,
        at=at,
    )


def finish(claim: Claim, *, at: datetime, error: str = "") -> TaskRun:
    """Close a run with its counts.  Raises LeaseLost if it is another worker's by now."""
    by_outcome = {
        f"{outcome}_count": Count("pk", filter=Q(outcome=outcome)) for outcome in Outcome.values
    }
    counts = claim.run.items.order_by().aggregate(**by_outcome)
    failed = bool(error or counts["failed_count"])
    if not _mine(claim).update(
        state=State.FAILED if failed else State.DONE,
        error=error,
        finished_at=at,
        lease_until=None,
        lease_token="",
        **counts,
    ):
        raise LeaseLost
    claim.run.refresh_from_db()
    return claim.run


def _mine(claim: Claim) -> QuerySet[TaskRun]:
    return TaskRun.objects.filter(pk=claim.run.pk, state=State.RUNNING, lease_token=claim.token)
