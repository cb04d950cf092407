"""The job queue: what waits, what runs, what failed, and what staff do about it."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.staff.forms import ReasonForm
from billing_portal.staff.page import Crumb, member, show, staff_page
from provisioning import actions, queries
from provisioning.models import Job

SHOWN = 50


@staff_page("provisioning.view_job")
def queue(request: HttpRequest) -> HttpResponse:
    context = {**_queue(), "reason_form": ReasonForm()}
    return show(request, "staff/jobs.html", title="Job queue", context=context)


@staff_page("provisioning.view_job")
def live(request: HttpRequest) -> HttpResponse:
    """The part of the queue that refreshes itself."""
    return render(request, "staff/parts/queue.html", _queue())


@staff_page("provisioning.view_job")
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """One job with every exchange it had with the vendor."""
    jobs = Job.objects.select_related("service__client", "service__product")
    job = get_object_or_404(jobs, pk=pk)
    context = {
        "job": job,
        "at": now(),
        "log": job.log.select_related("server").order_by("-at", "-pk")[:SHOWN],
        "reason_form": ReasonForm(),
    }
    title = f"{job.get_kind_display()} #{job.pk}"
    crumbs = (Crumb("Job queue", reverse("staff:jobs")),)
    return show(request, "staff/job.html", title=title, crumbs=crumbs, context=context)


@staff_page("provisioning.change_job")
def retry(request: HttpRequest) -> HttpResponse:
    """Queue the chosen failed jobs again."""
    if request.method == "POST":

        def again(job: Job) -> None:
            actions.retry(job.pk, at=now(), actor=member(request))

        _each_chosen(request, again, "queued again; it runs within a minute")
    return _back(request)


@staff_page("provisioning.change_job")
def resolve(request: HttpRequest) -> HttpResponse:
    """Close the chosen failed jobs, because a person saw to them."""
    if request.method == "POST":
        form = ReasonForm(request.POST)
        if not form.is_valid():
            messages.error(request, "Say in a few words why the job needs no retry.")
            return _back(request)

        def close(job: Job) -> None:
            reason = form.cleaned_data["reason"]
            actions.resolve(job.pk, at=now(), actor=member(request), reason=reason)

        _each_chosen(request, close, "marked as resolved")
    return _back(request)


def _queue() -> dict[str, Any]:
    at = now()
    waiting = list(queries.open_jobs()[:SHOWN])
    return {
        "at": at,
        "running": [job for job in waiting if job.status == Job.Status.RUNNING],
        "waiting": [job for job in waiting if job.status == Job.Status.QUEUED],
        "failed": queries.failed_jobs().order_by("pk")[:SHOWN],
        "paused": queries.paused_servers(at),
        "shown": SHOWN,
    }


def _each_chosen(request: HttpRequest, act: Callable[[Job], None], done: str) -> None:
    """Act on every chosen job that is still failed; one that refuses stops no other."""
    count = 0
    for job in queries.failed_jobs(_chosen(request)).order_by("pk"):
        try:
            act(job)
        except PortalError as error:
            messages.error(request, str(error))
        else:
            count += 1
    if count:
        messages.success(request, f"{count} job{'s' if count > 1 else ''} {done}.")
    else:
        messages.info(request, "None of the chosen jobs is still failed.")


def _chosen(request: HttpRequest) -> list[int]:
    return [int(text) for text in request.POST.getlist("job") if text.isascii() and text.isdigit()]


def _back(request: HttpRequest) -> HttpResponse:
    """To the page of ours the form was on."""
    then = request.POST.get("then", "")
    if url_has_allowed_host_and_scheme(then, allowed_hosts=None):
        return redirect(then)
    return redirect("staff:jobs")
