"""What staff do about datastores: give one to a service, or say that it is all right.

Order of locks: service, then server, then datastore.
"""

from datetime import datetime

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.errors import PortalError
from billing_portal.services import actions as services
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from provisioning import actions as provisioning
from provisioning.models import Job, Placement, Server

from .findings import named_service_id
from .models import Datastore
from .queries import MODULE_KEY

LINKABLE = (ServiceStatus.PENDING, ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)


class NotLinkable(PortalError):
    """The datastore and the service cannot be brought together."""


def adopt(datastore_id: int, *, at: datetime, actor: User | None) -> Service:
    """Give a datastore to the service its name speaks of.

    Raises NotLinkable if the name speaks of none, or as `link` does.
    """
    service = adoptable_by(Datastore.objects.get(pk=datastore_id))
    if service is None:
        raise NotLinkable("Its name is not that of any service of ours.")
    return link(datastore_id, service.pk, at=at, actor=actor)


def adoptable_by(row: Datastore) -> Service | None:
    """The service of this kind that a datastore is named after."""
    named = named_service_id(row.name)
    if named is None:
        return None
    return Service.objects.filter(
        pk=named[1], client_id=named[0], product__module_key=MODULE_KEY
    ).first()


def link(datastore_id: int, service_id: int, *, at: datetime, actor: User | None) -> Service:
    """Give a datastore that nobody has to a service that has none, as it stands.

    A pending service becomes active.  The size that stands becomes the size wished, and a
    job fetches the credentials.  Linking what is linked already changes nothing.
    Raises NotLinkable, as a sentence, if one of them is taken or gone.
    """
    with transaction.atomic():
        service = Service.objects.select_for_update(of=("self",), no_key=True).get(pk=service_id)
        server_id = Datastore.objects.values_list("server_id", flat=True).get(pk=datastore_id)
        Server.objects.select_for_update(no_key=True).get(pk=server_id)
        row = Datastore.objects.select_for_update(no_key=True).get(pk=datastore_id)
        if row.service_id == service.pk and _is_placed(service, row):
            return service
        _refuse(row, service)
        _place(service, row, at=at)
        Datastore.objects.filter(pk=row.pk).update(
            service=service, ignored_at=None, ignored_reason=""
        )
        if isinstance(row.size_gb, int):
            services.set_spec(service.pk, spec={**service.spec, "size_gb": row.size_gb}, at=at)
        if service.status == ServiceStatus.PENDING:
            services.move(service.pk, to=ServiceStatus.ACTIVE, at=at, actor=actor)
        provisioning.request(
            service.pk,
            kind=Job.Kind.REFRESH,
            request_key=f"linked:{row.pk}:{service.pk}:{at.isoformat()}",
            at=at,
            requested_by=actor.get_full_name() if actor else "",
        )
        audit.record(
            "datastore.linked",
            service,
            summary=f"Datastore {row.name} ({row.remote_id}) linked to {service}",
            at=at,
            actor=actor,
            client_id=service.client_id,
            details={"datastore": row.pk, "size_gb": str(row.size_gb)},
        )
    return service


def ignore(datastore_id: int, *, reason: str, at: datetime, actor: User | None) -> Datastore:
    """Say that what is odd about a datastore is all right; it is no longer reported."""
    with transaction.atomic():
        row = Datastore.objects.select_for_update(no_key=True).get(pk=datastore_id)
        row.ignored_at, row.ignored_reason = at, reason[:200]
        row.save(update_fields=["ignored_at", "ignored_reason"])
        _note(row, "ignored", f"ignored: {reason}", at=at, actor=actor)
    return row


def heed(datastore_id: int, *, at: datetime, actor: User | None) -> Datastore:
    """Report again what is odd about a datastore."""
    with transaction.atomic():
        row = Datastore.objects.select_for_update(no_key=True).get(pk=datastore_id)
        if row.ignored_at:
            row.ignored_at, row.ignored_reason = None, ""
            row.save(update_fields=["ignored_at", "ignored_reason"])
            _note(row, "heeded", "no longer ignored", at=at, actor=actor)
    return row


def _is_placed(service: Service, row: Datastore) -> bool:
    return Placement.objects.filter(
        service=service, remote_id=row.remote_id, removed_at__isnull=True
    ).exists()


def _refuse(row: Datastore, service: Service) -> None:
    if service.product.module_key != MODULE_KEY:
        raise NotLinkable(f"{service} is not backup storage.")
    if service.status not in LINKABLE:
        raise NotLinkable(f"{service} is {service.get_status_display().lower()}.")
    if row.deleted_at or row.missing_at:
        raise NotLinkable(f"{row.name} does not stand at the vendor any more.")
    if row.service_id not in (None, service.pk):
        raise NotLinkable(f"{row.name} belongs to {row.service}.")
    others = Datastore.objects.filter(service=service, deleted_at=None, missing_at=None)
    if other := others.exclude(pk=row.pk).first():
        raise NotLinkable(f"{service} already has {other.name}.")
    if Job.objects.filter(service=service, status__in=Job.OPEN).exists():
        raise NotLinkable(f"Work on {service} is under way. Try again when it is done.")
    taken = Placement.objects.filter(server_id=row.server_id, remote_id=row.remote_id)
    if other_place := taken.exclude(service=service).first():
        raise NotLinkable(f"{row.name} was placed for {other_place.service}.")


def _place(service: Service, row: Datastore, *, at: datetime) -> None:
    """The service's placement on what stands; credentials come with the refresh."""
    Placement.objects.update_or_create(
        service=service,
        defaults={
            "server_id": row.server_id,
            "remote_id": row.remote_id,
            "remote_name": row.name,
            "placed_at": at,
            "removed_at": None,
        },
    )


def _note(row: Datastore, verb: str, what: str, *, at: datetime, actor: User | None) -> None:
    audit.record(
        f"datastore.{verb}", row, summary=f"Datastore {row.name} {what}", at=at, actor=actor
    )
