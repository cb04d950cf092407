"""Automation: what each task did on each of the last days, down to the item, and doing it now."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from billing_portal.audit import actions as audit
from billing_portal.automation import queries
from billing_portal.automation.actions import Deed
from billing_portal.automation.models import Task, TaskItem, TaskRun
from billing_portal.calc.periods import local_date
from billing_portal.clock.reading import now
from billing_portal.staff.page import Crumb, member, show, staff_page
from billing_portal.workflows import daily, tasks

DAYS = 30
PER_PAGE = 100
SILENT_AFTER = timedelta(hours=2)
"""Automation looks for work every five minutes; after this long something is wrong."""


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """One business day: its runs in the order of `Task`, None where there was none."""

    day: date
    runs: list[tuple[str, TaskRun | None]]


def crumbs() -> tuple[Crumb, ...]:
    return (Crumb("Automation", reverse("staff:automation")),)


@staff_page("automation.view_taskrun")
def page(request: HttpRequest) -> HttpResponse:
    """The last thirty days, the newest first."""
    at = now()
    rules = queries.rules()
    context = {
        "at": at,
        "rules": rules,
        "tasks": [task.label for task in Task],
        "calendar": _calendar(local_date(at, settings.SELLER_TIMEZONE)),
        "is_silent": rules.ticked_at is None or at - rules.ticked_at > SILENT_AFTER,
        "zone": settings.SELLER_TIMEZONE,
    }
    return show(request, "staff/automation.html", title="Automation", context=context)


@staff_page("automation.view_taskrun")
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """One run, with everything it did."""
    found = get_object_or_404(TaskRun, pk=pk)
    items = found.items.select_related("invoice__client", "service__client", "service__product")
    context = {
        "run": found,
        "page": Paginator(items.order_by("pk"), PER_PAGE).get_page(request.GET.get("page")),
    }
    return show(request, "staff/task_run.html", title=str(found), crumbs=crumbs(), context=context)


@staff_page("automation.change_taskrun")
def run_now(request: HttpRequest) -> HttpResponse:
    """What today's work would do now; then, once confirmed, have it done."""
    at = now()
    today = local_date(at, settings.SELLER_TIMEZONE)
    if request.method == "POST":
        return _queue(request, today, at)
    rehearsed = daily.rehearse(today, at)
    context = {
        "today": today,
        "parts": [(task.label, _shown(deeds), len(deeds)) for task, deeds in rehearsed.items()],
        "is_anything": any(rehearsed.values()),
    }
    return show(
        request, "staff/run_automation.html", title="Run now", crumbs=crumbs(), context=context
    )


def _queue(request: HttpRequest, today: date, at: datetime) -> HttpResponse:
    audit.record(
        "automation.run_requested",
        queries.rules(),
        summary=f"The daily work of {today} requested now",
        at=at,
        actor=member(request),
    )
    tasks.run_today.delay()
    messages.success(request, "Today's work was queued. This page shows it in a moment.")
    return redirect("staff:automation")


def _calendar(today: date) -> list[CalendarDay]:
    first = today - timedelta(days=DAYS - 1)
    runs = {(run.business_day, run.task): run for run in queries.runs_between(first, today)}
    days = [today - timedelta(days=number) for number in range(DAYS)]
    return [
        CalendarDay(day, [(task.label, runs.get((day, task))) for task in Task]) for day in days
    ]


def _shown(deeds: list[Deed]) -> list[tuple[str, str, str]]:
    """State, word and sentence of each, no more than fit on a page."""
    return [
        (deed.outcome, TaskItem.Outcome(deed.outcome).label, deed.summary)
        for deed in deeds[:PER_PAGE]
    ]
