"""FusionPBX as a product module: one tenant per service, its extensions, their secrets.

The portal chooses every uuid from the service's id, so a repeated call meets what an
earlier one made: a lost reply cannot make a second tenant.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import count
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from django import forms as django_forms

from billing_portal.calc.periods import Period
from provisioning.contract import (
    Capability,
    ChargedUsage,
    Check,
    Metric,
    RemoteNotFound,
    RemoteRejected,
    RemoteState,
    ServerAccess,
    ServiceRef,
    Spec,
    Usage,
)

from . import connection, forms, tenants
from . import usage as metering
from .answers import RemoteExtension, RemoteTenant
from .client import AgentClient

TENANTS = UUID("6c0d2f0e-6f0f-5b1c-9a52-0a7d0c5f5b7e")
"""Tenant uuids are uuid5 of a service's id in this namespace.  Changing it orphans them all."""


class FusionPbxModule:
    """One PBX server with our agent on it."""

    key: ClassVar[str] = "fusionpbx"
    name: ClassVar[str] = "Hosted PBX (FusionPBX)"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.SUSPEND,
            Capability.RESIZE,
            Capability.CHANGE_PASSWORD,
            Capability.METERED,
        }
    )
    metrics: ClassVar[Sequence[Metric]] = (Metric("calls", "Calls", "min"),)
    settings_form: ClassVar[type[django_forms.Form]] = forms.SettingsForm
    server_form: ClassVar[type[django_forms.Form]] = forms.ServerForm

    def __init__(self, access: ServerAccess) -> None:
        self._access = access

    @classmethod
    def order_form(cls, settings: Mapping[str, Any]) -> type[django_forms.Form]:
        return forms.order_form(settings)

    @classmethod
    def spec_for(cls, settings: Mapping[str, Any], answers: Mapping[str, Any]) -> Spec:
        """{"label": "acme", "extensions": 5, "first_extension": 1001, "domain_suffix": ...}."""
        return {
            "label": answers["label"],
            "extensions": int(answers.get("extensions") or settings["extensions"]),
            "first_extension": int(settings["first_extension"]),
            "domain_suffix": settings["domain_suffix"],
        }

    @classmethod
    def check_spec(cls, settings: Mapping[str, Any], spec: Spec) -> None:
        """Raises RemoteRejected if a number is out of range or a name cannot be a host name."""
        extensions, most = spec.get("extensions"), forms.max_extensions(settings)
        if not isinstance(extensions, int) or isinstance(extensions, bool):
            raise RemoteRejected("The number of extensions must be a whole number.")
        if not 1 <= extensions <= most:
            raise RemoteRejected(forms.too_many_or_few(extensions, most))
        if not forms.is_label(str(spec.get("label"))) or len(spec["label"]) > forms.MAX_LABEL:
            raise RemoteRejected(
                "The company name must be made of lower-case letters, digits and hyphens,"
                f" {forms.MAX_LABEL} characters at most."
            )
        if not forms.is_host_name(str(spec.get("domain_suffix"))):
            raise RemoteRejected("The domain suffix must be a host name such as pbx.example.net.")
        first = spec.get("first_extension")
        if not isinstance(first, int) or not forms.SMALLEST_NUMBER <= first <= forms.LARGEST_NUMBER:
            raise RemoteRejected("The first extension must be a number of 2 to 7 digits.")

    @classmethod
    def summarise(cls, spec: Spec) -> str:
        extensions = spec["extensions"]
        return f"{extensions} extension{'' if extensions == 1 else 's'}"

    @classmethod
    def is_as_wished(cls, wished: Spec, state: RemoteState) -> bool:
        return wished.get("extensions") == state.spec.get("extensions")

    def create(self, ref: ServiceRef, spec: Spec) -> RemoteState:
        """Make the service's tenant and extensions, or finish what an earlier attempt began."""
        tenant = self._client.put_tenant(
            str(uuid5(TENANTS, f"service {ref.service_id}")),
            domain=f"{spec['label']}-{ref.service_id}.{spec['domain_suffix']}",
            description=f"service {ref.service_id}",
        )
        return self._with_extensions(tenant, spec)

    def describe(self, remote_id: str) -> RemoteState:
        tenant = self._client.get_tenant(remote_id)
        return self._state(tenant, self._client.list_extensions(remote_id))

    def resize(self, remote_id: str, spec: Spec) -> RemoteState:
        """Give the tenant `spec["extensions"]` extensions; those with the highest numbers go.

        Raises RemoteRejected if `spec` names another domain: tenants cannot be renamed.
        """
        tenant = self._client.get_tenant(remote_id)
        present = _spec(tenant)
        if any(spec[key] != present[key] for key in ("label", "domain_suffix")):
            raise RemoteRejected(f"The tenant {tenant.domain} cannot be renamed.")
        return self._with_extensions(tenant, spec)

    def suspend(self, remote_id: str) -> RemoteState:
        tenant = self._client.suspend_tenant(remote_id)
        return self._state(tenant, self._client.list_extensions(remote_id))

    def unsuspend(self, remote_id: str) -> RemoteState:
        tenant = self._client.unsuspend_tenant(remote_id)
        return self._state(tenant, self._client.list_extensions(remote_id))

    def terminate(self, remote_id: str) -> None:
        """Remove the tenant; its call records can still be collected."""
        try:
            self._client.delete_tenant(remote_id)
        except RemoteNotFound:
            return

    def change_password(self, remote_id: str) -> RemoteState:
        """Give every extension another SIP secret; all phones must be set up again."""
        tenant = self._client.get_tenant(remote_id)
        extensions = [
            self._client.rotate_secret(remote_id, extension.extension_id)
            for extension in self._client.list_extensions(remote_id)
        ]
        return self._state(tenant, extensions)

    def list_accounts(self) -> list[RemoteState]:
        """Every tenant, without its secrets."""
        return [self._bare_state(tenant) for tenant in self._client.list_tenants()]

    def test_connection(self) -> list[Check]:
        return connection.test(self._access)

    @classmethod
    def check_change(
        cls, service_id: int, wished: Spec, seen: RemoteState, *, may_remove: bool
    ) -> None:
        """Extensions that exist go only when their number itself was asked to shrink."""
        existing, left = len(seen.details.get("extensions", ())), wished.get("extensions", 0)
        if not may_remove and left < existing:
            raise RemoteRejected(
                f"It has {existing} extensions, and {left} would be left. Remove the ones you"
                " no longer need first."
            )

    @classmethod
    def observed(cls, server_id: int, service_id: int, state: RemoteState, *, at: datetime) -> None:
        tenants.note(server_id, service_id, state, at=at)

    @classmethod
    def removed(cls, server_id: int, remote_id: str, *, at: datetime) -> None:
        tenants.note_removed(server_id, remote_id, at=at)

    @classmethod
    def collect_usage(cls, windows: Mapping[int, Period]) -> dict[int, list[Usage]]:
        return metering.collect_usage(windows)

    @classmethod
    def usage_charged(cls, charged: Sequence[ChargedUsage]) -> None:
        metering.usage_charged(charged)

    @classmethod
    def usage_resumed(cls, service_id: int, unbilled: Period, *, at: datetime) -> None:
        """Nothing to note: calls that were not charged come along with the next window."""

    @cached_property
    def _client(self) -> AgentClient:
        return AgentClient(self._access)

    @property
    def _proxy(self) -> str:
        """Where phones register."""
        proxy = self._access.credentials.get("sip_proxy", "")
        return proxy or urlsplit(self._access.base_url).hostname or ""

    def _with_extensions(self, tenant: RemoteTenant, spec: Spec) -> RemoteState:
        """The tenant with as many extensions as `spec` says; sends nothing if it has them."""
        tenant_id, wanted = tenant.tenant_id, spec["extensions"]
        extensions = self._client.list_extensions(tenant_id)
        for extension in extensions[wanted:]:
            self._remove_extension(tenant_id, extension)
        kept = extensions[:wanted]
        taken = {extension.number for extension in kept}
        free = (n for n in map(str, count(spec["first_extension"])) if n not in taken)
        added = [self._add_extension(tenant_id, next(free)) for _ in range(wanted - len(kept))]
        return self._state(tenant, sorted([*kept, *added], key=_by_number))

    def _add_extension(self, tenant_id: str, number: str) -> RemoteExtension:
        extension_id = str(uuid5(UUID(tenant_id), f"extension {number}"))
        return self._client.put_extension(
            tenant_id, extension_id, number=number, name=f"Extension {number}"
        )

    def _remove_extension(self, tenant_id: str, extension: RemoteExtension) -> None:
        try:
            self._client.delete_extension(tenant_id, extension.extension_id)
        except RemoteNotFound:
            return

    def _state(self, tenant: RemoteTenant, extensions: Sequence[RemoteExtension]) -> RemoteState:
        bare = self._bare_state(tenant)
        phones = [{"number": e.number, "name": e.name, "password": e.password} for e in extensions]
        listed = [{"id": e.extension_id, "number": e.number, "name": e.name} for e in extensions]
        return RemoteState(
            remote_id=bare.remote_id,
            name=bare.name,
            spec={**bare.spec, **_numbering([e.number for e in extensions])},
            suspended=bare.suspended,
            credentials={"domain": tenant.domain, "proxy": self._proxy, "extensions": phones},
            details={**bare.details, "extensions": listed},
            created_at=bare.created_at,
        )

    def _bare_state(self, tenant: RemoteTenant) -> RemoteState:
        return RemoteState(
            remote_id=tenant.tenant_id,
            name=tenant.domain,
            spec=_spec(tenant),
            suspended=tenant.suspended,
            details={"domain": tenant.domain, "proxy": self._proxy},
            created_at=tenant.created_at,
        )


def _spec(tenant: RemoteTenant) -> dict[str, Any]:
    """The spec a tenant follows from; one we did not name keeps its first label whole."""
    head, _, suffix = tenant.domain.partition(".")
    label, _, number = head.rpartition("-")
    return {
        "label": label if label and number.isdigit() else head,
        "domain_suffix": suffix,
        **_numbering(tenant.numbers),
    }


def _numbering(numbers: Sequence[str]) -> dict[str, int]:
    return {"extensions": len(numbers), "first_extension": int(numbers[0]) if numbers else 0}


def _by_number(extension: RemoteExtension) -> tuple[int, str]:
    return len(extension.number), extension.number
