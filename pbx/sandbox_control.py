"""Making things happen on the sandbox PBX: calls, time, faults.  For tests, demo, `simulate`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from pbx.agent.sandbox_calls import CallSpec
from provisioning.sandbox_control import SandboxAccount

from .sandbox import DEMO_TOKEN


class SandboxControl(SandboxAccount):
    """The hidden side of one sandbox PBX.  Raises httpx.HTTPStatusError on a refusal.

    When its clock moves on, the calls that have ended by then show up.
    """

    def __init__(self, url: str, token: str = DEMO_TOKEN) -> None:
        super().__init__(url, token)

    def make_calls(self, tenant_id: str | UUID | None, calls: Sequence[CallSpec]) -> list[str]:
        """Put these calls on record and return the uuids of the new ones.

        Calls of tenant None belong to nobody the PBX could name.
        """
        items = [_plain(asdict(call)) for call in calls]
        wish = {"tenant_id": None if tenant_id is None else str(tenant_id), "calls": items}
        uuids: list[str] = self._send("POST", "/calls", wish)["uuids"]
        return uuids

    def generate_calls(
        self, tenant_id: str | UUID, *, count: int, seed: int, start: datetime, end: datetime
    ) -> list[str]:
        """Record `count` believable calls that begin in [start, end); the new ones' uuids.

        The same arguments give the same calls, so a second time nothing new comes of it.
        A suspended tenant makes none.
        """
        wish = {
            "tenant_id": str(tenant_id),
            "count": count,
            "seed": seed,
            "start": start.isoformat(),
            "end": end.isoformat(),
        }
        uuids: list[str] = self._send("POST", "/generated-calls", wish)["uuids"]
        return uuids

    def set_allow_list(self, text: str) -> None:
        """Replace the text of the agent's `chkcon_whitelist.conf`."""
        self._send("PUT", "/allow-list", {"text": text})

    def tell_phone(self, extension_id: str, is_plugged_in: bool | None) -> None:
        """Plug a phone in or out for good; None leaves it to chance again."""
        wish = {"extension_id": extension_id, "is_plugged_in": is_plugged_in}
        self._send("PUT", "/phone", wish)

    def tell_gateway(self, gateway_id: str, state: str) -> None:
        """Force a FreeSWITCH state on a gateway; "" lets it alone again."""
        self._send("PUT", "/gateway-state", {"gateway_id": gateway_id, "state": state})

    def set_limits(self, *, standard: int, call_export: int, gateways: int) -> None:
        """Limit the requests of a caller per minute, counting from now on."""
        wish = {"standard": standard, "call_export": call_export, "gateways": gateways}
        self._send("PUT", "/limits", wish)

    def requests(self) -> list[str]:
        """What the agent was asked lately, oldest first: "GET /api/v1/tenants"."""
        requests: list[str] = self._send("GET", "/requests")["requests"]
        return requests


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as JSON can carry them: moments and uuids as text."""
    return {
        name: str(value) if isinstance(value, datetime | UUID) else value
        for name, value in values.items()
    }
