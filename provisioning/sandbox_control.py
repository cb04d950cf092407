"""The knobs every sandbox has: accounts, a clock, faults.  For tests, demo, `simulate`."""

from datetime import datetime
from typing import Any, Self

import httpx


class SandboxAccount:
    """The hidden side of one account of a sandbox.  Raises httpx.HTTPStatusError on a refusal."""

    def __init__(self, url: str, token: str, *, timeout_s: int = 30) -> None:
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_s,
            trust_env=False,
        )
        self._token = token

    def add_account(self) -> Self:
        """Make the sandbox accept this token; harmless if it already does."""
        self._send("POST", "/accounts", {"token": self._token})
        return self

    def clock(self) -> datetime:
        return datetime.fromisoformat(self._send("GET", "/clock")["at"])

    def set_clock(self, at: datetime) -> None:
        """Move the account's clock; it runs on from there, and what was planned happens.

        A sandbox may refuse to go back past something that happened.
        """
        self._send("PUT", "/clock", {"at": at.isoformat()})

    def fault(
        self,
        kind: str,
        times: int = 1,
        *,
        method: str = "",
        path: str = "",
        retry_after: str = "",
        delay_s: float = 0,
    ) -> None:
        """Make the next `times` requests with this method and path part go wrong.

        Every sandbox knows, with nothing done: `429`, `500`, `503`, `html200`, `302`; and
        done, but: `lose_reply`, `delay`.
        """
        wish = {
            "kind": kind,
            "times": times,
            "method": method,
            "path": path,
            "retry_after": retry_after,
            "delay_s": delay_s,
        }
        self._send("POST", "/faults", wish)

    def reset(self) -> None:
        """Empty the account, forget its faults and set its clock right."""
        self._send("POST", "/reset")

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        response = self._http.request(method, f"/_sandbox{path}", json=body)
        response.raise_for_status()
        return response.json() if response.content else None
