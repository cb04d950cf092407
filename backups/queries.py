"""Reading datastores and their sizes, for pages and commands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.db.models import Q, QuerySet

from billing_portal.calc.periods import Period
from provisioning.models import Server

from .answers import Rescale
from .models import Datastore, SizeSpan
from .spans import CLOCK_SKEW
from .usage import gaps

MODULE_KEY = "remote_backups"


@dataclass(frozen=True, slots=True)
class SizeStep:
    """One size of a chart: it stood from `starts_at` to `ends_at`.

    `source` is how the start is known: `poll`, `log`, `job` or `created`.
    """

    starts_at: datetime
    ends_at: datetime
    size_gb: int | Decimal
    source: str


def accounts() -> QuerySet[Server]:
    """The reseller accounts whose sizes are recorded, also those closed to new services."""
    return Server.objects.filter(module_key=MODULE_KEY).order_by("name")


def datastores() -> QuerySet[Datastore]:
    """Every datastore that stands, with its server and service, in order of server and name."""
    return (
        Datastore.objects.filter(deleted_at__isnull=True)
        .select_related("server", "service__client", "service__product")
        .order_by("server__name", "name", "pk")
    )


def datastore_of(service_id: int) -> Datastore | None:
    """The newest datastore of a service, deleted or not; None until one was seen."""
    return Datastore.objects.filter(service_id=service_id).order_by("-pk").first()


def used_bytes(service_id: int, answered: Mapping[str, Any]) -> int | None:
    """How much a service's backups take, by the newest sighting; None if nobody said.

    `answered` are the details of the last answer to a job, for what was never listed.
    """
    datastore = datastore_of(service_id)
    if datastore is not None and datastore.used_bytes is not None:
        return datastore.used_bytes
    used = answered.get("used_bytes")
    return used if isinstance(used, int) else None


def size_steps(service_id: int, period: Period) -> list[SizeStep]:
    """The sizes of a service's newest datastore inside `period`, oldest first.

    Sizes that follow each other unchanged are one step; nothing is drawn beyond the last
    sighting.
    """
    steps: list[SizeStep] = []
    for span in _spans(service_id, period):
        stood = period.overlap(span.starts_at, span.ends_at or span.last_seen_at)
        if not stood:
            continue
        if steps and (steps[-1].size_gb, steps[-1].ends_at) == (span.size_gb, stood.start):
            previous = steps.pop()
            steps.append(SizeStep(previous.starts_at, stood.end, span.size_gb, previous.source))
        else:
            steps.append(SizeStep(stood.start, stood.end, span.size_gb, span.source))
    return steps


def recording_gaps(service_id: int, period: Period) -> list[Period]:
    """When nobody was looking at a service's newest datastore inside `period`."""
    return gaps(_spans(service_id, period), period)


def _spans(service_id: int, period: Period) -> list[SizeSpan]:
    newest = datastore_of(service_id)
    if newest is None:
        return []
    return list(
        newest.spans.filter(
            Q(ends_at__isnull=True) | Q(ends_at__gt=period.start), starts_at__lt=period.end
        )
        .select_related("datastore")
        .order_by("starts_at", "pk")
    )


def recorded_changes(datastore_id: int, *, since: datetime) -> list[SizeSpan]:
    """The spans that began with another size than the one before, in time order."""
    spans = SizeSpan.objects.filter(datastore_id=datastore_id, starts_at__gte=since)
    ordered = list(spans.order_by("starts_at", "pk"))
    return [
        span
        for earlier, span in pairwise([None, *ordered])
        if span and (earlier is None or earlier.size_bytes != span.size_bytes)
    ]


def is_recorded(entry: Rescale, span: SizeSpan) -> bool:
    """Whether a span began with this change: the size, and the moment but for a minute."""
    return span.size_gb == entry.to_gb and abs(span.starts_at - entry.at) <= CLOCK_SKEW
