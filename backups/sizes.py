"""Recording what stands at the vendor: every account once an hour, and after every job.

`look` asks the vendor (one list, and the rescale log of each datastore whose size
changed), `record` writes in one short transaction; no request is made inside it.
Recording the same look twice changes nothing, an old one is no news.

Order of locks: server, then datastore.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from django.db import transaction
from django.db.models import QuerySet

from provisioning import registry
from provisioning.contract import ModuleError, RemoteState
from provisioning.models import Job, Server

from . import spend_guard, use_alerts
from .answers import Rescale
from .configuring import settings_in
from .models import Datastore, LateSize, SizeSpan
from .span_rows import (
    SEEN_FIELDS,
    Look,
    LookWriter,
    Observation,
    Recorded,
    bring_up_to_date,
    fields_of,
    late_rows,
    new_datastore,
    span_of,
)
from .spans import Sighting, first_span, follow

logger = logging.getLogger(__name__)

_LOG_MARGIN_DAYS = 7
_SHORTEST_LOG_DAYS = 30


class SizeSource(Protocol):
    """What recording needs of the module; `RemoteBackupsModule` has it."""

    def list_accounts(self) -> list[RemoteState]: ...

    def rescale_log(self, remote_id: str, *, days: int) -> list[Rescale]: ...


def record_server(server_id: int, *, at: datetime) -> Recorded:
    """Look at every datastore of an account and record it.

    Raises RemoteUnavailable or RemoteRejected if the vendor cannot be asked; then nothing
    is recorded, and the next look shows the gap.
    """
    recorded = record(look(server_id, at=at))
    recorded.filling = use_alerts.tell(server_id, at=at)
    recorded.beyond = spend_guard.guard(server_id, at=at)
    return recorded


def look(server_id: int, *, at: datetime) -> Look:
    """Ask the vendor what stands.  `at` is the moment before asking."""
    server = Server.objects.get(pk=server_id)
    source = cast("SizeSource", registry.connect(server))
    before = {row.remote_id: row for row in Datastore.objects.filter(server=server)}
    observations = []
    for state in source.list_accounts():
        row = before.get(state.remote_id)
        log: Sequence[Rescale] = ()
        if row and row.size_bytes != state.details["size_bytes"] and not row.deleted_at:
            log = _rescale_log(source, row, at=at)
        observations.append(observation(state, log=log))
    known = {remote_id: row.last_seen_at for remote_id, row in before.items()}
    return Look(server_id, at, observations, known)


def observation(state: RemoteState, *, log: Sequence[Rescale] = ()) -> Observation:
    """What recording needs of a remote state."""
    return Observation(
        remote_id=state.remote_id,
        name=state.name,
        size_bytes=state.details["size_bytes"],
        used_bytes=state.details["used_bytes"],
        created_at=state.created_at,
        log=log,
        settings=settings_in(state.details),
    )


def record(look: Look) -> Recorded:
    """Write a look down: spans go on, change or begin; what is not listed is missing.

    The number of queries does not grow with the number of datastores, but for the size
    of a batch.
    """
    with transaction.atomic():
        Server.objects.select_for_update(no_key=True).get(pk=look.server_id)
        rows = {row.remote_id: row for row in _locked(server_id=look.server_id)}
        untouched = {
            remote_id: row
            for remote_id, row in rows.items()
            if not row.deleted_at
            and row.last_seen_at == look.known.get(remote_id)
            and row.last_seen_at <= look.at
        }
        writer = LookWriter(look, untouched)
        for seen in look.observations:
            if seen.remote_id in untouched:
                writer.follow(seen)
            elif seen.remote_id not in rows:
                writer.begin(seen)
        writer.write()
        return writer.recorded


def record_job(server_id: int, service_id: int, seen: Observation, *, at: datetime) -> None:
    """Record what a job of a service just saw, in the job's transaction.

    A change the job itself made has the job's moment.
    """
    with transaction.atomic():
        Server.objects.select_for_update(no_key=True).get(pk=server_id)
        row = _locked(server_id=server_id, remote_id=seen.remote_id).first()
        if row is None:
            row = new_datastore(server_id, seen, at=at)
            row.service_id = service_id
            row.save()
            span = first_span(Sighting(at, seen.size_bytes), created_at=seen.created_at)
            SizeSpan.objects.create(**fields_of(span), datastore=row)
            return
        row.service_id = service_id
        if at >= row.last_seen_at and not row.deleted_at:
            sighting = Sighting(at, seen.size_bytes, is_ours=_was_changed_by_job(service_id, at))
            _follow_one(row, sighting)
            bring_up_to_date(row, seen, at=at)
        row.save(update_fields=["service", *SEEN_FIELDS])


def record_removal(server_id: int, remote_id: str, *, at: datetime) -> None:
    """Record that we deleted a datastore at `at`.  One never seen leaves no trace."""
    with transaction.atomic():
        Server.objects.select_for_update(no_key=True).get(pk=server_id)
        row = _locked(server_id=server_id, remote_id=remote_id, deleted_at__isnull=True).first()
        if row is None:
            return
        span = row.spans.get(ends_at__isnull=True)
        # One that was already missing ended when it was last seen.
        span.ends_at = span.last_seen_at if row.missing_at else max(at, span.last_seen_at)
        span.save(update_fields=["ends_at"])
        row.deleted_at = at
        row.last_seen_at = max(at, row.last_seen_at)
        row.save(update_fields=["deleted_at", "last_seen_at"])


def _locked(**filters: Any) -> QuerySet[Datastore]:
    """Datastores nobody else may change or charge until the transaction ends."""
    return Datastore.objects.select_for_update(no_key=True).filter(**filters).order_by("pk")


def _rescale_log(source: SizeSource, row: Datastore, *, at: datetime) -> Sequence[Rescale]:
    """The vendor's exact moments; nothing if it does not tell, which never stops recording."""
    days = (at - row.last_seen_at) // timedelta(days=1) + _LOG_MARGIN_DAYS
    try:
        return source.rescale_log(row.remote_id, days=max(days, _SHORTEST_LOG_DAYS))
    except ModuleError as error:
        logger.warning("no rescale log of datastore %s: %s", row.remote_id, error)
        return ()


def _follow_one(row: Datastore, sighting: Sighting) -> None:
    present = row.spans.get(ends_at__isnull=True)
    late = [] if row.missing_at else late_rows(row, span_of(present), sighting)
    LateSize.objects.bulk_create(late, ignore_conflicts=True)
    first, *later = follow(span_of(present), sighting, charged_until=row.charged_until)
    present.last_seen_at, present.ends_at = first.last_seen_at, first.ends_at
    present.save(update_fields=["last_seen_at", "ends_at"])
    SizeSpan.objects.bulk_create(SizeSpan(**fields_of(span), datastore=row) for span in later)


def _was_changed_by_job(service_id: int, at: datetime) -> bool:
    """Whether the job that just ended set the size; a refresh only looks."""
    return Job.objects.filter(
        service_id=service_id,
        kind__in=[Job.Kind.CREATE, Job.Kind.RESIZE],
        status=Job.Status.DONE,
        finished_at=at,
    ).exists()
