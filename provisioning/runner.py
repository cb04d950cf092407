"""Carrying out jobs: claim, call, record.

    queued --claim--> running --answered--> done
       ^                 |  +--refused----> failed   (a person acts: retry or resolve)
       |                 |
       +--unavailable----+--lease over: another worker claims it

The call happens between two short transactions, never inside one.  A worker that dies in
between leaves a lease that runs out; the call is then made again, which every module
allows.  Whoever comes back after its lease was taken finds another token on the row and
records nothing.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q

from billing_portal.errors import PortalError
from provisioning import outcomes, registry
from provisioning.contract import (
    CredentialsRejected,
    ProductModule,
    RemoteState,
    RemoteUnavailable,
    ServiceRef,
)
from provisioning.models import Job, Placement, Server

logger = logging.getLogger(__name__)

BACK_OFF_S = (15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 3600, 3600, 7200, 7200, 14400)
"""Waits after the first, second ... failed attempt: some 13 hours before a person is asked."""
SERVER_PAUSE_S = 30
"""How long other jobs leave a server alone after it did not answer."""
MAX_ERROR = 1000


def run(job_id: int, *, at: datetime) -> None:
    """Try one job once.  Does nothing if it is not due, already held, or not its turn."""
    token = _claim(job_id, at=at)
    if token is None:
        return
    job = Job.objects.select_related(
        "service__product", "service__client", "service__placement__server"
    ).get(pk=job_id)
    placement: Placement = job.service.placement
    try:
        module = registry.connect(placement.server, job_id=job.pk, service_id=job.service_id)
        state = _call(module, job, placement)
    except RemoteUnavailable as error:
        _retry_later(job, token, error, at=at)
    except CredentialsRejected as error:
        _pause(placement.server, str(error), at=at, seconds=BACK_OFF_S[-1])
        _fail(job, token, str(error), at=at)
    except PortalError as error:
        _fail(job, token, str(error), at=at)
    except Exception as error:
        _fail(job, token, f"our bug: {error!r}", at=at)
        raise
    else:
        _succeed(job, token, state, at=at)


def due_jobs(*, at: datetime, limit: int = 1000) -> list[int]:
    """Ids of jobs that may be claimed now, in the order they were wished."""
    return list(_claimable(at).values_list("pk", flat=True).order_by("due_at", "pk")[:limit])


def _claimable(at: datetime) -> Any:
    """Due, not held, first of its service, and its server not paused."""
    earlier = Job.objects.filter(
        service_id=OuterRef("service_id"), pk__lt=OuterRef("pk"), status__in=Job.OPEN
    )
    waiting = Q(status=Job.Status.QUEUED, due_at__lte=at)
    abandoned = Q(status=Job.Status.RUNNING, lease_until__lt=at)
    paused = Placement.objects.filter(
        service_id=OuterRef("service_id"), server__paused_until__gt=at
    )
    return Job.objects.filter(waiting | abandoned).filter(~Exists(earlier), ~Exists(paused))


def _claim(job_id: int, *, at: datetime) -> str | None:
    """Take the job with a lease; one conditional UPDATE decides among all workers."""
    token = str(uuid4())
    try:
        with transaction.atomic():
            taken = (
                _claimable(at)
                .filter(pk=job_id)
                .update(
                    status=Job.Status.RUNNING,
                    lease_until=at + timedelta(seconds=settings.JOB_LEASE_S),
                    lease_token=token,
                    attempts=F("attempts") + 1,
                    started_at=at,
                )
            )
    except IntegrityError:
        # Another job of the same service started in this very moment.
        return None
    return token if taken else None


def _call(module: ProductModule, job: Job, placement: Placement) -> RemoteState | None:
    service, remote_id = job.service, placement.remote_id
    if job.kind == Job.Kind.CREATE:
        ref = ServiceRef(service.pk, service.client_id, service.label)
        return module.create(ref, job.spec)
    calls = {
        Job.Kind.RESIZE: lambda: module.resize(remote_id, job.spec),
        Job.Kind.SUSPEND: lambda: module.suspend(remote_id),
        Job.Kind.UNSUSPEND: lambda: module.unsuspend(remote_id),
        Job.Kind.CHANGE_PASSWORD: lambda: module.change_password(remote_id),
        Job.Kind.TERMINATE: lambda: module.terminate(remote_id),
        Job.Kind.REFRESH: lambda: module.describe(remote_id),
    }
    return calls[Job.Kind(job.kind)]()


def _succeed(job: Job, token: str, state: RemoteState | None, *, at: datetime) -> None:
    with transaction.atomic():
        if _close(job, token, {"status": Job.Status.DONE, "finished_at": at, "last_error": ""}):
            Server.objects.filter(pk=job.service.placement.server_id).update(
                paused_until=None, pause_reason=""
            )
            outcomes.apply(job, state, at=at)


def _fail(job: Job, token: str, error: str, *, at: datetime) -> None:
    with transaction.atomic():
        fields = {"status": Job.Status.FAILED, "finished_at": at, "last_error": error[:MAX_ERROR]}
        if _close(job, token, fields):
            outcomes.failed(job, error, at=at)


def _retry_later(job: Job, token: str, error: RemoteUnavailable, *, at: datetime) -> None:
    if job.attempts > len(BACK_OFF_S):
        _fail(job, token, f"gave up after {job.attempts} attempts: {error}", at=at)
        return
    wait_s = max(BACK_OFF_S[job.attempts - 1], error.retry_after_s or 0)
    logger.warning("%s waits %s s: %s", job, wait_s, error)
    with transaction.atomic():
        fields = {
            "status": Job.Status.QUEUED,
            "due_at": at + timedelta(seconds=wait_s),
            "last_error": str(error)[:MAX_ERROR],
        }
        if _close(job, token, fields):
            pause_s = error.retry_after_s or SERVER_PAUSE_S
            _pause(job.service.placement.server, str(error), at=at, seconds=min(pause_s, wait_s))


def _close(job: Job, token: str, fields: Mapping[str, Any]) -> bool:
    """Write the result, unless the lease was taken over meanwhile."""
    mine = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING, lease_token=token)
    closed = mine.update(lease_until=None, lease_token="", **fields)
    if not closed:
        logger.warning("%s outlived its lease", job)
    return bool(closed)


def _pause(server: Server, reason: str, *, at: datetime, seconds: int) -> None:
    Server.objects.filter(pk=server.pk).update(
        paused_until=at + timedelta(seconds=seconds), pause_reason=reason[:300]
    )
