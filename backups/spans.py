"""What the sightings of a datastore say about its sizes.  Pure: no rows, no clock.

The rescale log has exact moments and is believed when its chain of sizes fits what was
seen.  Without it only the sightings count, in the client's favour: an increase from the
moment it was first seen, a decrease from the moment the old size was last seen.

    seen          500   500   600   600   500
    sizes     |----500----------|---600-|---500---
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import product

from .answers import BYTES_PER_GB, Rescale

LONGEST_UNWATCHED = timedelta(minutes=90)
"""Sizes are looked at every hour; two sightings further apart leave a gap."""
CLOCK_SKEW = timedelta(minutes=1)
"""How far the vendor's clock may be from ours."""


class Source(StrEnum):
    """How the start of a span is known."""

    POLL = "poll"
    LOG = "log"
    JOB = "job"
    CREATED = "created"


@dataclass(frozen=True, slots=True)
class Span:
    """One size for one stretch of time; `ends_at` is None while it stands."""

    size_bytes: int
    starts_at: datetime
    first_seen_at: datetime
    last_seen_at: datetime
    ends_at: datetime | None
    source: Source


@dataclass(frozen=True, slots=True)
class Sighting:
    """A size at a moment.  `log` holds the vendor's changes if they could be read.

    `is_ours` says that we made the change ourselves, so that its moment is exact.
    """

    at: datetime
    size_bytes: int
    log: Sequence[Rescale] = ()
    is_ours: bool = False


def first_span(sighting: Sighting, *, created_at: datetime | None) -> Span:
    """The span of a datastore seen for the first time.  It stood since it was created."""
    at = sighting.at
    if created_at is None:
        return Span(sighting.size_bytes, at, at, at, None, Source.POLL)
    # The vendor's clock may be ahead of ours.
    return Span(sighting.size_bytes, min(created_at, at), at, at, None, Source.CREATED)


def follow(present: Span, sighting: Sighting, *, charged_until: datetime | None) -> list[Span]:
    """The open span `present` and what follows it, once `sighting` is known, in time order.

    The last one is open and has the size seen.  Nothing before `charged_until` changes.
    A sighting before the last one is no news.
    """
    if sighting.at < present.last_seen_at:
        return [present]
    if sighting.size_bytes == present.size_bytes:
        return _same_size(present, sighting.at)
    changes = _exact_changes(present, sighting)
    if not changes:
        changes = [_bounded_change(present, sighting)]
    # Not before the span itself, nor before what is on an invoice.
    floor = max(present.starts_at, charged_until or present.starts_at)
    return _chained(present, [replace(one, at=max(one.at, floor)) for one in changes], sighting.at)


@dataclass(frozen=True, slots=True)
class LateSize:
    """A stretch that was charged at one size and, as is known now, had another."""

    starts_at: datetime
    ends_at: datetime
    billed_bytes: int
    size_bytes: int
    source: Source


def late_sizes(
    present: Span, sighting: Sighting, *, charged_until: datetime | None
) -> list[LateSize]:
    """What a sighting tells about time that is already charged, in time order.

    `follow` leaves that time as it was billed; this is the difference.

        charged   |-------------- 800 -----------|
        in truth  |------- 800 ------|--- 500 ---|--- 500 ...
        late                         |-----------|
    """
    if charged_until is None or sighting.at < present.last_seen_at:
        return []
    if sighting.size_bytes == present.size_bytes:
        return []
    changes = _exact_changes(present, sighting) or [_bounded_change(present, sighting)]
    late = []
    for change, later in zip(changes, [*changes[1:], None], strict=True):
        starts_at = max(change.at, present.starts_at)
        ends_at = min(later.at if later else charged_until, charged_until)
        if starts_at < ends_at and change.size_bytes != present.size_bytes:
            late.append(
                LateSize(starts_at, ends_at, present.size_bytes, change.size_bytes, change.source)
            )
    return late


def unwatched(earlier: datetime, later: datetime) -> bool:
    """Whether nobody was looking between two sightings."""
    return later - earlier > LONGEST_UNWATCHED


def _same_size(present: Span, at: datetime) -> list[Span]:
    """The span goes on; after a gap a new one starts, so that the gap can be seen."""
    if not unwatched(present.last_seen_at, at):
        return [replace(present, last_seen_at=at)]
    after = Span(present.size_bytes, at, at, at, None, Source.POLL)
    return [replace(present, ends_at=at), after]


@dataclass(frozen=True, slots=True)
class _Change:
    at: datetime
    size_bytes: int
    source: Source
    seen_at: datetime
    """When the new size was first witnessed; the log witnesses from the start."""


def _bounded_change(present: Span, sighting: Sighting) -> _Change:
    """The one change two sightings prove, at the end of the time it may have happened in."""
    at, size_bytes = sighting.at, sighting.size_bytes
    if sighting.is_ours:
        return _Change(at, size_bytes, Source.JOB, at)
    grew = size_bytes > present.size_bytes
    return _Change(at if grew else present.last_seen_at, size_bytes, Source.POLL, at)


def _exact_changes(present: Span, sighting: Sighting) -> list[_Change]:
    """The log's changes since the last sighting; none if they do not lead to the new size.

    A change near the edges may belong to the sightings' side of it or not, because two
    clocks are compared: the chain of sizes decides.
    """
    for before, after in product((CLOCK_SKEW, timedelta()), repeat=2):
        since = max(present.starts_at, present.last_seen_at - before)
        recent = [one for one in sighting.log if since < one.at <= sighting.at + after]
        if _leads(recent, present.size_bytes, sighting.size_bytes):
            return [_from_log(one, present.last_seen_at, sighting.at) for one in recent]
    return []


def _leads(changes: Sequence[Rescale], from_bytes: int, to_bytes: int) -> bool:
    """Whether the changes are one chain from the old size to the new."""
    standing = from_bytes
    for change in changes:
        if change.from_gb * BYTES_PER_GB != standing:
            return False
        standing = int(change.to_gb * BYTES_PER_GB)
    return bool(changes) and standing == to_bytes


def _from_log(change: Rescale, earliest: datetime, latest: datetime) -> _Change:
    at = min(max(change.at, earliest), latest)
    return _Change(at, int(change.to_gb * BYTES_PER_GB), Source.LOG, at)


def _chained(present: Span, changes: Sequence[_Change], at: datetime) -> list[Span]:
    """`present` and a span per change, each ending where the next one starts."""
    first = changes[0]
    # The log also witnesses that the old size stood until the change.
    seen_until = first.at if first.source == Source.LOG else present.last_seen_at
    spans = [replace(present, last_seen_at=max(present.last_seen_at, seen_until), ends_at=first.at)]
    for change, later in zip(changes, [*changes[1:], None], strict=True):
        ends_at = later.at if later else None
        seen_at = max(change.seen_at, change.at)
        spans.append(
            Span(
                size_bytes=change.size_bytes,
                starts_at=change.at,
                first_seen_at=seen_at,
                last_seen_at=max(seen_at, ends_at or at),
                ends_at=ends_at,
                source=change.source,
            )
        )
    return spans
