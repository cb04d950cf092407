"""What the agent asks of a PBX: the values that cross, and the protocol back ends keep.

Standard library only, like everything in this package: the agent is installed on the PBX
host, where nothing else of the portal exists.

Portals choose the uuids.  Because of that every write may be repeated: the second
`put_tenant` with one uuid finds what the first one made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


class BackEndError(Exception):
    """The PBX did not do what was asked.  `code` is for programs, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class NotThere(BackEndError):
    """The tenant, extension or gateway does not exist."""


class Taken(BackEndError):
    """A name or number already belongs to something else."""


class Unavailable(BackEndError):
    """The PBX cannot answer now.  The same request may be repeated."""

    def __init__(self, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__("unavailable", message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Tenant:
    """A FusionPBX domain.  `numbers` are its extensions' numbers, in order."""

    tenant_id: UUID
    domain: str
    description: str
    suspended: bool
    numbers: Sequence[str]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Extension:
    """A phone's account in a tenant.  `password` is its SIP secret, in clear."""

    extension_id: UUID
    tenant_id: UUID
    number: str
    name: str
    password: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Registration:
    """A phone that is reachable now."""

    tenant_id: UUID
    extension_id: UUID
    domain: str
    number: str
    address: str
    port: int
    user_agent: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Gateway:
    """A SIP trunk to a carrier.  Its password can be written but never read back.

    Without `username` the carrier knows us by our address and nothing is registered.
    `state` is FreeSWITCH's: REGED, NOREG, TRYING, FAIL_WAIT and so on.
    """

    gateway_id: UUID
    name: str
    domain: str
    username: str
    enabled: bool
    state: str
    is_up: bool


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A row of `v_xml_cdr`, by its column names.

    Epochs are UTC seconds; `answer_epoch` is 0 for a call nobody answered.  `insert_date`
    is when the row arrived, which may be long after the call.  A tenant or an extension
    that FreeSWITCH could not name is None.
    """

    xml_cdr_uuid: UUID
    domain_uuid: UUID | None
    domain_name: str | None
    extension_uuid: UUID | None
    direction: str | None
    leg: str
    caller_id_name: str
    caller_id_number: str
    caller_destination: str
    destination_number: str
    start_epoch: int
    answer_epoch: int
    end_epoch: int
    billsec: int
    billmsec: int
    hangup_cause: str
    status: str
    accountcode: str
    insert_date: datetime


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the arrival order of call records: just after this row."""

    insert_date: datetime
    xml_cdr_uuid: UUID


@dataclass(frozen=True, slots=True)
class Status:
    """How the PBX is doing.  `now` is its own clock."""

    now: datetime
    version: str
    uptime_s: int
    active_calls: int
    tenants: int
    total_extensions: int
    registered_extensions: int


class BackEnd(Protocol):
    """A PBX the agent can drive.  Every method may raise `Unavailable`."""

    def status(self) -> Status:
        """Counters, version and the PBX's clock."""

    def put_tenant(self, tenant_id: UUID, *, domain: str, description: str) -> tuple[Tenant, bool]:
        """The tenant with this uuid, and whether it was made just now.

        Raises Taken if another tenant has `domain` (in any case), or if this uuid already
        stands for another domain: FusionPBX cannot rename a tenant safely.
        """

    def get_tenant(self, tenant_id: UUID) -> Tenant:
        """Raises NotThere."""

    def find_tenant(self, domain: str) -> Tenant:
        """The tenant of a domain, in any case.  Raises NotThere."""

    def list_tenants(self) -> list[Tenant]:
        """All tenants, in order of uuid."""

    def set_suspended(self, tenant_id: UUID, suspended: bool) -> Tenant:
        """Stop, or allow again, every call and registration of the tenant.

        Raises NotThere.
        """

    def delete_tenant(self, tenant_id: UUID) -> None:
        """Remove the tenant and its extensions, but not its call records.

        The last calls are collected after the tenant is gone.  Raises NotThere.
        """

    def put_extension(
        self, tenant_id: UUID, extension_id: UUID, *, number: str, name: str, password: str | None
    ) -> tuple[Extension, bool]:
        """The extension with this uuid, and whether it was made just now.

        Without `password` a new extension gets a random one and an old one keeps its own.
        A disabled one stays disabled.
        Raises NotThere for the tenant, Taken if the number or the uuid is another's.
        """

    def set_enabled(self, tenant_id: UUID, extension_id: UUID, enabled: bool) -> Extension:
        """Let an extension call and register, or not.  Disabling drops its registration.

        Raises NotThere.
        """

    def list_extensions(self, tenant_id: UUID) -> list[Extension]:
        """The tenant's extensions, in order of number.  Raises NotThere."""

    def delete_extension(self, tenant_id: UUID, extension_id: UUID) -> None:
        """Raises NotThere."""

    def rotate_secret(
        self, tenant_id: UUID, extension_id: UUID, *, password: str | None
    ) -> Extension:
        """Give the extension another SIP secret and drop its registration.

        Raises NotThere.
        """

    def list_registrations(self, tenant_id: UUID | None) -> list[Registration]:
        """Phones reachable now, of one tenant or of all.  Raises NotThere."""

    def put_gateway(
        self,
        gateway_id: UUID,
        *,
        name: str,
        domain: str,
        username: str,
        password: str | None,
        enabled: bool,
    ) -> tuple[Gateway, bool]:
        """The gateway with this uuid, and whether it was made just now.

        Without `password` it keeps the one it has.  Raises Taken if the name is another's.
        """

    def get_gateway(self, gateway_id: UUID) -> Gateway:
        """Raises NotThere."""

    def list_gateways(self) -> list[Gateway]:
        """All gateways, in order of name."""

    def delete_gateway(self, gateway_id: UUID) -> None:
        """Raises NotThere."""

    def list_calls(
        self, *, since: datetime | None, after: Cursor | None, limit: int
    ) -> tuple[list[CallRecord], datetime]:
        """Call records in order of arrival, and the clock of the database they came from.

        Either from `since` on, inclusive, or after a cursor, or from the first.  Rows that
        may still be overtaken by a slower transaction are held back.
        """

    def list_calls_begun(self, *, start: datetime, end: datetime, limit: int) -> list[CallRecord]:
        """Call records that began in [start, end), in that order: the first `limit`."""
