"""Sightings and spans as rows: one row at a time, or all of an account a table at a time."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from provisioning.models import Placement

from .answers import BYTES_PER_GB, Rescale, in_gb
from .limits import SIZE_STEP_GB
from .models import Datastore, LateSize, SizeSpan
from .spans import Sighting, Source, Span, first_span, follow, late_sizes

logger = logging.getLogger(__name__)

SEEN_FIELDS = ("name", "size_bytes", "used_bytes", "settings", "missing_at", "last_seen_at")
"""What a sighting changes in a datastore's row."""

_LONGEST_NAME = 200
_NAMED_IN_LOG = 5


@dataclass(frozen=True, slots=True)
class Observation:
    """One datastore as the vendor showed it.  `log` holds its size changes, if they were read."""

    remote_id: str
    name: str
    size_bytes: int
    used_bytes: int | None
    created_at: datetime | None
    log: Sequence[Rescale] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """All datastores of an account at a moment.

    `known` holds when each datastore was last seen before the vendor was asked: one that
    a job recorded in between is left alone, because the job knows better.
    """

    server_id: int
    at: datetime
    observations: Sequence[Observation]
    known: Mapping[str, datetime]


@dataclass(slots=True)
class Recorded:
    """What a look changed, in sentences for staff, and how many datastores it saw."""

    seen: int = 0
    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    filling: list[str] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)


class LookWriter:
    """The writes of one look, collected first and then made a table at a time."""

    def __init__(self, look: Look, rows: Mapping[str, Datastore]) -> None:
        self.recorded = Recorded()
        self._look = look
        self._rows = rows
        self._open = {
            span.datastore_id: span
            for span in SizeSpan.objects.filter(
                datastore__server_id=look.server_id, ends_at__isnull=True
            )
        }
        self._seen: list[Datastore] = []
        self._changed_rows: list[Datastore] = []
        self._seen_spans: list[int] = []
        self._ended_spans: list[SizeSpan] = []
        self._new_rows: list[tuple[Datastore, Span]] = []
        self._new_spans: list[SizeSpan] = []
        self._late: list[LateSize] = []

    def begin(self, seen: Observation) -> None:
        """Note a datastore seen for the first time."""
        row = new_datastore(self._look.server_id, seen, at=self._look.at)
        sighting = Sighting(self._look.at, seen.size_bytes)
        self._new_rows.append((row, first_span(sighting, created_at=seen.created_at)))
        self.recorded.new.append(f"{seen.name}: {_size(seen.size_bytes)}")
        self.recorded.seen += 1

    def follow(self, seen: Observation) -> None:
        """Note a datastore seen again."""
        row, at = self._rows[seen.remote_id], self._look.at
        present = self._open[row.pk]
        sighting = Sighting(at, seen.size_bytes, seen.log)
        spans = follow(span_of(present), sighting, charged_until=row.charged_until)
        if not row.missing_at:
            self._note_late(late_rows(row, span_of(present), sighting))
        self._note_spans(row, present, spans)
        if row.size_bytes != seen.size_bytes:
            before, after = _size(row.size_bytes), _size(seen.size_bytes)
            self.recorded.changed.append(f"{seen.name}: {before} -> {after}")
        if bring_up_to_date(row, seen, at=at):
            self._changed_rows.append(row)
        self._seen.append(row)
        self.recorded.seen += 1

    def _note_late(self, late: Sequence[LateSize]) -> None:
        self._late += late
        self.recorded.late += [str(one) for one in late]

    def _note_spans(self, row: Datastore, present: SizeSpan, spans: Sequence[Span]) -> None:
        if len(spans) == 1:
            self._seen_spans.append(present.pk)
            return
        present.last_seen_at, present.ends_at = spans[0].last_seen_at, spans[0].ends_at
        self._ended_spans.append(present)
        self._new_spans += [SizeSpan(**fields_of(span), datastore=row) for span in spans[1:]]

    def write(self) -> None:
        at = self._look.at
        self._note_missing()
        created = Datastore.objects.bulk_create([row for row, _ in self._new_rows])
        self._new_spans += [
            SizeSpan(**fields_of(span), datastore=row)
            for row, (_, span) in zip(created, self._new_rows, strict=True)
        ]
        SizeSpan.objects.filter(pk__in=self._seen_spans).update(last_seen_at=at)
        # Ended before new ones open: a datastore has one open span.
        SizeSpan.objects.bulk_update(self._ended_spans, ["last_seen_at", "ends_at"])
        SizeSpan.objects.bulk_create(self._new_spans)
        if self._late:
            LateSize.objects.bulk_create(self._late, ignore_conflicts=True)
        _overwrite(self._changed_rows)
        Datastore.objects.filter(pk__in=[row.pk for row in self._seen]).update(last_seen_at=at)
        _link_to_services(self._look.server_id)

    def _note_missing(self) -> None:
        listed = {seen.remote_id for seen in self._look.observations}
        gone = [
            row
            for remote_id, row in self._rows.items()
            if remote_id not in listed and not row.missing_at and row.last_seen_at < self._look.at
        ]
        Datastore.objects.filter(pk__in=[row.pk for row in gone]).update(missing_at=self._look.at)
        self.recorded.missing = [row.name for row in gone]
        if gone:
            ids = ", ".join(row.remote_id for row in gone[:_NAMED_IN_LOG])
            server_id = self._look.server_id
            logger.warning("server %s: %s datastores missing: %s ...", server_id, len(gone), ids)


