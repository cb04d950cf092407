"""Changing a running service, for its client or for staff."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.clients.notices import notify
from billing_portal.services import actions as services
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus, SuspensionCause
from provisioning import actions as provisioning
from provisioning import outcomes, registry
from provisioning.contract import Capability
from provisioning.models import Job, Placement


def request_change(
    service_id: int,
    *,
    spec: Mapping[str, Any],
    request_key: str,
    at: datetime,
    actor: User | None,
) -> Job:
    """Queue the change of a service to `spec` (500 GB to 1000 GB).

    Usage is billed for what stood, so nothing is invoiced here.  The same `request_key`
    returns the same job.  Raises RemoteRejected for a spec the product or vendor forbids,
    ServiceNotReady unless the service is active.
    """
    return provisioning.request_resize(
        service_id, spec=spec, request_key=request_key, at=at, requested_by=_name(actor)
    )


def request_settings(
    service_id: int,
    *,
    changes: Mapping[str, Any],
    request_key: str,
    at: datetime,
    actor: User | None,
) -> Job:
    """Queue a change of the service's settings; what `changes` does not name stays.

    Raises as `provisioning.actions.request_configure` does.
    """
    return provisioning.request_configure(
        service_id, changes=changes, request_key=request_key, at=at, requested_by=_name(actor)
    )


def suspend(
    service_id: int,
    *,
    reason: str,
    request_key: str,
    at: datetime,
    actor: User | None,
    cause: SuspensionCause = SuspensionCause.STAFF,
) -> Service:
    """Suspend a service at the vendor, or commercially where the vendor has no suspend.

    A commercial suspension blocks the client's actions and nothing else; the pages say so.
    `cause` decides whether payment lifts it.  One that is suspended already stays so, and
    its client is not told again.
    """
    if can_suspend(service_id):
        job = provisioning.request(
            service_id,
            kind=Job.Kind.SUSPEND,
            request_key=request_key,
            at=at,
            requested_by=_name(actor),
            reason=reason,
            cause=cause,
        )
        return job.service
    with transaction.atomic():
        was_suspended = _is_suspended(service_id)
        service = services.move(
            service_id,
            to=ServiceStatus.SUSPENDED,
            at=at,
            reason=reason,
            cause=cause,
            actor=actor,
        )
        if not was_suspended:
            _tell(service, reason, at=at)
    return service


def unsuspend(service_id: int, *, request_key: str, at: datetime, actor: User | None) -> Service:
    """Bring a suspended service back, at the vendor where it was suspended there."""
    if can_suspend(service_id):
        job = provisioning.request(
            service_id,
            kind=Job.Kind.UNSUSPEND,
            request_key=request_key,
            at=at,
            requested_by=_name(actor),
        )
        return job.service
    with transaction.atomic():
        was_suspended = _is_suspended(service_id)
        service = services.move(service_id, to=ServiceStatus.ACTIVE, at=at, actor=actor)
        if was_suspended:
            outcomes.say_unsuspended(service, key=_mail_key(service, at=at), at=at)
    return service


def keep_suspended(service_id: int, *, reason: str, at: datetime, actor: User | None) -> Service:
    """Take a suspension for an overdue invoice over: payment lifts it no longer, people do."""
    return services.move(
        service_id,
        to=ServiceStatus.SUSPENDED,
        at=at,
        reason=reason,
        cause=SuspensionCause.STAFF,
        actor=actor,
    )


def terminate(
    service_id: int,
    *,
    request_key: str,
    at: datetime,
    actor: User | None,
    cause: SuspensionCause = SuspensionCause.STAFF,
) -> Job | None:
    """Queue the deletion of the remote object.  Its data is gone once the job is done.

    A service that stands nowhere ends at once and has no job.
    """
    if not Placement.objects.filter(service_id=service_id).exclude(remote_id="").exists():
        services.move(service_id, to=ServiceStatus.TERMINATED, at=at, actor=actor)
        return None
    return provisioning.request(
        service_id,
        kind=Job.Kind.TERMINATE,
        request_key=request_key,
        at=at,
        requested_by=_name(actor),
        cause=cause,
    )


def can_suspend(service_id: int) -> bool:
    """Whether the vendor behind a service can switch it off."""
    service = Service.objects.select_related("product").get(pk=service_id)
    if not service.product.module_key:
        return False
    module = registry.module_class(service.product.module_key)
    return Capability.SUSPEND in module.capabilities


def _is_suspended(service_id: int) -> bool:
    service = Service.objects.select_for_update(no_key=True).get(pk=service_id)
    return service.status == ServiceStatus.SUSPENDED


def _tell(service: Service, reason: str, *, at: datetime) -> None:
    context = {
        "service": str(service),
        "reason": reason,
        "path": f"/services/{service.pk}/",
    }
    key = _mail_key(service, at=at)
    notify(service.client, "service_suspended", key=key, context=context, at=at)


def _mail_key(service: Service, *, at: datetime) -> str:
    """The service's state changes once in a moment, so its mail about that is sent once."""
    return f"{service.pk} at {at.isoformat()}"


def _name(actor: User | None) -> str:
    return actor.get_full_name() if actor else ""
