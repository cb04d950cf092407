"""Backup storage at remote-backups.com as a product module.

A service is one datastore, called `<prefix>-client<ID>-service<ID>`: by that name an
earlier attempt is found again.  The vendor cannot suspend a datastore or change its
password, so neither is a capability.
"""

import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django import forms

from billing_portal.calc.periods import Period
from provisioning.contract import (
    Capability,
    ChargedUsage,
    Check,
    CredentialsRejected,
    Metric,
    ModuleError,
    RemoteNotFound,
    RemoteRejected,
    RemoteState,
    RemoteUnavailable,
    ServerAccess,
    ServiceRef,
    Spec,
    Usage,
)
from provisioning.wire import UnexpectedAnswer

from . import configuring, corrections, queries, sizes
from . import usage as storage
from .answers import Datastore, Rescale, UsePoint
from .client import GraphRange, RemoteBackupsClient
from .forms import BackupServerForm, BackupSettingsForm, ProductSettings, order_form
from .limits import GB_PER_PRICE, check_holds, check_size
from .retention import PruneSettings

PBS_PORT = 8007
"""Where a Proxmox Backup Server listens; the vendor's answers do not name it."""

_NAME = re.compile(r"(?P<prefix>.+)-client\d+-service\d+")
_TCP_TIMEOUT_S = 5


class RemoteBackupsModule:
    """One reseller account at remote-backups.com.

    `spec` is {"size_gb": 500, "name_prefix": "backup"}: decimal GB, 500 or more, in hundreds.
    """

    key: ClassVar[str] = "remote_backups"
    name: ClassVar[str] = "Backup storage (remote-backups.com)"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.RESIZE, Capability.METERED, Capability.CONFIGURE}
    )
    metrics: ClassVar[Sequence[Metric]] = (
        Metric(storage.METRIC, "Backup storage", "GB", per=GB_PER_PRICE, stands=True),
    )
    settings_form: ClassVar[type[forms.Form]] = BackupSettingsForm
    server_form: ClassVar[type[forms.Form]] = BackupServerForm

    def __init__(self, access: ServerAccess) -> None:
        self._access = access

    @cached_property
    def _client(self) -> RemoteBackupsClient:
        return RemoteBackupsClient(self._access)

    @classmethod
    def order_form(cls, settings: Mapping[str, Any]) -> type[forms.Form]:
        return order_form(ProductSettings.read(settings))

    @classmethod
    def spec_for(cls, settings: Mapping[str, Any], answers: Mapping[str, Any]) -> Spec:
        product = ProductSettings.read(settings)
        return {
            "size_gb": answers.get("size_gb") or product.size_gb,
            "name_prefix": product.name_prefix,
        }

    @classmethod
    def check_spec(cls, settings: Mapping[str, Any], spec: Spec) -> None:
        ProductSettings.read(settings).check_size(spec.get("size_gb"))

    @classmethod
    def summarise(cls, spec: Spec) -> str:
        return f"{spec.get('size_gb')} GB"

    @classmethod
    def is_as_wished(cls, wished: Spec, state: RemoteState) -> bool:
        """An autoscaled datastore has whatever size the vendor gave it."""
        autoscaled = bool(state.details.get("autoscaling_enabled"))
        return autoscaled or wished.get("size_gb") == state.spec.get("size_gb")

    def create(self, ref: ServiceRef, spec: Spec) -> RemoteState:
        """Make the datastore, or adopt the one an earlier attempt left, at the size wished.

        Raises RemoteRejected if several have its name: staff must choose.
        """
        size_gb = check_size(spec.get("size_gb"))
        name = f"{spec['name_prefix']}-client{ref.client_id}-service{ref.service_id}"
        standing = self._find(name)
        if standing:
            return _state(self._client.resize_datastore(standing.id, size_gb=size_gb))
        datastore_id = self._client.create_datastore(name, size_gb=size_gb)
        return self.describe(datastore_id)

    def describe(self, remote_id: str) -> RemoteState:
        return _state(self._client.get_datastore(remote_id))

    def resize(self, remote_id: str, spec: Spec) -> RemoteState:
        """Set the provisioned size; asking for the present size sends nothing.

        Raises RemoteRejected if the size is not allowed or the data would not fit.
        """
        size_gb = check_size(spec.get("size_gb"))
        return _state(self._client.resize_datastore(remote_id, size_gb=size_gb))

    @classmethod
    def check_changes(cls, changes: Spec) -> None:
        configuring.check_changes(changes)

    def configure(self, remote_id: str, changes: Spec) -> RemoteState:
        """Set speed, autoscaling, thresholds or retention, and nothing that was not asked for.

        What stands already is not sent again, so a lost reply is made good by repeating.
        """
        configuring.check_changes(changes)
        settings = {name: value for name, value in changes.items() if name != "prune"}
        datastore = self._client.update_datastore(remote_id, **settings)
        if "prune" in changes:
            prune = PruneSettings.read(changes["prune"])
            datastore = self._client.update_prune_settings(remote_id, prune)
        return _state(datastore)

    def suspend(self, remote_id: str) -> RemoteState:
        raise RemoteRejected("remote-backups.com cannot suspend a datastore.")

    def unsuspend(self, remote_id: str) -> RemoteState:
        raise RemoteRejected("remote-backups.com cannot suspend a datastore, so none is.")

    def terminate(self, remote_id: str) -> None:
        try:
            self._client.delete_datastore(remote_id)
        except RemoteNotFound:
            return  # already gone

    def change_password(self, remote_id: str) -> RemoteState:
        raise RemoteRejected("remote-backups.com cannot change a datastore's password.")

    def list_accounts(self) -> list[RemoteState]:
        return sorted(map(_state, self._client.list_datastores()), key=lambda one: one.remote_id)

    def rescale_log(self, remote_id: str, *, days: int) -> list[Rescale]:
        """The size changes of the last `days` days with their exact moments, in time order."""
        return self._client.rescale_log(remote_id, days=days)

    def use_graph(self, remote_id: str, *, reach: GraphRange) -> list[UsePoint]:
        """Used and provisioned space over time, oldest first."""
        return self._client.use_graph(remote_id, reach=reach)

    @classmethod
    def check_change(
        cls, service_id: int, wished: Spec, seen: RemoteState, *, may_remove: bool
    ) -> None:
        """Backups in a datastore are never removed to make it smaller."""
        check_holds(wished.get("size_gb"), queries.used_bytes(service_id, seen.details))

    @classmethod
    def observed(cls, server_id: int, service_id: int, state: RemoteState, *, at: datetime) -> None:
        sizes.record_job(server_id, service_id, sizes.observation(state), at=at)

    @classmethod
    def removed(cls, server_id: int, remote_id: str, *, at: datetime) -> None:
        sizes.record_removal(server_id, remote_id, at=at)

    @classmethod
    def collect_usage(cls, windows: Mapping[int, Period]) -> dict[int, list[Usage]]:
        return storage.collect_usage(windows)

    @classmethod
    def usage_charged(cls, charged: Sequence[ChargedUsage]) -> None:
        storage.usage_charged(charged)

    @classmethod
    def usage_resumed(cls, service_id: int, unbilled: Period, *, at: datetime) -> None:
        corrections.note_resumed(service_id, unbilled, at=at)

    def test_connection(self) -> list[Check]:
        checks = []
        for check in self._checks():
            checks.append(check)
            if not check.ok:
                break
        return checks

    def _checks(self) -> Iterator[Check]:
        """Address, then TCP, then what one list request shows, layer by layer."""
        try:
            url = urlsplit(self._access.base_url)
            port = url.port or {"https": 443, "http": 80}[url.scheme]
            host = url.hostname or ""
            usable = bool(host)
        except (KeyError, ValueError):
            usable = False
        if not usable:
            yield Check("Address", False, f"{self._access.base_url!r} is not a web address.")
            return
        yield Check("Address", True, f"{host}, port {port}")
        try:
            socket.create_connection((host, port), timeout=_TCP_TIMEOUT_S).close()
        except OSError as error:
            yield Check("Connection", False, f"{host} does not answer on port {port}: {error}")
            return
        yield Check("Connection", True, f"{host} answers on port {port}")
        yield from self._answer_checks()

    def _answer_checks(self) -> Iterator[Check]:
        try:
            datastores = self._client.list_datastores()
        except CredentialsRejected as error:
            yield Check("API", True, "The API answers.")
            yield Check("Token", False, str(error))
        except (RemoteUnavailable, RemoteNotFound) as error:
            hint = "Is the address right? " if not _is_outage(error) else ""
            yield Check("API", False, f"{hint}{error}")
        except ModuleError as error:
            yield Check("API", True, "The API answers.")
            yield Check("Token", True, "The token is accepted.")
            yield Check("Datastores", False, str(error))
        else:
            yield Check("API", True, "The API answers.")
            yield Check("Token", True, "The token is accepted.")
            yield Check("Datastores", True, f"{len(datastores)} in this account.")

    def _find(self, name: str) -> Datastore | None:
        found = [one for one in self._client.list_datastores() if one.name == name]
        if len(found) > 1:
            ids = ", ".join(sorted(one.id for one in found))
            raise RemoteRejected(f"{len(found)} datastores are called {name}: {ids}.")
        return found[0] if found else None


