"""What the outside world does in a simulation: datastores fill up, people call.

Everything follows from a service's id and the day, so two runs tell the same story.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from urllib.parse import urlsplit

from backups.sandbox_control import SandboxControl as BackupsControl
from billing_portal.errors import PortalError
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from pbx.sandbox_control import SandboxControl as PbxControl
from provisioning.models import Placement, Server

DAY = timedelta(days=1)
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
FIRST_FILL_PERCENT = 55
DAILY_FILL_PERCENT = (0, 2)
CALLS_PER_EXTENSION = (2, 6)


class NotASandbox(PortalError):
    """A server of the portal is a real vendor, which no simulation may touch."""


class SandboxLife:
    """The sandboxes behind the portal's servers.  Raises NotASandbox for any other server."""

    def __init__(self) -> None:
        for server in Server.objects.all():
            if urlsplit(server.base_url).hostname not in LOCAL_HOSTS:
                raise NotASandbox(f"{server} is not a sandbox; nothing was simulated.")
        self._backups = {
            server.pk: BackupsControl(server.base_url, server.credentials["token"]).add_account()
            for server in Server.objects.filter(module_key="remote_backups")
        }
        self._pbx = {
            server.pk: PbxControl(server.base_url, server.credentials["token"]).add_account()
            for server in Server.objects.filter(module_key="fusionpbx")
        }

    def begin_anew(self) -> None:
        """Empty every sandbox: what an earlier portal left there is not ours."""
        for control in self._controls():
            control.reset()

    def set_backup_clocks(self, at: datetime) -> None:
        """Bring every backup account to `at`; what was planned until then happens."""
        for control in self._backups.values():
            control.set_clock(at)

    def set_pbx_clocks(self, at: datetime) -> None:
        """Bring every PBX to `at`; the calls that ended by then show up."""
        for control in self._pbx.values():
            control.set_clock(at)

    def _controls(self) -> list[BackupsControl | PbxControl]:
        return [*self._backups.values(), *self._pbx.values()]

    def go_on(self, at: datetime) -> Iterator[str]:
        """Once a simulated day, for each service in use; says what was started."""
        if at.hour != 0:
            return
        for placement in self._in_use():
            if placement.server_id in self._backups:
                self._fill(placement, at)
            else:
                yield from self._call(placement, at)

    def _in_use(self) -> list[Placement]:
        return list(
            Placement.objects.filter(service__status=ServiceStatus.ACTIVE)
            .exclude(remote_id="")
            .select_related("service__product", "service__order_item", "server")
            .order_by("pk")
        )

    def _fill(self, placement: Placement, at: datetime) -> None:
        """Store a little more each day; the autoscaler follows."""
        control = self._backups[placement.server_id]
        chance = _chance(placement.service, at)
        if placement.placed_at and at - placement.placed_at < DAY:
            control.autoscale(placement.remote_id, scale_up_only=True)
        later = at + timedelta(hours=chance.randint(1, 22))
        control.use(placement.remote_id, _stored_gb(placement.service, at, chance), at=later)

    def _call(self, placement: Placement, at: datetime) -> Iterator[str]:
        extensions = int(placement.service.spec["extensions"])
        chance = _chance(placement.service, at)
        weekend = at.weekday() >= 5
        count = extensions * chance.randint(*CALLS_PER_EXTENSION) // (4 if weekend else 1)
        control = self._pbx[placement.server_id]
        made = control.generate_calls(
            placement.remote_id,
            count=count,
            seed=chance.randrange(2**31),
            start=at + timedelta(hours=7),
            end=at + timedelta(hours=19),
        )
        if made:
            yield f"{placement.service}: {len(made)} calls today"


def _stored_gb(service: Service, at: datetime, chance: Random) -> int:
    """How much is stored: half of what was ordered at first, about one percent more a day."""
    days = (at - (service.activated_at or at)) // DAY
    percent = FIRST_FILL_PERCENT + days + chance.randint(*DAILY_FILL_PERCENT)
    ordered_gb: int = service.order_item.spec["size_gb"]
    return ordered_gb * percent // 100


def _chance(service: Service, at: datetime) -> Random:
    return Random(f"{service.pk}/{at:%Y-%m-%d}")
