"""What the agent reads from FusionPBX's database, the same for versions 5.1 to 5.6.

Flags are text ('true') up to 5.4 and booleans from 5.5 on; cast to text both read alike.
Nothing in that schema is unique or required, so every column may be NULL.  All tables are
read with a role that may only SELECT.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from .backend import CallRecord, Cursor, Extension, Gateway, NotThere, Tenant

Run = Callable[[str, Mapping[str, Any]], Sequence[tuple[Any, ...]]]
"""Runs one query, with parameters written `%(name)s`, and returns its rows."""

HELD_BACK = timedelta(minutes=1)
"""`insert_date` is when a row's transaction began, so a slower one may still come in before
a row we can see.  The importer's take milliseconds."""

UP_STATES = ("REGED", "NOREG")


class FusionPbxReads:
    """The reading half of a back end.  `run` may be shared by threads if it allows that."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._has_status = bool(run(_STATUS_COLUMN, {}))

    def list_tenants(self) -> list[Tenant]:
        """All tenants, in order of uuid."""
        return [_tenant(row) for row in self._run(_TENANTS.format(where="true"), {})]

    def get_tenant(self, tenant_id: UUID) -> Tenant:
        """Raises NotThere."""
        rows = self._run(_TENANTS.format(where="d.domain_uuid = %(id)s"), {"id": tenant_id})
        if not rows:
            raise NotThere("no_such_tenant", "There is no tenant with this uuid.")
        return _tenant(rows[0])

    def find_tenant(self, domain: str) -> Tenant:
        """The tenant of a domain, in any case; the older one, should there be two.

        Raises NotThere.
        """
        where = "lower(d.domain_name) = lower(%(domain)s)"
        rows = self._run(_TENANTS.format(where=where), {"domain": domain})
        if not rows:
            raise NotThere("no_such_tenant", "There is no tenant with this domain.")
        return min((_tenant(row) for row in rows), key=lambda tenant: tenant.created_at)

    def list_extensions(self, tenant_id: UUID) -> list[Extension]:
        """The tenant's extensions, in order of number.  Raises NotThere."""
        self.get_tenant(tenant_id)
        return [Extension(*row) for row in self._run(_EXTENSIONS, {"id": tenant_id})]

    def list_gateways(self, states: Mapping[str, str]) -> list[Gateway]:
        """All gateways, in order of name.

        `states` are FreeSWITCH's, by gateway uuid in lower case; what it has not loaded is
        DOWN.
        """
        gateways = []
        for gateway_id, name, domain, username, enabled in self._run(_GATEWAYS, {}):
            state = states.get(str(gateway_id), "DOWN")
            is_up = enabled and state in UP_STATES
            gateways.append(Gateway(gateway_id, name, domain, username, enabled, state, is_up))
        return gateways

    def list_calls(
        self, *, since: datetime | None, after: Cursor | None, limit: int
    ) -> tuple[list[CallRecord], datetime]:
        """As `BackEnd.list_calls`, in one query even if there is nothing new.

        It wants an index on v_xml_cdr (insert_date, xml_cdr_uuid), which FusionPBX has not.
        Rows of third parties without `insert_date` are never found this way.
        """
        conditions = ["insert_date <= now() - %(held_back)s"]
        if since is not None:
            conditions.append("insert_date >= %(since)s")
        if after is not None:
            conditions.append("(insert_date, xml_cdr_uuid) > (%(moment)s, %(uuid)s)")
        query = _CALL_PAGE.format(columns=self._columns(), where=" AND ".join(conditions))
        rows = self._run(
            query,
            {
                "held_back": HELD_BACK,
                "since": since,
                "moment": after.insert_date if after else None,
                "uuid": after.xml_cdr_uuid if after else None,
                "limit": limit,
            },
        )
        # Without a call there is one row all the same: it tells the time.
        calls = [CallRecord(*row[1:]) for row in rows if row[1] is not None]
        return calls, rows[0][0]

    def list_calls_begun(self, *, start: datetime, end: datetime, limit: int) -> list[CallRecord]:
        """Call records that began in [start, end), in that order: the first `limit`."""
        query = _CALLS_BEGUN.format(columns=self._columns())
        parameters = {"start": start.timestamp(), "end": end.timestamp(), "limit": limit}
        return [CallRecord(*row) for row in self._run(query, parameters)]

    def _columns(self) -> str:
        # 5.1 had no status.
        return _CALL_COLUMNS.format(status="coalesce(status, '')" if self._has_status else "''")


def _tenant(row: Sequence[Any]) -> Tenant:
    tenant_id, domain, description, enabled, created_at, numbers = row
    return Tenant(tenant_id, domain, description, not enabled, tuple(numbers), created_at)


_STATUS_COLUMN = """
SELECT 1 FROM information_schema.columns
WHERE table_schema = ANY(current_schemas(false))
  AND table_name = 'v_xml_cdr' AND column_name = 'status'
"""
_TENANTS = """
SELECT d.domain_uuid, coalesce(d.domain_name, ''), coalesce(d.domain_description, ''),
       coalesce(d.domain_enabled, false), coalesce(d.insert_date, to_timestamp(0)),
       array(
           SELECT e.extension FROM v_extensions e
           WHERE e.domain_uuid = d.domain_uuid AND e.extension IS NOT NULL
           ORDER BY length(e.extension), e.extension
       )
FROM v_domains d
WHERE {where}
ORDER BY d.domain_uuid
"""
_EXTENSIONS = """
SELECT extension_uuid, domain_uuid, extension, coalesce(effective_caller_id_name, ''),
       coalesce(password, ''), coalesce(enabled::text, '') = 'true'
FROM v_extensions
WHERE domain_uuid = %(id)s AND extension IS NOT NULL
ORDER BY length(extension), extension, extension_uuid
"""
_GATEWAYS = """
SELECT gateway_uuid, coalesce(gateway, ''), coalesce(nullif(proxy, ''), realm, ''),
       coalesce(username, ''), coalesce(enabled::text, '') = 'true'
FROM v_gateways
ORDER BY gateway, gateway_uuid
"""
_CALL_COLUMNS = """
xml_cdr_uuid, domain_uuid, domain_name, extension_uuid, nullif(direction, '') AS direction,
coalesce(leg, '') AS leg, coalesce(caller_id_name, '') AS caller_id_name,
coalesce(caller_id_number, '') AS caller_id_number,
coalesce(caller_destination, '') AS caller_destination,
coalesce(destination_number, '') AS destination_number,
floor(coalesce(start_epoch, 0))::bigint AS start_epoch,
floor(coalesce(answer_epoch, 0))::bigint AS answer_epoch,
floor(coalesce(end_epoch, 0))::bigint AS end_epoch,
floor(coalesce(billsec, 0))::bigint AS billsec,
floor(coalesce(billmsec, 0))::bigint AS billmsec,
coalesce(hangup_cause, '') AS hangup_cause, {status} AS status,
coalesce(accountcode, '') AS accountcode, insert_date
"""
_CALL_PAGE = """
SELECT clock.now, page.*
FROM (SELECT now()) AS clock
LEFT JOIN (
    SELECT {columns} FROM v_xml_cdr
    WHERE {where}
    ORDER BY insert_date, xml_cdr_uuid
    LIMIT %(limit)s
) AS page ON true
ORDER BY page.insert_date, page.xml_cdr_uuid
"""
_CALLS_BEGUN = """
SELECT {columns} FROM v_xml_cdr
WHERE start_epoch >= %(start)s AND start_epoch < %(end)s AND insert_date IS NOT NULL
ORDER BY start_epoch, xml_cdr_uuid
LIMIT %(limit)s
"""
