"""Telling clients that a datastore fills up: once at each level, again after it fell below.

    use in %   70    85    92    88    70    81
    told              80    90                80

A level is armed again when the use is `MARGIN` points below it, so that use around a level
is one mail and not one every hour.  While a datastore autoscales, only levels above its
upper threshold count: until there it grows by itself.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import F, Q, QuerySet

from billing_portal.clients.notices import notify
from billing_portal.services.states import ServiceStatus

from .models import Datastore

LEVELS = (80, 90, 95)
MARGIN = 2
RUNNING = (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)


def tell(server_id: int, *, at: datetime) -> list[str]:
    """Mail the clients whose datastores crossed a level by the last look; say which, in order.

    Safe to repeat.  One query while nothing crosses a level.
    """
    told = []
    for row in _near_a_level(server_id):
        level = level_after(row)
        if level != row.alerted_percent and _move(row, level, at=at):
            told.append(f"{row.name}: {row.used_percent} %")
    return told


def level_after(row: Datastore) -> int:
    """The level a client has been told of once this sighting is dealt with."""
    used = (row.used_bytes or 0) * 100
    reached = [level for level in _levels(row) if used >= level * row.size_bytes]
    still = [
        level
        for level in LEVELS
        if level <= row.alerted_percent and used >= (level - MARGIN) * row.size_bytes
    ]
    return max([0, *reached, *still])


def _levels(row: Datastore) -> list[int]:
    if not row.settings.get("autoscaling_enabled"):
        return list(LEVELS)
    return [level for level in LEVELS if level > row.settings["autoscaling_upper_percent"]]


def _near_a_level(server_id: int) -> QuerySet[Datastore]:
    """Standing datastores of running services that are full enough, or were."""
    is_full = Q(used_bytes__gte=F("size_bytes") / 100 * LEVELS[0])
    return (
        Datastore.objects.filter(is_full | Q(alerted_percent__gt=0), server_id=server_id)
        .filter(deleted_at=None, missing_at=None, used_bytes__isnull=False, size_bytes__gt=0)
        .filter(service__status__in=RUNNING)
        .select_related("service__client", "service__product")
        .order_by("name", "pk")
    )


def _move(row: Datastore, level: int, *, at: datetime) -> bool:
    """Note the level, and mail if it rose; whether a mail went out.  Only one caller wins."""
    with transaction.atomic():
        before = row.alerted_percent
        mine = Datastore.objects.filter(pk=row.pk, alerted_percent=before)
        if not mine.update(alerted_percent=level) or level < before:
            return False
        service = row.service
        assert service is not None  # the query asks for its status
        context = {
            "service": str(service),
            "level": level,
            "percent": row.used_percent,
            "used_gb": f"{row.used_gb:.1f}",
            "size_gb": str(row.size_gb),
            "autoscales": bool(row.settings.get("autoscaling_enabled")),
            "path": f"/services/{service.pk}/",
        }
        key = f"{row.pk}:{level}:{at:%Y-%m-%dT%H:%M:%S}"
        notify(service.client, "datastore_filling", key=key, context=context, at=at)
    return True
