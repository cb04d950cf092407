"""Wishes: every change at a vendor starts as a job row, written in the caller's transaction.

Order of locks: service, then server, then job.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from django.db import transaction
from django.db.models import Count, F, Q

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.errors import PortalError
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus, SuspensionCause
from provisioning import outcomes, registry
from provisioning.contract import Configurable, RemoteState
from provisioning.models import Job, Placement, Server
from provisioning.states import ALLOWED, NEEDS
from provisioning.tasks import run_job


class ServiceNotReady(PortalError):
    """The service is not in a state that allows the job."""


class NoServerAvailable(PortalError):
    """No enabled server of the module has room."""


class NotSupported(PortalError):
    """The vendor cannot do it."""


class WishOvertaken(PortalError):
    """Something newer was wished since; carrying out the old wish would undo it."""


class RequestKeyTaken(PortalError):
    """The key names another wish: another service's, or one for something else."""


class JobNotFailed(PortalError):
    """Only a failed job can be retried or resolved."""


def request_create(
    service_id: int, *, request_key: str, at: datetime, requested_by: str = ""
) -> Job:
    """Record that a pending service should exist, choose its server, and queue the work.

    `request_key` names the wish: the same key returns the same job.  While no server has
    room the job waits among the failed ones, where `retry` looks for room again: what was
    ordered and paid for is never refused here.
    Raises ServiceNotReady unless the service is pending.
    """
    with transaction.atomic():
        service = _lock(service_id)
        if job := _existing(request_key, service, Job.Kind.CREATE):
            return job
        _check_state(service, Job.Kind.CREATE)
        try:
            _place(service)
        except NoServerAvailable as error:
            return _park(service, error, request_key=request_key, at=at, requested_by=requested_by)
        return _queue(service, Job.Kind.CREATE, service.spec, request_key, at, requested_by)


def request_resize(
    service_id: int,
    *,
    spec: Mapping[str, Any],
    request_key: str,
    at: datetime,
    requested_by: str = "",
    product_settings: Mapping[str, Any] | None = None,
) -> Job:
    """Record that a service should become `spec` and queue the work.

    `product_settings` are those of the product it becomes, if that is another.
    The same `request_key` returns the same job.  Raises ServiceNotReady unless the
    service is active, RemoteRejected if product or vendor forbid `spec`.
    """
    with transaction.atomic():
        service = _lock(service_id)
        if job := _existing(request_key, service, Job.Kind.RESIZE):
            return job
        _check_possible(service, Job.Kind.RESIZE)
        settings = service.product.module_settings if product_settings is None else product_settings
        check_change(service, settings=settings, spec=spec, may_remove=True)
        return _queue(service, Job.Kind.RESIZE, spec, request_key, at, requested_by)


def check_change(
    service: Service, *, settings: Mapping[str, Any], spec: Mapping[str, Any], may_remove: bool
) -> None:
    """Whether a service may become `spec` as a product with these settings; asks no vendor.

    `may_remove`: whoever asks agreed that what no longer fits is removed.
    Raises RemoteRejected if product or vendor forbid it, or if more than that is in use.
    """
    key = service.product.module_key
    registry.module_class(key).check_spec(settings, spec)
    placement = Placement.objects.filter(service=service).exclude(remote_id="").first()
    if placement and (module := registry.filled(key)):
        seen = RemoteState(
            placement.remote_id,
            placement.remote_name,
            placement.spec,
            suspended=placement.suspended,
            details=placement.details,
        )
        module.check_change(service.pk, spec, seen, may_remove=may_remove)


def request_configure(
    service_id: int,
    *,
    changes: Mapping[str, Any],
    request_key: str,
    at: datetime,
    requested_by: str = "",
) -> Job:
    """Record that settings of a service should become `changes` and queue the work.

    What `changes` does not name stays as it is when the work is done.  The same
    `request_key` returns the same job.  Raises ServiceNotReady unless the service is
    active, NotSupported if the vendor has no settings, RemoteRejected if it forbids these.
    """
    with transaction.atomic():
        service = _lock(service_id)
        if job := _existing(request_key, service, Job.Kind.CONFIGURE):
            return job
        _check_possible(service, Job.Kind.CONFIGURE)
        module = registry.module_class(service.product.module_key)
        cast("type[Configurable]", module).check_changes(changes)
        return _queue(service, Job.Kind.CONFIGURE, changes, request_key, at, requested_by)


def request(
    service_id: int,
    *,
    kind: Job.Kind,
    request_key: str,
    at: datetime,
    requested_by: str = "",
    reason: str = "",
    cause: SuspensionCause | None = None,
) -> Job:
    """Record a wish that needs no numbers (suspend, terminate, refresh ...) and queue it.

    `reason` is shown to the client when the service is suspended, `cause` says who
    suspends.  The same
    `request_key` returns the same job.  Raises ServiceNotReady for a state that does not
    allow it and NotSupported for what the vendor cannot do.
    """
    with transaction.atomic():
        service = _lock(service_id)
        if job := _existing(request_key, service, kind):
            return job
        _check_possible(service, kind)
        spec = {"reason": reason} if reason else {}
        if cause:
            spec["cause"] = str(cause)
        return _queue(service, kind, spec, request_key, at, requested_by)


