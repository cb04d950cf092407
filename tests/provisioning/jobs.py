"""Jobs for tests of the runner, and running them at a chosen moment."""

from datetime import datetime, timedelta

from billing_portal.services.models import Service
from provisioning import actions, runner
from provisioning.models import Job, Server
from tests.factories import AT, make_placement, make_service
from tests.fakes import FakeModule


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def make_job(
    server: Server,
    kind: Job.Kind = Job.Kind.REFRESH,
    *,
    service: Service | None = None,
    at: datetime = AT,
) -> Job:
    """A job of an active service that stands at the vendor."""
    if service is None:
        service = make_service()
        account = FakeModule.vendor.add(f"fake-service{service.pk}")
        make_placement(service, server=server, remote_id=account.remote_id)
    key = f"{kind}-{service.pk}-{Job.objects.count()}"
    if kind == Job.Kind.RESIZE:
        return actions.request_resize(service.pk, spec={"size": 6}, request_key=key, at=at)
    return actions.request(service.pk, kind=kind, request_key=key, at=at)


def run(job: Job, at: datetime = AT) -> Job:
    """Try the job once; the row as it is then."""
    runner.run(job.pk, at=at)
    return row(job)


def row(job: Job) -> Job:
    job.refresh_from_db()
    return job