def _is_outage(error: ModuleError) -> bool:
    """Whether the vendor is down, rather than something else at this address."""
    return not isinstance(error, UnexpectedAnswer | RemoteNotFound)


def _state(datastore: Datastore) -> RemoteState:
    size_gb = datastore.size_gb
    name = _NAME.fullmatch(datastore.name)
    return RemoteState(
        remote_id=datastore.id,
        name=datastore.name,
        spec={
            # A spec is JSON, so a size off the grid is a text, unlike any that was wished.
            "size_gb": size_gb if isinstance(size_gb, int) else str(size_gb),
            "name_prefix": name["prefix"] if name else "",
        },
        credentials={
            "host": datastore.host,
            "port": PBS_PORT,
            "username": _auth_id(datastore.user),
            "password": datastore.password,
            "datastore": datastore.id,
            "fingerprint": datastore.fingerprint,
        },
        details={
            "used_bytes": datastore.used_bytes,
            "size_bytes": datastore.size_bytes,
            "is_on_grid": datastore.is_on_grid,
            "speed_mbit": datastore.speed_mbit,
            "autoscaling_enabled": datastore.autoscaling_enabled,
            "autoscaling_scale_up_only": datastore.autoscaling_scale_up_only,
            "autoscaling_lower_percent": datastore.autoscaling_lower_percent,
            "autoscaling_upper_percent": datastore.autoscaling_upper_percent,
            "prune": datastore.prune.as_json() if datastore.prune else None,
            "ip": datastore.ip,
            "ip6": datastore.ip6,
        },
        created_at=datastore.created_at,
    )


def _auth_id(user: str) -> str:
    """The name to log in with; the backup server wants its realm behind it."""
    return user if "@" in user or not user else f"{user}@pbs"
