"""Turning the sandbox's knobs: its clock, its data, its faults.  For tests, demo, `simulate`."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from provisioning.sandbox_control import SandboxAccount

from .sandbox import DEMO_TOKEN


class SandboxControl(SandboxAccount):
    """The hidden side of one sandbox account.  Raises httpx.HTTPStatusError on a refusal.

    Moving its clock forward lets everything planned and every autoscaler tick in between
    happen at its own moment; back past an event is refused.  Its faults are also
    `autoscale` (it grew one step right before) and, answered wrongly, `off_grid`,
    `disappear`, `log_gap`, `no_server`, `no_status`, `no_size`.
    """

    def __init__(self, url: str, token: str = DEMO_TOKEN) -> None:
        super().__init__(url, token)

    def use(self, datastore_id: str, used_gb: Decimal | int, *, at: datetime | None = None) -> None:
        """Have clients store `used_gb`, now or at a later moment; what does not fit waits."""
        self._send("POST", f"/datastores/{datastore_id}/use", _point("used_gb", used_gb, at))

    def grow(self, datastore_id: str, points: Iterable[tuple[datetime, Decimal | int]]) -> None:
        """Plan how much is stored when: moments and GB."""
        plan = [_point("used_gb", used_gb, at) for at, used_gb in points]
        self._send("POST", f"/datastores/{datastore_id}/growth", {"points": plan})

    def resize(self, datastore_id: str, size_gb: int, *, at: datetime) -> None:
        """Resize as the vendor's autoscaler would, at `at`: dated back, or when it comes."""
        self._send("POST", f"/datastores/{datastore_id}/resize", _point("size_gb", size_gb, at))

    def autoscale(
        self,
        datastore_id: str,
        *,
        enabled: bool = True,
        scale_up_only: bool = False,
        flapping: bool = False,
    ) -> None:
        """Switch the 5-minute autoscaler; `flapping` lets it shrink what it grew at once."""
        body = {"enabled": enabled, "scale_up_only": scale_up_only, "flapping": flapping}
        self._send("PUT", f"/datastores/{datastore_id}/autoscaling", body)

    def remove(self, datastore_id: str) -> None:
        """Delete a datastore behind the portal's back."""
        self._send("DELETE", f"/datastores/{datastore_id}")

    def datastores(self) -> list[dict[str, Any]]:
        """The account's datastores as the vendor would write them; no fault hits this."""
        datastores: list[dict[str, Any]] = self._send("GET", "/datastores")
        return datastores

    def requests(self) -> list[str]:
        """What the vendor was asked lately, oldest first: "GET /reseller/datastore"."""
        requests: list[str] = self._send("GET", "/requests")
        return requests


def _point(key: str, size_gb: Decimal | int, at: datetime | None) -> dict[str, Any]:
    return {key: str(size_gb), "at": at.isoformat() if at else None}
