"""The use of a datastore over time, as the vendor last told it: chart, table and as-of.

Nothing here asks the vendor; an old graph rings for a newer one after the page is out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction

from backups import graphs
from backups import queries as backups
from backups.answers import BYTES_PER_GB
from backups.client import GraphRange
from backups.tasks import refresh_graph
from billing_portal.calc.periods import Period
from billing_portal.clientarea import charts
from billing_portal.services.models import Service

REACHES = {
    GraphRange.DAY: "Day",
    GraphRange.WEEK: "Week",
    GraphRange.MONTH: "Month",
    GraphRange.DECADE: "All",
}
BYTES_PER_MB = 10**6


@dataclass(frozen=True, slots=True)
class UsePoint:
    """Space in GB and traffic in MB at a moment; traffic may be unknown."""

    at: datetime
    used_gb: Decimal
    total_gb: Decimal
    read_mb: Decimal | None
    written_mb: Decimal | None


@dataclass(frozen=True, slots=True)
class UseGraph:
    """What the page shows; `points` are newest first.  `as_of` is None before the first answer."""

    reach: GraphRange
    reaches: list[tuple[GraphRange, str]]
    points: list[UsePoint]
    chart: dict[str, Any] | None
    as_of: datetime | None
    is_late: bool


def use_graph(service: Service, asked: str, *, at: datetime) -> UseGraph | None:
    """The graph of a service's datastore for the range asked for; None if it has none."""
    if service.product.module_key != backups.MODULE_KEY:
        return None
    datastore = backups.datastore_of(service.pk)
    if datastore is None or datastore.deleted_at:
        return None
    reach = GraphRange(asked) if asked in list(REACHES) else GraphRange.WEEK
    kept = graphs.kept(datastore.pk, reach)
    if graphs.is_stale(kept, at=at):
        graphs.note_asked(datastore.pk, reach, at=at)
        _ring(datastore.pk, reach)
    points = [_point(raw) for raw in kept.points] if kept else []
    return UseGraph(
        reach=reach,
        reaches=list(REACHES.items()),
        points=points[::-1],
        chart=_chart(points, at) if len(points) > 1 else None,
        as_of=kept.as_of if kept else None,
        is_late=bool(kept and kept.problem),
    )


def _ring(datastore_id: int, reach: GraphRange) -> None:
    def ring() -> None:
        refresh_graph.delay(datastore_id=datastore_id, reach=str(reach))

    # Robust: with the broker down the page shows what is kept.
    transaction.on_commit(ring, robust=True)


def _point(raw: Sequence[Any]) -> UsePoint:
    seconds, used, total, read, written = raw
    return UsePoint(
        at=datetime.fromtimestamp(seconds, UTC),
        used_gb=Decimal(used) / BYTES_PER_GB,
        total_gb=Decimal(total) / BYTES_PER_GB,
        read_mb=None if read is None else Decimal(read) / BYTES_PER_MB,
        written_mb=None if written is None else Decimal(written) / BYTES_PER_MB,
    )


def _chart(points: Sequence[UsePoint], at: datetime) -> dict[str, Any]:
    period = Period(points[0].at, max(at, points[-1].at))
    return charts.use_chart(
        [(point.at, point.used_gb, point.total_gb) for point in points],
        period,
        timezone=settings.SELLER_TIMEZONE,
    )
