"""How often a caller may ask: requests per minute, counted apart for three classes.

The counters live in this process.  Serve the agent with one process and several threads, or
every process allows the full number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from threading import Lock

from .wire import Problem

WINDOW_S = 60
MANY_WINDOWS = 10_000

_CLASSES = {
    "/app/xml_cdr/export_cdr.php": "call_export",
    "/app/gateways/provision.php": "gateways",
    "/app/gateways/provision_list.php": "gateways",
    "/api/v1/gateways": "gateways",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests of one caller in a minute.  The numbers are those ictVoIP documents."""

    standard: int = 100
    call_export: int = 10
    gateways: int = 50


@dataclass
class _Window:
    """One caller's minute, from its first request on."""

    began_at: float
    count: int = 0


class RateLimiter:
    """Counts requests.  `clock` gives epoch seconds; threads may share one object."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._windows: dict[tuple[str, str], _Window] = {}
        self._lock = Lock()

    def count(self, caller: str, path: str) -> Mapping[str, str]:
        """Count a request and return the headers that tell what is left.

        Raises Problem(429) with the same headers and Retry-After if nothing was.
        """
        name = limit_class(path)
        limit: int = getattr(self._limits, name)
        now = self._clock()
        with self._lock:
            window = self._window(caller, name, now)
            window.count += 1
            left = limit - window.count
        ends_at = window.began_at + WINDOW_S
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(0, left)),
            "X-RateLimit-Reset": str(ceil(ends_at)),
        }
        if left < 0:
            headers["Retry-After"] = str(max(1, ceil(ends_at - now)))
            message = f"Too many requests: {limit} a minute are allowed here."
            raise Problem(429, "rate_limited", message, headers=headers)
        return headers

    def _window(self, caller: str, name: str, now: float) -> _Window:
        if len(self._windows) >= MANY_WINDOWS:
            self._windows = {
                key: window for key, window in self._windows.items() if _is_open(window, now)
            }
        window = self._windows.get((caller, name))
        if window is None or not _is_open(window, now):
            window = self._windows[caller, name] = _Window(now)
        return window


def limit_class(path: str) -> str:
    """The name of the limit a path counts against."""
    for prefix, name in _CLASSES.items():
        if path == prefix or path.startswith(prefix + "/"):
            return name
    return "standard"


def _is_open(window: _Window, now: float) -> bool:
    # A clock set back must not keep anyone out for as long as it was wrong.
    return 0 <= now - window.began_at < WINDOW_S
