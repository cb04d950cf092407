"""Wishes: every change at a vendor starts as a job row, written in the caller's transaction.

Order of locks: service, then server, then job.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.errors import PortalError
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from provisioning import registry
from provisioning.contract import Capability
from provisioning.models import Job, Placement, Server
from provisioning.tasks import run_job


class ServiceNotReady(PortalError):
    """The service is not in a state that allows the job."""


class NoServerAvailable(PortalError):
    """No enabled server of the module has room."""


class NotSupported(PortalError):
    """The vendor cannot do it."""


class JobNotFailed(PortalError):
    """Only a failed job can be retried or resolved."""


CREATABLE = (ServiceStatus.PENDING,)
CHANGEABLE = (ServiceStatus.ACTIVE,)
ALLOWED: dict[str, tuple[ServiceStatus, ...]] = {
    Job.Kind.SUSPEND: (ServiceStatus.ACTIVE,),
    Job.Kind.UNSUSPEND: (ServiceStatus.SUSPENDED,),
    Job.Kind.CHANGE_PASSWORD: (ServiceStatus.ACTIVE,),
    Job.Kind.TERMINATE: (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED),
    Job.Kind.REFRESH: (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED),
}
NEEDS: dict[str, Capability] = {
    Job.Kind.SUSPEND: Capability.SUSPEND,
    Job.Kind.UNSUSPEND: Capability.SUSPEND,
    Job.Kind.CHANGE_PASSWORD: Capability.CHANGE_PASSWORD,
}


def request_create(
    service_id: int, *, request_key: str, at: datetime, requested_by: str = ""
) -> Job:
    """Record that a pending service should exist, choose its server, and queue the work.

    `request_key` names the wish: the same key returns the same job.
    Raises ServiceNotReady unless the service is pending, NoServerAvailable if it has no
    place to go.
    """
    with transaction.atomic():
        service = _lock(service_id)
        if job := _existing(request_key):
            return job
        if service.status not in CREATABLE:
            raise ServiceNotReady(f"{service} is {service.status}; only a pending one is created.")
        if not Placement.objects.filter(service=service).exists():
            server = _take_room(service.product.module_key)
            Placement.objects.create(service=service, server=server)
        return _queue(service, Job.Kind.CREATE, service.spec, request_key, at, requested_by)


def request_resize(
    service_id: int,
    *,
    spec: Mapping[str, Any],
    request_key: str,
    at: datetime,
    requested_by: str = "",
) -> Job:
    """Record that a service should become `spec` and queue the work.

    The same `request_key` returns the same job.  Raises ServiceNotReady unless the
    service is active, RemoteRejected if product or vendor forbid `spec`.
    """
    with transaction.atomic():
        service = _lock(service_id)
        if job := _existing(request_key):
            return job
        if service.status not in CHANGEABLE:
            raise ServiceNotReady(f"{service} is {service.status}; only an active service changes.")
        module = registry.module_class(service.product.module_key)
        if Capability.RESIZE not in module.capabilities:
            raise NotSupported(f"{module.name} cannot change a service.")
        module.check_spec(service.product.module_settings, spec)
        return _queue(service, Job.Kind.RESIZE, spec, request_key, at, requested_by)


def request(
    service_id: int,
    *,
    kind: Job.Kind,
    request_key: str,
    at: datetime,
    requested_by: str = "",
    reason: str = "",
) -> Job:
    """Record a wish that needs no numbers (suspend, terminate, refresh ...) and queue it.

    `reason` is shown to the client when the service is suspended.  The same
    `request_key` returns the same job.  Raises ServiceNotReady for a state that does not
    allow it and NotSupported for what the vendor cannot do.
    """
    with transaction.atomic():
        service = _lock(service_id)
        if job := _existing(request_key):
            return job
        module = registry.module_class(service.product.module_key)
        if (needed := NEEDS.get(kind)) and needed not in module.capabilities:
            raise NotSupported(f"{module.name} cannot {kind.label.lower()}.")
        if service.status not in ALLOWED[kind]:
            wish = kind.label.lower()
            raise ServiceNotReady(f"{service} is {service.status}; {wish} does not apply.")
        spec = {"reason": reason} if reason else {}
        return _queue(service, kind, spec, request_key, at, requested_by)


def retry(job_id: int, *, at: datetime, actor: User | None = None) -> Job:
    """Queue a failed job again, with a fresh count of attempts.  Raises JobNotFailed."""
    with transaction.atomic():
        job = _lock_failed(job_id)
        job.status, job.due_at, job.attempts = Job.Status.QUEUED, at, 0
        job.lease_until, job.finished_at = None, None
        job.save(update_fields=["status", "due_at", "attempts", "lease_until", "finished_at"])
        _note(job, "job.retried", f"{job} queued again", at=at, actor=actor)
        nudge(job)
        return job


def resolve(job_id: int, *, at: datetime, actor: User | None, reason: str) -> Job:
    """Close a failed job because a person saw to it.  Raises JobNotFailed."""
    with transaction.atomic():
        job = _lock_failed(job_id)
        job.status, job.finished_at = Job.Status.RESOLVED, at
        job.save(update_fields=["status", "finished_at"])
        _note(job, "job.resolved", f"{job} resolved: {reason}", at=at, actor=actor)
        return job


def nudge(job: Job) -> None:
    """Ring the bell once the job is committed.  A lost ring costs a minute, not the job."""
    # Robust: with the broker down the sweep finds the job, and the person sees no error.
    transaction.on_commit(partial(run_job.delay, job_id=job.pk), robust=True)


def _lock(service_id: int) -> Service:
    return (
        Service.objects.select_for_update(of=("self",)).select_related("product").get(pk=service_id)
    )


def _existing(request_key: str) -> Job | None:
    return Job.objects.filter(request_key=request_key).first()


def _queue(
    service: Service,
    kind: Job.Kind,
    spec: Mapping[str, Any],
    request_key: str,
    at: datetime,
    requested_by: str,
) -> Job:
    job = Job.objects.create(
        service=service,
        kind=kind,
        spec=dict(spec),
        request_key=request_key,
        due_at=at,
        created_at=at,
        requested_by=requested_by,
    )
    nudge(job)
    return job


def _take_room(module_key: str) -> Server:
    """The default server if it has room, else the emptiest other one, locked while we count."""
    taken = Count("placements", filter=Q(placements__removed_at__isnull=True))
    list(Server.objects.select_for_update().filter(module_key=module_key).order_by("pk"))
    server = (
        Server.objects.filter(module_key=module_key, disabled=False)
        .annotate(taken=taken)
        .filter(Q(max_services__isnull=True) | Q(taken__lt=F("max_services")))
        .order_by("-is_default", "taken", "pk")
        .first()
    )
    if server is None:
        raise NoServerAvailable(f"No server for {module_key} is enabled and has room.")
    return server


def _lock_failed(job_id: int) -> Job:
    job = Job.objects.select_for_update().get(pk=job_id)
    if job.status != Job.Status.FAILED:
        raise JobNotFailed(f"{job} is {job.status}, not failed.")
    return job


def _note(job: Job, action: str, summary: str, *, at: datetime, actor: User | None) -> None:
    client_id = job.service.client_id
    audit.record(action, job.service, summary=summary, at=at, actor=actor, client_id=client_id)