def new_datastore(server_id: int, seen: Observation, *, at: datetime) -> Datastore:
    """A row, not yet saved, for a datastore seen for the first time."""
    return Datastore(
        server_id=server_id,
        remote_id=seen.remote_id,
        name=seen.name[:_LONGEST_NAME],
        size_bytes=seen.size_bytes,
        used_bytes=seen.used_bytes,
        settings=dict(seen.settings),
        created_at=seen.created_at,
        first_seen_at=at,
        last_seen_at=at,
    )


def bring_up_to_date(row: Datastore, seen: Observation, *, at: datetime) -> bool:
    """Bring the row up to date; whether anything but `last_seen_at` is new."""
    before = _shown(row)
    row.name, row.size_bytes, row.used_bytes = (
        seen.name[:_LONGEST_NAME],
        seen.size_bytes,
        seen.used_bytes,
    )
    row.settings = dict(seen.settings)
    row.missing_at = None
    row.last_seen_at = at
    return before != _shown(row)


def late_rows(row: Datastore, present: Span, sighting: Sighting) -> list[LateSize]:
    """Rows, not yet saved, for what a sighting tells about time that is charged.

    Not for one that was missing: it was billed only for as long as it was seen.
    """
    return [
        LateSize(
            datastore=row,
            starts_at=late.starts_at,
            ends_at=late.ends_at,
            billed_bytes=late.billed_bytes,
            size_bytes=late.size_bytes,
            source=late.source,
            noted_at=sighting.at,
        )
        for late in late_sizes(present, sighting, charged_until=row.charged_until)
    ]


def _shown(row: Datastore) -> tuple[object, ...]:
    return (row.name, row.size_bytes, row.used_bytes, row.settings, row.missing_at)


def _size(size_bytes: int) -> str:
    off_grid = "" if size_bytes % (SIZE_STEP_GB * BYTES_PER_GB) == 0 else " (off the grid)"
    return f"{in_gb(size_bytes)} GB{off_grid}"


def _overwrite(rows: Sequence[Datastore]) -> None:
    """Write many existing rows: one upsert is faster than a CASE per row and field."""
    Datastore.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["server", "remote_id"],
        update_fields=SEEN_FIELDS,
    )


def _link_to_services(server_id: int) -> None:
    """Tell datastores which service they are, where a placement says so since."""
    unlinked = Datastore.objects.filter(server_id=server_id, service__isnull=True)
    placements = Placement.objects.filter(
        server_id=server_id, remote_id__in=unlinked.values("remote_id")
    )
    for remote_id, service_id in placements.values_list("remote_id", "service_id"):
        unlinked.filter(remote_id=remote_id).update(service_id=service_id)


def span_of(row: SizeSpan) -> Span:
    """The row as a value."""
    return Span(
        size_bytes=row.size_bytes,
        starts_at=row.starts_at,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        ends_at=row.ends_at,
        source=Source(row.source),
    )


def fields_of(span: Span) -> dict[str, object]:
    """The value as the columns of a row."""
    return {
        "size_bytes": span.size_bytes,
        "starts_at": span.starts_at,
        "first_seen_at": span.first_seen_at,
        "last_seen_at": span.last_seen_at,
        "ends_at": span.ends_at,
        "source": span.source,
    }
