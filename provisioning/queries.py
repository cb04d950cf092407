"""Reading jobs, placements and servers."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import QuerySet

from provisioning.models import Job, Server


def failed_jobs(ids: Collection[int] | None = None) -> QuerySet[Job]:
    """Jobs that wait for a person, oldest first; only those of `ids` when given."""
    jobs = Job.objects.filter(status=Job.Status.FAILED).select_related(
        "service__client", "service__product"
    )
    return jobs if ids is None else jobs.filter(pk__in=ids)


def open_jobs() -> QuerySet[Job]:
    """Jobs that wait or run, in the order they are due."""
    return (
        Job.objects.filter(status__in=Job.OPEN)
        .select_related("service__client", "service__product", "service__placement__server")
        .order_by("due_at", "pk")
    )


def jobs_of(service_id: int) -> QuerySet[Job]:
    """A service's jobs, newest first."""
    return Job.objects.filter(service_id=service_id).order_by("-pk")


def latest_job(service_id: int) -> Job | None:
    """The newest job of a service, whatever became of it."""
    return jobs_of(service_id).first()


def open_job(service_id: int) -> Job | None:
    """The job a client is waiting for, if any."""
    return jobs_of(service_id).filter(status__in=Job.OPEN).last()


def paused_servers(at: datetime) -> QuerySet[Server]:
    """Servers whose jobs wait, with the reason on the row."""
    return Server.objects.filter(paused_until__gt=at)


def attention_counts(at: datetime) -> dict[str, int]:
    """How many things of provisioning need a person: `failed`, `retrying`, `paused_servers`."""
    return {
        "failed": Job.objects.filter(status=Job.Status.FAILED).count(),
        "retrying": Job.objects.filter(status=Job.Status.QUEUED, attempts__gt=0).count(),
        "paused_servers": paused_servers(at).count(),
    }
