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
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast
from uuid import uuid4

from django.conf import settings
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from billing_portal.errors import PortalError
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from provisioning import outcomes, registry
from provisioning.contract import (
    Configurable,
    CredentialsRejected,
    ProductModule,
    RemoteState,
    RemoteUnavailable,
    ServiceRef,
)
from provisioning.masking import mask_text
from provisioning.models import Job, Placement, Server
from provisioning.states import is_overtaken

logger = logging.getLogger(__name__)

BACK_OFF_S = (15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 3600, 3600, 7200, 7200, 14400)
"""Waits after the first, second ... failed attempt: some 12 hours before a person is asked."""
MAX_WAIT_S = 24 * 3600
"""However long a vendor asks us to stay away."""
SERVER_PAUSE_S = 30
"""How long other jobs leave a server alone after it did not answer."""
LOCKED_OUT_PAUSE_S = 4 * 3600
"""How long after it refused our credentials; retrying a job ends it, see `actions.retry`."""
MAX_ERROR = 1000


class LeaseLost(Exception):
    """Another worker has taken the job over, so this one must stop."""


class Overtaken(PortalError):
    """The service ended while the job waited."""


class GaveUp(PortalError):
    """Every attempt died without a result."""


def run(job_id: int, *, at: datetime) -> None:
    """Try one job once.  Does nothing if it is not due, already held, or not its turn."""
    token = _claim(job_id, at=at)
    if token is None:
        return
    job = Job.objects.select_related(
        "service__product", "service__client", "service__placement__server"
    ).get(pk=job_id)
    try:
        _attempt(job, token, at=at)
    except LeaseLost:
        logger.warning("%s outlived its lease", job)


def _attempt(job: Job, token: str, *, at: datetime) -> None:
    try:
        state = _call(job, token, at=at)
        _succeed(job, token, state, at=at)
    except LeaseLost:
        raise
    except RemoteUnavailable as error:
        _retry_later(job, token, error, at=at)
    except CredentialsRejected as error:
        _fail(job, token, str(error), at=at, pause_s=LOCKED_OUT_PAUSE_S)
    except PortalError as error:
        _fail(job, token, str(error), at=at)
    except OperationalError:
        raise  # our database's trouble: once the lease is over the job is tried again
    except Exception as error:
        _fail(job, token, f"our bug: {error!r}", at=at)
        raise


def due_jobs(*, at: datetime, limit: int = 1000) -> list[int]:
    """Ids of jobs that may be claimed now, in the order they were wished."""
    return list(_claimable(at).values_list("pk", flat=True).order_by("due_at", "pk")[:limit])


def _claimable(at: datetime) -> QuerySet[Job]:
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


def _call(job: Job, token: str, *, at: datetime) -> RemoteState | None:
    """Ask the module for what the job wants; None where it has no answer to give."""
    if job.attempts > len(BACK_OFF_S) + 1:
        raise GaveUp(f"Gave up: {job.attempts - 1} attempts ended without a result.")
    service = job.service
    if is_overtaken(Job.Kind(job.kind), ServiceStatus(service.status)):
        raise Overtaken(f"{service} is {service.status} by now, so nothing was done.")
    module = registry.connect(
        service.placement.server,
        job_id=job.pk,
        service_id=service.pk,
        after_exchange=partial(_hold, job, token, at=at, started_s=time.monotonic()),
    )
    return _ask(module, job, service.placement.remote_id)


def _ask(module: ProductModule, job: Job, remote_id: str) -> RemoteState | None:
    service = job.service
    calls: dict[str, Callable[[], RemoteState | None]] = {
        Job.Kind.CREATE: lambda: module.create(
            ServiceRef(service.pk, service.client_id, service.label), job.spec
        ),
        Job.Kind.RESIZE: lambda: module.resize(remote_id, job.spec),
        Job.Kind.SUSPEND: lambda: module.suspend(remote_id),
        Job.Kind.UNSUSPEND: lambda: module.unsuspend(remote_id),
        Job.Kind.CHANGE_PASSWORD: lambda: module.change_password(remote_id),
        Job.Kind.TERMINATE: lambda: module.terminate(remote_id),
        Job.Kind.REFRESH: lambda: module.describe(remote_id),
        Job.Kind.CONFIGURE: lambda: cast("Configurable", module).configure(remote_id, job.spec),
    }
    return calls[job.kind]()


def _hold(job: Job, token: str, *, at: datetime, started_s: float) -> None:
    """Lengthen the lease after each exchange, so that a job of many calls stays ours.

    Raises LeaseLost, before another call is made, if it no longer is.
    """
    passed_s = time.monotonic() - started_s
    lease_until = at + timedelta(seconds=passed_s + settings.JOB_LEASE_S)
    if not _mine(job, token).update(lease_until=lease_until):
        raise LeaseLost


def _succeed(job: Job, token: str, state: RemoteState | None, *, at: datetime) -> None:
    with transaction.atomic():
        # First the service, then what the module keeps of it, as billing locks them.
        Service.objects.select_for_update(no_key=True).get(pk=job.service_id)
        _close(job, token, {"status": Job.Status.DONE, "finished_at": at, "last_error": ""})
        outcomes.apply(job, state, at=at)


def _fail(job: Job, token: str, error: str, *, at: datetime, pause_s: int = 0) -> None:
    error = mask_text(error)[:MAX_ERROR]
    with transaction.atomic():
        fields = {"status": Job.Status.FAILED, "finished_at": at, "last_error": error}
        _close(job, token, fields)
        if pause_s:
            _pause(job, error, until=at + timedelta(seconds=pause_s))
        outcomes.failed(job, error, at=at)


def _retry_later(job: Job, token: str, error: RemoteUnavailable, *, at: datetime) -> None:
    if job.attempts > len(BACK_OFF_S):
        _fail(job, token, f"gave up after {job.attempts} attempts: {error}", at=at)
        return
    asked_s = error.retry_after_s or 0
    wait_s = min(max(BACK_OFF_S[job.attempts - 1], asked_s), MAX_WAIT_S)
    reason = mask_text(str(error))[:MAX_ERROR]
    logger.warning("%s waits %s s: %s", job, wait_s, reason)
    with transaction.atomic():
        due_at = at + timedelta(seconds=wait_s)
        _close(job, token, {"status": Job.Status.QUEUED, "due_at": due_at, "last_error": reason})
        _pause(job, reason, until=at + timedelta(seconds=min(asked_s or SERVER_PAUSE_S, wait_s)))


def _close(job: Job, token: str, fields: Mapping[str, Any]) -> None:
    """Write the result.  Raises LeaseLost, so that nothing else is written, if it is not ours."""
    if not _mine(job, token).update(lease_until=None, lease_token="", **fields):
        raise LeaseLost


def _mine(job: Job, token: str) -> QuerySet[Job]:
    return Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING, lease_token=token)


def _pause(job: Job, reason: str, *, until: datetime) -> None:
    """Leave the job's server alone until then, or for longer if that was said before."""
    shorter = Q(paused_until__isnull=True) | Q(paused_until__lt=until)
    Server.objects.filter(shorter, pk=job.service.placement.server_id).update(
        paused_until=until, pause_reason=reason[:300]
    )
