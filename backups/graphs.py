"""The vendor's use graphs, kept as rows so that a page never waits for the vendor.

A page shows what is kept and, if that is old, rings for a newer one; the task asks the
vendor.  What fails leaves the kept points alone and says why.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from django.db import transaction

from provisioning import registry
from provisioning.contract import ModuleError
from provisioning.masking import mask_text

from .answers import UsePoint
from .client import GraphRange
from .models import Datastore, UseGraph

FRESH = timedelta(minutes=15)
ASKED_AGAIN = timedelta(minutes=2)
"""How long a request for a newer graph is given before it is made again."""
MOST_POINTS = 120


class GraphSource(Protocol):
    """What refreshing needs of the module; `RemoteBackupsModule` has it."""

    def use_graph(self, remote_id: str, *, reach: GraphRange) -> list[UsePoint]: ...


def kept(datastore_id: int, reach: GraphRange) -> UseGraph | None:
    """The graph as last told; None if it was never asked for."""
    return UseGraph.objects.filter(datastore_id=datastore_id, reach=reach).first()


def is_stale(graph: UseGraph | None, *, at: datetime) -> bool:
    """Whether a newer one should be asked for, and nobody just did."""
    if graph is None:
        return True
    is_old = graph.as_of is None or at - graph.as_of > FRESH
    return is_old and at - graph.asked_at > ASKED_AGAIN


def note_asked(datastore_id: int, reach: GraphRange, *, at: datetime) -> None:
    """Note that a newer graph is on its way, so that a second page does not ask too."""
    UseGraph.objects.update_or_create(
        datastore_id=datastore_id, reach=reach, defaults={"asked_at": at}
    )


def refresh(datastore_id: int, reach: GraphRange, *, at: datetime) -> UseGraph:
    """Ask the vendor and keep its answer; a vendor that fails leaves the old one and a reason."""
    row = Datastore.objects.select_related("server").get(pk=datastore_id)
    source = cast("GraphSource", registry.connect(row.server, service_id=row.service_id))
    try:
        points = source.use_graph(row.remote_id, reach=reach)
    except ModuleError as error:
        told: dict[str, Any] = {"problem": mask_text(str(error))[:300]}
    else:
        told = {"points": thinned([as_json(one) for one in points]), "as_of": at, "problem": ""}
    with transaction.atomic():
        graph, _ = UseGraph.objects.update_or_create(
            datastore=row, reach=reach, defaults={"asked_at": at, **told}
        )
    return graph


def as_json(point: UsePoint) -> list[int | None]:
    """A point as it is stored."""
    seconds = int(point.at.timestamp())
    return [seconds, point.used_bytes, point.total_bytes, point.read_bytes, point.written_bytes]


def thinned(points: Sequence[list[int | None]]) -> list[list[int | None]]:
    """Every n-th point, so that few enough stay, the last one among them."""
    apart = -(-len(points) // MOST_POINTS) or 1
    return list(points[::-1][::apart][::-1])
