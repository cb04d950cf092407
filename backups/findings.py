"""Where datastores and services disagree, by what was last seen.  Asks no vendor.

A datastore without a service, one that is missing, left over, of another size or name; and
services that have none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Exists, OuterRef, QuerySet

from billing_portal.services.models import Service
from billing_portal.services.queries import open_cancellation
from billing_portal.services.states import ENDED, ServiceStatus
from provisioning.models import Job

from .models import Datastore
from .queries import MODULE_KEY, datastores

_NAME = re.compile(r".+-client(?P<client>\d{1,18})-service(?P<service>\d{1,18})")


class Kind(StrEnum):
    ORPHAN = "no service"
    MISSING = "missing"
    LEFT_OVER = "left over"
    SIZE = "size differs"
    NAME = "name differs"
    BEYOND = "beyond its product"


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement, in a sentence for staff."""

    kind: Kind
    message: str


def findings(row: Datastore) -> list[Finding]:
    """What is wrong with a datastore that stands; nothing for one staff chose to ignore."""
    return [] if row.ignored_at else list(_findings(row))


def datastores_with_findings() -> list[tuple[Datastore, list[Finding]]]:
    """Every datastore something is wrong with, in order of server and name."""
    found = ((row, findings(row)) for row in datastores().filter(ignored_at=None))
    return [(row, wrong) for row, wrong in found if wrong]


def services_without() -> QuerySet[Service]:
    """Running services of this kind with no datastore that stands, and no job under way."""
    standing = Datastore.objects.filter(service_id=OuterRef("pk"), deleted_at=None)
    busy = Job.objects.filter(service_id=OuterRef("pk"), status__in=Job.OPEN)
    return (
        Service.objects.filter(
            product__module_key=MODULE_KEY,
            status__in=(ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED),
        )
        .filter(~Exists(standing), ~Exists(busy))
        .select_related("client", "product")
        .order_by("pk")
    )


def named_service_id(name: str) -> tuple[int, int] | None:
    """Client and service a name speaks of: 12 and 34 for "backup-client12-service34"."""
    found = _NAME.fullmatch(name)
    return (int(found["client"]), int(found["service"])) if found else None


def _findings(row: Datastore) -> Iterator[Finding]:
    service = row.service
    if row.missing_at:
        yield Finding(Kind.MISSING, "It is no longer in the vendor's list, without our doing.")
    if service is None:
        yield Finding(Kind.ORPHAN, "No service knows it. It costs, and nobody pays for it.")
        return
    if service.status in ENDED and open_cancellation(service.pk):
        return  # kept for a while, in case its client wants it back
    if service.status in ENDED:
        state = ServiceStatus(service.status).label.lower()
        yield Finding(Kind.LEFT_OVER, f"Its service is {state}, but it still stands.")
        return
    wished = service.spec.get("size_gb")
    if wished != row.size_gb and not row.settings.get("autoscaling_enabled"):
        yield Finding(Kind.SIZE, f"It has {row.size_gb} GB, and {wished} GB were wished.")
    if row.over_max_at:
        yield Finding(Kind.BEYOND, "It is larger than its product sells. Every size is billed.")
    named = named_service_id(row.name)
    if named != (service.client_id, service.pk):
        yield Finding(Kind.NAME, "Its name is not that of its service.")
