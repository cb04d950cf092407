"""What a finished job means for the placement, the service and the client."""

from datetime import datetime
from typing import Any

from billing_portal.audit import actions as audit
from billing_portal.clients.notices import notify
from billing_portal.services import actions as services
from billing_portal.services.states import ServiceStatus
from provisioning import registry
from provisioning.contract import RemoteState
from provisioning.models import Job, Placement

BECOMES: dict[str, ServiceStatus] = {
    Job.Kind.CREATE: ServiceStatus.ACTIVE,
    Job.Kind.UNSUSPEND: ServiceStatus.ACTIVE,
    Job.Kind.SUSPEND: ServiceStatus.SUSPENDED,
    Job.Kind.TERMINATE: ServiceStatus.TERMINATED,
}


def apply(job: Job, state: RemoteState | None, *, at: datetime) -> None:
    """Record the answer and move the service, in the caller's transaction."""
    kind = Job.Kind(job.kind)
    if state is not None:
        _describe(job.service.placement, state, at=at)
        registry.module_class(job.service.product.module_key).observed(
            job.service.placement.server_id, job.service_id, state, at=at
        )
    if kind == Job.Kind.TERMINATE:
        _remove(job.service.placement, at=at)
    if kind == Job.Kind.RESIZE:
        services.set_spec(job.service_id, spec=job.spec, at=at)
    if kind in BECOMES:
        services.move(job.service_id, to=BECOMES[kind], at=at, reason=job.spec.get("reason", ""))
    audit.record(
        f"job.{kind}",
        job.service,
        summary=f"{kind.label} done",
        at=at,
        client_id=job.service.client_id,
        details={"job": job.pk, "attempts": job.attempts},
    )
    if kind == Job.Kind.CREATE:
        _welcome(job, at=at)


def failed(job: Job, error: str, *, at: datetime) -> None:
    """Leave a trace staff will find; the job itself waits in the list of failed ones."""
    audit.record(
        "job.failed",
        job.service,
        summary=f"{Job.Kind(job.kind).label} failed: {error}",
        at=at,
        client_id=job.service.client_id,
        details={"job": job.pk},
    )


def _describe(placement: Placement, state: RemoteState, *, at: datetime) -> None:
    placement.remote_id = state.remote_id
    placement.remote_name = state.name
    placement.spec = dict(state.spec)
    placement.details = dict(state.details)
    placement.suspended = state.suspended
    placement.placed_at = placement.placed_at or at
    placement.seen_at = at
    if state.credentials:
        placement.credentials = dict(state.credentials)
    placement.save()


def _remove(placement: Placement, *, at: datetime) -> None:
    placement.removed_at = at
    placement.credentials = {}
    placement.save(update_fields=["removed_at", "credentials"])
    module_key = placement.service.product.module_key
    registry.module_class(module_key).removed(placement.server_id, placement.remote_id, at=at)


def _welcome(job: Job, *, at: datetime) -> None:
    service = job.service
    context: dict[str, Any] = {
        "service": str(service),
        "product": service.product.name,
        "summary": registry.module_class(service.product.module_key).summarise(service.spec),
        "path": f"/services/{service.pk}/",
    }
    notify(service.client, "service_active", key=str(service.pk), context=context, at=at)
