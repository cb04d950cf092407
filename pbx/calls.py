"""Collecting call records: each one once, by the PBX's own clock, priced on arrival.

    stored at   ---a--b-----------c--d--e---------> the PBX's clock
                      |<-overlap->|
                   read from    watermark (c)      the next import sees b to e

Rows can become visible later than ones stored after them, because a transaction gets its
time when it starts.  So every import reads a stretch again and knows what it has by uuid.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from provisioning.contract import ModuleError, ServerAccess
from provisioning.models import Server
from provisioning.wire import UnexpectedAnswer

from .answers import CallPage, RemoteCall
from .client import AgentClient
from .models import Call, CallCursor, Extension, Tenant
from .tariffs import TariffBook

OVERLAP = timedelta(minutes=15)
KNOWN_DIRECTIONS = frozenset(Call.Direction.values)
LONGEST_EXTENSION = 7


@dataclass(slots=True)
class ImportReport:
    """What one import did.  Parked calls are of tenants without a service, or of nobody."""

    server_id: int
    seen: int = 0
    added: int = 0
    parked: int = 0
    unrated: int = 0


def import_since(server_id: int, *, at: datetime) -> ImportReport:
    """Store and rate every call record of a server we do not have yet.

    Repeating it, at the same time or later, stores nothing twice.  Each page is kept as
    it comes, so an import that breaks off is continued by the next.
    Raises RemoteUnavailable, CredentialsRejected and the like; the cursor remembers why.
    """
    server = Server.objects.get(pk=server_id)
    cursor, _ = CallCursor.objects.get_or_create(server=server)
    try:
        report = _import(server, cursor, at=at)
    except ModuleError as error:
        CallCursor.objects.filter(pk=server_id).update(failed_at=at, last_error=str(error)[:500])
        raise
    CallCursor.objects.filter(pk=server_id).update(imported_at=at, failed_at=None, last_error="")
    return report


def beginning(server_id: int) -> str:
    """Where the next import of a server begins, in words."""
    cursor = CallCursor.objects.filter(pk=server_id).first()
    if cursor is None or cursor.watermark is None:
        return "from the first call"
    return f"from what was stored at {(cursor.watermark - OVERLAP).isoformat()}"


def _import(server: Server, cursor: CallCursor, *, at: datetime) -> ImportReport:
    agent = AgentClient(ServerAccess(server.pk, server.base_url, dict(server.credentials)))
    book, report = TariffBook(), ImportReport(server.pk)
    since = cursor.watermark and cursor.watermark - OVERLAP
    page = agent.fetch_calls(since=since)
    _store(page, server, book, report, at=at)
    while page.has_more:
        before, page = page, agent.fetch_calls(after=page.next)
        if page.next == before.next and page.has_more:
            raise UnexpectedAnswer("The agent repeats one page of calls for ever.")
        _store(page, server, book, report, at=at)
    return report


def _store(
    page: CallPage, server: Server, book: TariffBook, report: ImportReport, *, at: datetime
) -> None:
    """Keep the new calls of a page and move the watermark, both or neither."""
    fresh = _unknown(server, page.calls)
    with transaction.atomic():
        if fresh:
            rows = _rows(server, fresh, book, at=at)
            Call.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
            report.added += len(rows)
            report.parked += sum(row.service_id is None for row in rows)
            report.unrated += sum(row.rating == Call.Rating.UNRATED for row in rows)
        _move_watermark(server, page)
    report.seen += len(page.calls)


def _unknown(server: Server, calls: Sequence[RemoteCall]) -> list[RemoteCall]:
    if not calls:
        return []
    by_uuid = {call.uuid: call for call in calls}
    known = Call.objects.filter(server=server, uuid__in=by_uuid).values_list("uuid", flat=True)
    for uuid in known:
        del by_uuid[uuid]
    return list(by_uuid.values())


def _rows(
    server: Server, calls: Sequence[RemoteCall], book: TariffBook, *, at: datetime
) -> list[Call]:
    tenants = _tenants(server, calls)
    numbers = _extension_numbers(tenants.values())
    return [_row(server, call, tenants.get(call.tenant_id), numbers, book, at=at) for call in calls]


def _row(
    server: Server,
    call: RemoteCall,
    tenant: Tenant | None,
    numbers: Mapping[str, str],
    book: TariffBook,
    *,
    at: datetime,
) -> Call:
    service = tenant.service if tenant else None
    outcome = book.rater_for(service).rate(
        direction=call.direction,
        leg=call.leg,
        billsec=call.billsec,
        hangup_cause=call.hangup_cause,
        destination=call.destination,
    )
    return Call(
        server=server,
        uuid=call.uuid,
        service=service,
        tenant=tenant,
        extension_number=numbers.get(call.extension_id) or _likely_extension(call),
        direction=call.direction if call.direction in KNOWN_DIRECTIONS else "",
        leg=call.leg[:1],
        caller=call.caller[:80],
        destination=call.destination[:80],
        destination_digits=outcome.destination_digits[:40],
        started_at=call.started_at,
        answered_at=call.answered_at,
        ended_at=call.ended_at,
        billsec=call.billsec,
        hangup_cause=call.hangup_cause[:40],
        rating=outcome.rating,
        prefix=outcome.prefix,
        rate_description=outcome.rate_description,
        billed_s=outcome.billed_s,
        amount_micros=outcome.amount_micros,
        explanation=outcome.explanation,
        imported_at=at,
    )


def _likely_extension(call: RemoteCall) -> str:
    """The extension of a call whose account the portal never saw, if its number is one."""
    number = call.destination if call.direction == "inbound" else call.caller
    return number if number.isdigit() and len(number) <= LONGEST_EXTENSION else ""


def _tenants(server: Server, calls: Iterable[RemoteCall]) -> dict[str, Tenant]:
    """The calls' tenants by remote id, locked, so that no service takes one meanwhile.

    Tenants the portal has not seen are noted, without a service.
    """
    domains = {call.tenant_id: call.domain for call in calls if call.tenant_id}
    if not domains:
        return {}
    found = _locked_tenants(server, domains)
    if missing := domains.keys() - found.keys():
        Tenant.objects.bulk_create(
            [
                Tenant(server=server, remote_id=remote_id, domain=domains[remote_id][:253])
                for remote_id in sorted(missing)
            ],
            ignore_conflicts=True,
        )
        found = _locked_tenants(server, domains)
    return found


def _locked_tenants(server: Server, remote_ids: Iterable[str]) -> dict[str, Tenant]:
    tenants = (
        Tenant.objects.select_for_update(of=("self",), no_key=True)
        .filter(server=server, remote_id__in=list(remote_ids))
        .select_related("service__product")
        .order_by("pk")
    )
    return {tenant.remote_id: tenant for tenant in tenants}


def _extension_numbers(tenants: Iterable[Tenant]) -> dict[str, str]:
    """Numbers by the extensions' remote ids, removed ones too: their calls may come late."""
    known = Extension.objects.filter(tenant__in=list(tenants))
    return dict(known.values_list("remote_id", "number"))


def _move_watermark(server: Server, page: CallPage) -> None:
    """Forward to the newest row of the page, but never ahead of the PBX's own clock.

    A clock that was set back takes the watermark with it.
    """
    cursor = CallCursor.objects.select_for_update(no_key=True).get(pk=server.pk)
    newest = max((call.inserted_at for call in page.calls), default=cursor.watermark)
    if newest is None:
        return
    moved = min(max(newest, cursor.watermark or newest), page.now)
    if moved != cursor.watermark:
        CallCursor.objects.filter(pk=server.pk).update(watermark=moved)
