"""Where the portal and a vendor disagree.  Finding it changes nothing on either side."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing_portal.services.queries import open_cancellation
from billing_portal.services.states import ServiceStatus
from provisioning import registry
from provisioning.contract import RemoteState
from provisioning.models import Job, Placement, Server


class DriftKind(StrEnum):
    MISSING = "missing"
    ORPHAN = "orphan"
    DIFFERS = "differs"
    RENAMED = "renamed"
    SUSPENSION = "suspension"
    LEFT_OVER = "left over"


GONE = (ServiceStatus.TERMINATED, ServiceStatus.CANCELLED, ServiceStatus.FRAUD)
"""States in which nothing should stand at the vendor any more."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One disagreement, with a sentence for staff.

    `service_id` is None for a remote object no service knows.
    """

    kind: DriftKind
    server_id: int
    service_id: int | None
    remote_id: str
    message: str


def check_server(server: Server, *, at: datetime) -> list[Drift]:
    """Every disagreement on one server, in order of remote id; one list call to the vendor.

    Services with an open job are left out: they are about to change.  While something is
    being created there, unknown objects are left out too: one of them may be it.
    Raises ModuleError if the vendor cannot be asked.
    """
    # Jobs are looked up before and after the call, and rows only after it: what changed
    # while we asked is not a disagreement.
    busy, creating = _open_jobs(server)
    remote = {state.remote_id: state for state in registry.connect(server).list_accounts()}
    still_busy, still_creating = _open_jobs(server)
    standing = Placement.objects.filter(server=server, removed_at__isnull=True)
    placements = {
        placement.remote_id: placement
        for placement in standing.exclude(remote_id="").select_related("service__product")
    }
    found = list(_changed(server, remote, placements, busy | still_busy))
    if not (creating or still_creating):
        found += _unknown(server, remote, placements)
    return sorted(found, key=lambda drift: (drift.remote_id, drift.kind))


def _open_jobs(server: Server) -> tuple[set[int], bool]:
    """Services on the server that are about to change, and whether one is being created."""
    jobs = Job.objects.filter(status__in=Job.OPEN, service__placement__server=server)
    found = list(jobs.values_list("service_id", "kind"))
    return {service_id for service_id, _ in found}, Job.Kind.CREATE in {kind for _, kind in found}


def _unknown(
    server: Server, remote: Mapping[str, RemoteState], placements: Mapping[str, Placement]
) -> Iterator[Drift]:
    for remote_id, state in remote.items():
        if remote_id not in placements:
            message = f"{state.name} ({remote_id}) exists at the vendor, but no service knows it."
            yield Drift(DriftKind.ORPHAN, server.pk, None, remote_id, message)


def _changed(
    server: Server,
    remote: Mapping[str, RemoteState],
    placements: Mapping[str, Placement],
    busy: set[int],
) -> Iterator[Drift]:
    for remote_id, placement in placements.items():
        if placement.service_id in busy:
            continue
        for kind, message in _differences(placement, remote.get(remote_id)):
            yield Drift(kind, server.pk, placement.service_id, remote_id, message)


def _differences(
    placement: Placement, state: RemoteState | None
) -> Iterator[tuple[DriftKind, str]]:
    service = placement.service
    if service.status in GONE:
        if state is not None and open_cancellation(service.pk) is None:
            ended = ServiceStatus(service.status).label.lower()
            message = f"{service} is {ended}, but {state.name} still exists at the vendor."
            yield DriftKind.LEFT_OVER, message
        return
    if state is None:
        yield DriftKind.MISSING, f"{service} should be {placement.remote_id}, which is gone."
        return
    if state.name != placement.remote_name:
        yield DriftKind.RENAMED, f"{service} is called {state.name}, not {placement.remote_name}."
    if state.suspended != placement.suspended:
        here, there = _switch(placement.suspended), _switch(state.suspended)
        yield DriftKind.SUSPENSION, f"{service} is {here} here and {there} at the vendor."
    module = registry.module_class(service.product.module_key)
    if not module.is_as_wished(service.spec, state):
        wished, stands = module.summarise(service.spec), module.summarise(state.spec)
        yield DriftKind.DIFFERS, f"{service} should be {wished} and is {stands}."


def _switch(suspended: bool) -> str:
    return "suspended" if suspended else "on"
