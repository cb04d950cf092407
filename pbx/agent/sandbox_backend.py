"""A PBX that exists only in memory, but believably: what it is told, it remembers.

It keeps FusionPBX's habits where they matter to callers: domain names are unique in any
case, calls arrive after they end and are read in order of arrival, a call uuid is stored
once, a suspended tenant has no phones, and rows outlive the tenant they belong to.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from secrets import choice
from threading import RLock
from typing import Any
from uuid import UUID

from .backend import (
    CallRecord,
    Cursor,
    Extension,
    Gateway,
    NotThere,
    Registration,
    Status,
    Taken,
    Tenant,
)
from .sandbox_calls import CallSpec, record_call
from .sandbox_gateways import Gateways
from .sandbox_phones import Phones
from .sandbox_state import dumped, revived

VERSION = "5.6.4-sandbox"
PASSWORD_LENGTH = 20
PASSWORD_LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHIJKLMNPQRSTUVWXYZ23456789"


class SandboxBackEnd:
    """A stateful PBX.  `clock` is asked for the time; threads may share one object."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = RLock()
        self._tenants: dict[UUID, Tenant] = {}
        self._extensions: dict[UUID, Extension] = {}
        self._phones = Phones()
        self._gateways = Gateways()
        self._calls: list[CallRecord] = []
        self._call_ids: set[UUID] = set()
        self._started_at = clock() - timedelta(days=3, hours=4)

    # --- What BackEnd promises ----------------------------------------------------------

    def status(self) -> Status:
        now = self._clock()
        moment = now.timestamp()
        with self._lock:
            return Status(
                now=now,
                version=VERSION,
                uptime_s=max(0, int((now - self._started_at).total_seconds())),
                active_calls=sum(
                    call.start_epoch <= moment < call.end_epoch for call in self._calls
                ),
                tenants=len(self._tenants),
                total_extensions=len(self._extensions),
                registered_extensions=len(self.list_registrations(None)),
            )

    def put_tenant(self, tenant_id: UUID, *, domain: str, description: str) -> tuple[Tenant, bool]:
        with self._lock:
            known = self._tenants.get(tenant_id)
            if known and known.domain != domain:
                raise Taken("tenant_differs", f"This uuid is the tenant {known.domain}.")
            if any(t.domain == domain and t.tenant_id != tenant_id for t in self._tenants.values()):
                raise Taken("domain_taken", f"The domain {domain} belongs to another tenant.")
            if known:
                self._tenants[tenant_id] = replace(known, description=description)
            else:
                self._tenants[tenant_id] = Tenant(
                    tenant_id, domain, description, False, (), self._clock()
                )
            return self.get_tenant(tenant_id), known is None

    def get_tenant(self, tenant_id: UUID) -> Tenant:
        with self._lock:
            if tenant_id not in self._tenants:
                raise NotThere("no_such_tenant", "There is no tenant with this uuid.")
            numbers = tuple(e.number for e in self._extensions_of(tenant_id))
            return replace(self._tenants[tenant_id], numbers=numbers)

    def find_tenant(self, domain: str) -> Tenant:
        with self._lock:
            for tenant in self._tenants.values():
                if tenant.domain == domain.lower():
                    return self.get_tenant(tenant.tenant_id)
        raise NotThere("no_such_tenant", "There is no tenant with this domain.")

    def list_tenants(self) -> list[Tenant]:
        with self._lock:
            return [self.get_tenant(tenant_id) for tenant_id in sorted(self._tenants)]

    def set_suspended(self, tenant_id: UUID, suspended: bool) -> Tenant:
        with self._lock:
            tenant = self.get_tenant(tenant_id)
            self._tenants[tenant_id] = replace(tenant, suspended=suspended)
            for extension in self._extensions_of(tenant_id) if suspended else ():
                self._phones.drop(extension.extension_id, now=self._clock())
            return self.get_tenant(tenant_id)

    def delete_tenant(self, tenant_id: UUID) -> None:
        with self._lock:
            self.get_tenant(tenant_id)
            for extension in self._extensions_of(tenant_id):
                del self._extensions[extension.extension_id]
            del self._tenants[tenant_id]

    def put_extension(
        self, tenant_id: UUID, extension_id: UUID, *, number: str, name: str, password: str | None
    ) -> tuple[Extension, bool]:
        with self._lock:
            self.get_tenant(tenant_id)
            known = self._extensions.get(extension_id)
            if known and known.tenant_id != tenant_id:
                raise Taken("extension_differs", "This uuid is an extension of another tenant.")
            for other in self._extensions_of(tenant_id):
                if other.number == number and other.extension_id != extension_id:
                    raise Taken("number_taken", f"Extension {number} exists already.")
            secret = password or (known.password if known else _new_password())
            enabled = known.enabled if known else True
            extension = Extension(extension_id, tenant_id, number, name, secret, enabled)
            self._extensions[extension_id] = extension
            return extension, known is None

    def set_enabled(self, tenant_id: UUID, extension_id: UUID, enabled: bool) -> Extension:
        with self._lock:
            changed = replace(self._extension(tenant_id, extension_id), enabled=enabled)
            self._extensions[extension_id] = changed
            if not enabled:
                self._phones.drop(extension_id, now=self._clock())
            return changed

    def list_extensions(self, tenant_id: UUID) -> list[Extension]:
        with self._lock:
            self.get_tenant(tenant_id)
            return self._extensions_of(tenant_id)

    def delete_extension(self, tenant_id: UUID, extension_id: UUID) -> None:
        with self._lock:
            del self._extensions[self._extension(tenant_id, extension_id).extension_id]

    def rotate_secret(
        self, tenant_id: UUID, extension_id: UUID, *, password: str | None
    ) -> Extension:
        with self._lock:
            extension = self._extension(tenant_id, extension_id)
            changed = replace(extension, password=password or _new_password())
            self._extensions[extension_id] = changed
            self._phones.drop(extension_id, now=self._clock())
            return changed

    def list_registrations(self, tenant_id: UUID | None) -> list[Registration]:
        now = self._clock()
        with self._lock:
            if tenant_id is not None:
                self.get_tenant(tenant_id)
            return [
                registration
                for extension in sorted(self._extensions.values(), key=_by_tenant_and_number)
                if tenant_id in (None, extension.tenant_id)
                and (registration := self._registration(extension, now))
            ]

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
        with self._lock:
            return self._gateways.put(
                gateway_id,
                name=name,
                domain=domain,
                username=username,
                password=password,
                enabled=enabled,
                now=self._clock(),
            )

    def get_gateway(self, gateway_id: UUID) -> Gateway:
        with self._lock:
            return self._gateways.get(gateway_id, now=self._clock())

    def list_gateways(self) -> list[Gateway]:
        with self._lock:
            return self._gateways.seen(now=self._clock())

    def delete_gateway(self, gateway_id: UUID) -> None:
        with self._lock:
            self._gateways.delete(gateway_id)

    def list_calls(
        self, *, since: datetime | None, after: Cursor | None, limit: int
    ) -> tuple[list[CallRecord], datetime]:
        now = self._clock()
        with self._lock:
            first = 0
            if since is not None:
                first = bisect_left(self._calls, since, key=lambda call: call.insert_date)
            if after is not None:
                first = max(first, bisect_right(self._calls, after, key=_arrival))
            page = self._calls[first : first + limit]
        return [call for call in page if call.insert_date <= now], now

    def list_calls_begun(self, *, start: datetime, end: datetime, limit: int) -> list[CallRecord]:
        now = self._clock()
        with self._lock:
            found = [
                call
                for call in self._calls
                if start.timestamp() <= call.start_epoch < end.timestamp()
                and call.insert_date <= now
            ]
        return sorted(found, key=_beginning)[:limit]

    # --- What only a sandbox can do -----------------------------------------------------

    def add_calls(self, tenant_id: UUID | None, specs: Sequence[CallSpec]) -> list[CallRecord]:
        """Put calls on record and return the new ones.  A known uuid is stored once.

        `tenant_id` None makes calls of nobody.  Raises NotThere.
        """
        now = self._clock()
        with self._lock:
            tenant = None if tenant_id is None else self.get_tenant(tenant_id)
            owned = self._extensions_of(tenant_id) if tenant_id else []
            extensions = {extension.number: extension for extension in owned}
            made = []
            for spec in specs:
                extension = extensions.get(spec.number)
                call = record_call(spec, tenant=tenant, extension=extension, now=now)
                if call.xml_cdr_uuid not in self._call_ids:
                    self._call_ids.add(call.xml_cdr_uuid)
                    insort(self._calls, call, key=_arrival)
                    made.append(call)
            return made

    def tell_phone(self, extension_id: UUID, is_plugged_in: bool | None) -> None:
        """Plug a phone in or out; None leaves it to chance."""
        with self._lock:
            self._phones.tell(extension_id, is_plugged_in)

    def tell_gateway(self, gateway_id: UUID, state: str) -> None:
        """Force a state on a gateway; "" lets it alone.  Raises NotThere."""
        with self._lock:
            self._gateways.tell(gateway_id, state)

    def clear(self) -> None:
        """Forget everything the PBX was told."""
        with self._lock:
            for kept in (self._tenants, self._extensions, self._calls, self._call_ids):
                kept.clear()
            self._phones.clear()
            self._gateways.clear()

    def dump(self) -> dict[str, Any]:
        """The whole state as JSON can carry it."""
        with self._lock:
            return {
                "started_at": self._started_at.isoformat(),
                "tenants": [dumped(tenant) for tenant in self._tenants.values()],
                "extensions": [dumped(extension) for extension in self._extensions.values()],
                "calls": [dumped(call) for call in self._calls],
                "phones": self._phones.dump(),
                "gateways": self._gateways.dump(),
            }

    def load(self, state: Mapping[str, Any]) -> None:
        """Become what `dump` described."""
        with self._lock:
            tenants = [revived(Tenant, values) for values in state["tenants"]]
            extensions = [revived(Extension, values) for values in state["extensions"]]
            self._started_at = datetime.fromisoformat(state["started_at"])
            self._tenants = {tenant.tenant_id: tenant for tenant in tenants}
            self._extensions = {extension.extension_id: extension for extension in extensions}
            self._calls = [revived(CallRecord, values) for values in state["calls"]]
            self._call_ids = {call.xml_cdr_uuid for call in self._calls}
            # A state written before there were phones and gateways has neither.
            self._phones.load(state.get("phones", {"told": {}, "dropped": {}}))
            self._gateways.load(state.get("gateways", []))

    # --- Within -------------------------------------------------------------------------

    def _extensions_of(self, tenant_id: UUID) -> list[Extension]:
        owned = [e for e in self._extensions.values() if e.tenant_id == tenant_id]
        return sorted(owned, key=_by_tenant_and_number)

    def _extension(self, tenant_id: UUID, extension_id: UUID) -> Extension:
        self.get_tenant(tenant_id)
        extension = self._extensions.get(extension_id)
        if extension is None or extension.tenant_id != tenant_id:
            raise NotThere("no_such_extension", "The tenant has no extension with this uuid.")
        return extension

    def _registration(self, extension: Extension, now: datetime) -> Registration | None:
        tenant = self._tenants[extension.tenant_id]
        contact = self._phones.contact(extension.extension_id, now=now)
        if contact is None or tenant.suspended or not extension.enabled:
            return None
        return Registration(
            tenant_id=extension.tenant_id,
            extension_id=extension.extension_id,
            domain=tenant.domain,
            number=extension.number,
            address=contact.address,
            port=contact.port,
            user_agent=contact.user_agent,
            expires_at=contact.expires_at,
        )


def _new_password() -> str:
    return "".join(choice(PASSWORD_LETTERS) for _ in range(PASSWORD_LENGTH))


def _arrival(call: CallRecord) -> Cursor:
    return Cursor(call.insert_date, call.xml_cdr_uuid)


def _beginning(call: CallRecord) -> tuple[int, UUID]:
    return call.start_epoch, call.xml_cdr_uuid


def _by_tenant_and_number(extension: Extension) -> tuple[UUID, int, str]:
    return extension.tenant_id, len(extension.number), extension.number
