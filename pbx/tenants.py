"""The portal's rows of tenants and extensions, kept as jobs see them on the PBX."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from provisioning.contract import RemoteState

from . import rerating
from .models import Extension, Tenant


def note(server_id: int, service_id: int, state: RemoteState, *, at: datetime) -> Tenant:
    """Record a service's tenant as `state` shows it, with its extensions.

    Calls that arrived before the portal knew whose they were go to the service.
    """
    with transaction.atomic():
        tenant, _ = Tenant.objects.get_or_create(server_id=server_id, remote_id=state.remote_id)
        tenant = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
        is_new_owner = tenant.service_id != service_id
        tenant.service_id, tenant.domain, tenant.removed_at = service_id, state.name, None
        tenant.save()
        _note_extensions(tenant, state.details.get("extensions", []), at=at)
        if is_new_owner:
            rerating.adopt(tenant)
        return tenant


def note_removed(server_id: int, remote_id: str, *, at: datetime) -> None:
    """Record that the tenant is gone.  It keeps its service, for calls that come late."""
    tenants = Tenant.objects.filter(server_id=server_id, remote_id=remote_id)
    tenants.filter(removed_at__isnull=True).update(removed_at=at)
    Extension.objects.filter(tenant__in=tenants, removed_at__isnull=True).update(removed_at=at)


def _note_extensions(tenant: Tenant, seen: Sequence[Mapping[str, Any]], *, at: datetime) -> None:
    Extension.objects.bulk_create(
        [
            Extension(
                tenant=tenant, remote_id=one["id"], number=one["number"], name=one["name"][:100]
            )
            for one in seen
        ],
        update_conflicts=True,
        unique_fields=["tenant", "remote_id"],
        update_fields=["number", "name", "removed_at"],
    )
    gone = tenant.extensions.filter(removed_at__isnull=True)
    gone.exclude(remote_id__in=[one["id"] for one in seen]).update(removed_at=at)
