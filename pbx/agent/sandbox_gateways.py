"""The gateways of the sandbox: a new or changed one tries first, then its carrier takes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from .backend import Gateway, NotThere, Taken
from .sandbox_state import dumped, revived

TRYING_FOR = timedelta(seconds=5)
UP_STATES = ("REGED", "NOREG")
STATES = (*UP_STATES, "TRYING", "REGISTER", "UNREGED", "FAILED", "FAIL_WAIT", "EXPIRED", "DOWN")


@dataclass(frozen=True, slots=True)
class _Trunk:
    """A gateway as it was ordered.  `told` is a state somebody forced on it."""

    gateway_id: UUID
    name: str
    domain: str
    username: str
    password: str
    enabled: bool
    changed_at: datetime
    told: str = ""

    def seen(self, now: datetime) -> Gateway:
        state = self.told or self._state(now)
        return Gateway(
            gateway_id=self.gateway_id,
            name=self.name,
            domain=self.domain,
            username=self.username,
            enabled=self.enabled,
            state=state,
            is_up=self.enabled and state in UP_STATES,
        )

    def _state(self, now: datetime) -> str:
        if not self.enabled:
            return "DOWN"
        if not self.username:
            return "NOREG"
        return "TRYING" if now - self.changed_at < TRYING_FOR else "REGED"


class Gateways:
    """Not safe for threads: its owner locks."""

    def __init__(self) -> None:
        self._trunks: dict[UUID, _Trunk] = {}

    def put(
        self, gateway_id: UUID, *, password: str | None, now: datetime, **wish: Any
    ) -> tuple[Gateway, bool]:
        """As `BackEnd.put_gateway`.  The same wish again changes nothing."""
        for other in self._trunks.values():
            if other.name == wish["name"] and other.gateway_id != gateway_id:
                raise Taken("gateway_name_taken", f"The gateway {other.name} exists already.")
        known = self._trunks.get(gateway_id)
        secret = password if password is not None else known.password if known else ""
        trunk = _Trunk(gateway_id, password=secret, changed_at=now, **wish)
        if known is None or replace(known, changed_at=now, told="") != trunk:
            self._trunks[gateway_id] = trunk
        return self.get(gateway_id, now=now), known is None

    def get(self, gateway_id: UUID, *, now: datetime) -> Gateway:
        return self._trunk(gateway_id).seen(now)

    def seen(self, *, now: datetime) -> list[Gateway]:
        trunks = sorted(self._trunks.values(), key=lambda trunk: trunk.name)
        return [trunk.seen(now) for trunk in trunks]

    def delete(self, gateway_id: UUID) -> None:
        del self._trunks[self._trunk(gateway_id).gateway_id]

    def tell(self, gateway_id: UUID, state: str) -> None:
        """Force a state out of STATES; "" lets the gateway alone again."""
        self._trunks[gateway_id] = replace(self._trunk(gateway_id), told=state)

    def clear(self) -> None:
        self._trunks.clear()

    def dump(self) -> list[dict[str, Any]]:
        return [dumped(trunk) for trunk in self._trunks.values()]

    def load(self, state: Sequence[Mapping[str, Any]]) -> None:
        trunks = [revived(_Trunk, values) for values in state]
        self._trunks = {trunk.gateway_id: trunk for trunk in trunks}

    def _trunk(self, gateway_id: UUID) -> _Trunk:
        if gateway_id not in self._trunks:
            raise NotThere("no_such_gateway", "There is no gateway with this uuid.")
        return self._trunks[gateway_id]
