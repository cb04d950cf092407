"""The daily digest: one mail to each member of staff who runs automation."""

from collections.abc import Iterable

from django.db.models import Q

from billing_portal.accounts.models import User
from billing_portal.automation.actions import Deed
from billing_portal.automation.models import Task, TaskItem, TaskRun
from billing_portal.automation.queries import BusinessDay, runs_between
from billing_portal.mail import actions as mail

MOST_FAILURES = 20
"""A mail names so many; the page has them all."""


def staff_to_tell(on: BusinessDay) -> list[int]:
    """Ids of the staff who get the digest; nobody on a day on which nothing was done."""
    if not any(run.done_count or run.state == TaskRun.State.FAILED for run in _runs(on)):
        return []
    staff = User.objects.filter(is_active=True, is_staff=True).filter(
        Q(is_superuser=True)
        | Q(groups__permissions__codename="change_taskrun")
        | Q(user_permissions__codename="change_taskrun")
    )
    return list(staff.order_by("pk").values_list("pk", flat=True).distinct())


def tell(user_id: int, on: BusinessDay) -> Deed | None:
    """Mail one of them, once a day however often the day's work is repeated."""
    user = User.objects.get(pk=user_id)
    runs = _runs(on)
    failed = sum(run.failed_count or bool(run.error) for run in runs)
    done = [f"{run.done_count} {run.get_task_display().lower()}" for run in runs if run.done_count]
    mail.send(
        "daily_digest",
        to=user.email,
        key=f"{on.day}:{user.pk}",
        context={
            "day": on.day.isoformat(),
            "headline": ", ".join([*done, *([f"{failed} failed"] if failed else [])]),
            "counts": "; ".join(map(_count, runs)) + ".",
            "failures": _failures(runs),
            "path": "/staff/automation/",
        },
        at=on.at,
    )
    return Deed(f"Digest to {user.get_full_name()}")


def _runs(on: BusinessDay) -> list[TaskRun]:
    runs = runs_between(on.day, on.day).exclude(task=Task.DIGEST)
    return list(runs.exclude(state=TaskRun.State.OFF))


def _count(run: TaskRun) -> str:
    counts = [f"{run.done_count} done"]
    if run.skipped_count:
        counts.append(f"{run.skipped_count} left alone")
    if run.failed_count:
        counts.append(f"{run.failed_count} failed")
    return f"{run.get_task_display()}: {', '.join(counts)}"


def _failures(runs: Iterable[TaskRun]) -> str:
    """What failed and why, or that nothing did."""
    errors = [f"{run.get_task_display()}: {run.error}" for run in runs if run.error]
    items = TaskItem.objects.filter(run__in=runs, outcome=TaskItem.Outcome.FAILED)
    errors += items.values_list("summary", flat=True)[:MOST_FAILURES]
    return " ".join(["What failed:", *errors]) if errors else "Nothing failed."
