"""What a finished job means for the placement, the service and the client."""

from datetime import datetime

from django.conf import settings

from billing_portal.audit import actions as audit
from billing_portal.clients.notices import notify
from billing_portal.mail import actions as mail
from billing_portal.services import actions as services
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus, SuspensionCause
from provisioning import registry
from provisioning.contract import RemoteState
from provisioning.models import Job, Placement
from provisioning.states import BECOMES


def apply(job: Job, state: RemoteState | None, *, at: datetime) -> None:
    """Record the answer and move the service, in the caller's transaction."""
    kind, service = Job.Kind(job.kind), job.service
    before, reason = service.status, job.spec.get("reason", "")
    if state is not None:
        _describe(service.placement, state, at=at)
        registry.module_class(service.product.module_key).observed(
            service.placement.server_id, service.pk, state, at=at
        )
    if kind == Job.Kind.TERMINATE:
        _remove(service.placement, at=at)
    if kind == Job.Kind.RESIZE:
        services.set_spec(service.pk, spec=job.spec, at=at)
    if kind in BECOMES and not _is_cancelled(service):
        cause = SuspensionCause(job.spec.get("cause", SuspensionCause.OTHER))
        services.move(service.pk, to=BECOMES[kind], at=at, reason=reason, cause=cause)
    audit.record(
        f"job.{kind}",
        service,
        summary=f"{kind.label} done",
        at=at,
        client_id=service.client_id,
        details={"job": job.pk, "attempts": job.attempts, "requested_by": job.requested_by},
    )
    if kind == Job.Kind.CREATE:
        _welcome(job, at=at)
    if kind == Job.Kind.SUSPEND and before == ServiceStatus.ACTIVE:
        _say_suspended(job, reason, at=at)
    if kind == Job.Kind.UNSUSPEND and before == ServiceStatus.SUSPENDED:
        say_unsuspended(service, key=f"job {job.pk}", at=at)


def failed(job: Job, error: str, *, at: datetime) -> None:
    """Leave a trace and tell staff; the job itself waits in the list of failed ones."""
    audit.record(
        "job.failed",
        job.service,
        summary=f"{Job.Kind(job.kind).label} failed: {error}",
        at=at,
        client_id=job.service.client_id,
        details={"job": job.pk, "attempts": job.attempts, "requested_by": job.requested_by},
    )
    _tell_staff(job, error, at=at)


def _tell_staff(job: Job, error: str, *, at: datetime) -> None:
    service = job.service
    mail.send(
        "job_failed_staff",
        to=settings.SELLER_EMAIL,
        key=f"{job.pk} at {at.isoformat()}",
        context={
            "what": Job.Kind(job.kind).label,
            "service": str(service),
            "client": str(service.client),
            "error": error,
            "path": f"/staff/provisioning/job/{job.pk}/",
        },
        at=at,
    )


def say_unsuspended(service: Service, *, key: str, at: datetime) -> None:
    """Tell the client that a suspended service is back."""
    context = {"service": str(service), "path": f"/services/{service.pk}/"}
    notify(service.client, "service_unsuspended", key=key, context=context, at=at)


def _is_cancelled(service: Service) -> bool:
    """Whether it ended for its client by now; the caller has locked its row."""
    return Service.objects.filter(pk=service.pk, status=ServiceStatus.CANCELLED).exists()


def _describe(placement: Placement, state: RemoteState, *, at: datetime) -> None:
    fields = {
        "remote_id": state.remote_id,
        "remote_name": state.name,
        "spec": dict(state.spec),
        "details": dict(state.details),
        "suspended": state.suspended,
        "placed_at": placement.placed_at or at,
        "seen_at": at,
    }
    if state.credentials:
        fields["credentials"] = dict(state.credentials)
    for name, value in fields.items():
        setattr(placement, name, value)
    placement.save(update_fields=fields)


def _remove(placement: Placement, *, at: datetime) -> None:
    if placement.removed_at:
        return
    placement.removed_at = at
    placement.credentials = {}
    placement.save(update_fields=["removed_at", "credentials"])
    module_key = placement.service.product.module_key
    registry.module_class(module_key).removed(placement.server_id, placement.remote_id, at=at)


def _welcome(job: Job, *, at: datetime) -> None:
    service = job.service
    context = {
        "service": str(service),
        "product": service.product.name,
        "summary": registry.module_class(service.product.module_key).summarise(service.spec),
        "path": f"/services/{service.pk}/",
    }
    notify(service.client, "service_active", key=str(service.pk), context=context, at=at)


def _say_suspended(job: Job, reason: str, *, at: datetime) -> None:
    service = job.service
    context = {"service": str(service), "reason": reason, "path": f"/services/{service.pk}/"}
    notify(service.client, "service_suspended", key=f"job {job.pk}", context=context, at=at)