def retry(job_id: int, *, at: datetime, actor: User | None = None) -> Job:
    """Queue a failed job again, with a fresh count of attempts, and try its server at once.

    Raises JobNotFailed, ServiceNotReady if the service is past it, WishOvertaken if a newer
    wish says something else, and NoServerAvailable if there still is no room to create it.
    """
    with transaction.atomic():
        service = _lock(Job.objects.values_list("service_id", flat=True).get(pk=job_id))
        server = _place(service)
        job = _lock_failed(job_id)
        _check_state(service, Job.Kind(job.kind))
        _refuse_overtaken(job)
        job.status, job.due_at, job.attempts = Job.Status.QUEUED, at, 0
        job.lease_until, job.finished_at = None, None
        job.save(update_fields=["status", "due_at", "attempts", "lease_until", "finished_at"])
        end_pause(server.pk)
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


def withdraw(service_id: int, *, cause: SuspensionCause, reason: str, at: datetime) -> None:
    """Close the jobs wished for `cause` that nobody has begun, because it is over."""
    Job.objects.filter(
        service_id=service_id,
        status__in=(Job.Status.QUEUED, Job.Status.FAILED),
        spec__cause=cause,
    ).update(status=Job.Status.RESOLVED, finished_at=at, last_error=reason)


def end_pause(server_id: int) -> None:
    """Let jobs go to a server again, because somebody saw that it answers."""
    Server.objects.filter(pk=server_id).update(paused_until=None, pause_reason="")


def give_up_place(service_id: int, *, at: datetime) -> None:
    """Free the room kept for a service that was never created and never will be."""
    Placement.objects.filter(service_id=service_id, remote_id="", removed_at__isnull=True).update(
        removed_at=at
    )


def nudge(job: Job) -> None:
    """Ring the bell once the job is committed.  A lost ring costs a minute, not the job."""

    def ring() -> None:
        run_job.delay(job_id=job.pk)

    # Robust: with the broker down the sweep finds the job, and the person sees no error.
    # (A named function, because Django cannot name a `partial` in its log and fails.)
    transaction.on_commit(ring, robust=True)


def _lock(service_id: int) -> Service:
    return (
        Service.objects.select_for_update(of=("self",), no_key=True)
        .select_related("product")
        .get(pk=service_id)
    )


def _existing(request_key: str, service: Service, kind: Job.Kind) -> Job | None:
    job = Job.objects.filter(request_key=request_key).first()
    if job and (job.service_id, job.kind) != (service.pk, kind):
        raise RequestKeyTaken("This form was already used for something else. Please start again.")
    return job


def _check_possible(service: Service, kind: Job.Kind) -> None:
    """Whether an existing remote object may be asked for it."""
    module = registry.module_class(service.product.module_key)
    if (needed := NEEDS.get(kind)) and needed not in module.capabilities:
        raise NotSupported(f"{module.name} cannot {kind.label.lower()}.")
    _check_state(service, kind)
    standing = Placement.objects.filter(service=service, removed_at__isnull=True)
    if not standing.exclude(remote_id="").exists():
        raise ServiceNotReady(f"{service} has nothing at the vendor.")


def _check_state(service: Service, kind: Job.Kind) -> None:
    if service.status not in ALLOWED[kind]:
        state = ServiceStatus(service.status).label.lower()
        raise ServiceNotReady(f"{service} is {state}; {kind.label.lower()} does not apply.")


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
        requested_by=requested_by[:150],
    )
    nudge(job)
    return job


def _park(
    service: Service, error: PortalError, *, request_key: str, at: datetime, requested_by: str
) -> Job:
    """A creation that cannot even be tried, left for a person among the failed jobs."""
    job = Job.objects.create(
        service=service,
        kind=Job.Kind.CREATE,
        spec=service.spec,
        request_key=request_key,
        status=Job.Status.FAILED,
        last_error=str(error),
        due_at=at,
        created_at=at,
        finished_at=at,
        requested_by=requested_by[:150],
    )
    outcomes.failed(job, str(error), at=at)
    return job


def _place(service: Service) -> Server:
    """The server the service is on, chosen now if it has none yet."""
    placement = Placement.objects.select_related("server").filter(service=service).first()
    if placement is None:
        server = _take_room(service.product.module_key)
        placement = Placement.objects.create(service=service, server=server)
    return placement.server


def _take_room(module_key: str) -> Server:
    """The default server if it has room, else the emptiest other one, locked while we count."""
    taken = Count("placements", filter=Q(placements__removed_at__isnull=True))
    list(Server.objects.select_for_update(no_key=True).filter(module_key=module_key).order_by("pk"))
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
    job = Job.objects.select_for_update(no_key=True).get(pk=job_id)
    if job.status != Job.Status.FAILED:
        raise JobNotFailed(f"{job} is {job.status}, not failed.")
    return job


def _refuse_overtaken(job: Job) -> None:
    """An old size or setting is not wished again once there is a newer one."""
    if job.kind not in (Job.Kind.RESIZE, Job.Kind.CONFIGURE):
        return
    newer = Job.objects.filter(service_id=job.service_id, kind=job.kind, pk__gt=job.pk)
    for one in newer.exclude(status__in=(Job.Status.FAILED, Job.Status.RESOLVED)).order_by("-pk"):
        if set(one.spec) & set(job.spec):
            raise WishOvertaken(
                f"{one.get_kind_display()} was asked for again later (job {one.pk}), and doing"
                " this one now would undo it. Mark this one as resolved."
            )


def _note(job: Job, action: str, summary: str, *, at: datetime, actor: User | None) -> None:
    client_id = job.service.client_id
    audit.record(action, job.service, summary=summary, at=at, actor=actor, client_id=client_id)
