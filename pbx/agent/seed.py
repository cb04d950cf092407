"""The endpoints ictVoIP documents, with its parameters and its replies.

Two conventions live side by side there: `chkcon.php` says `"success": 1` as a number, the
others say `"status": "success"` as text.  Callers depend on both.
"""

from datetime import UTC

from .backend import BackEnd, Status
from .wire import Problem, Reply, Request

CHKCON_PATHS = frozenset({"/chkcon.php", "/app/xml_cdr/chkcon.php"})
STATUS_PATHS = frozenset({"/app/status/index.php", "/app/status/"})

GRANTED = {"success": 1, "message": "API Access Granted: Whitelisted IP"}
DENIED = {
    "success": 0,
    "message": "API Access Denied: Only whitelisted IPs may access this endpoint.",
}


def status(back_end: BackEnd, request: Request) -> Reply:
    """The status page's answer: uptime in words, counters as numbers."""
    if request.method not in ("GET", "POST"):
        raise Problem(405, "method", "Use GET or POST.", headers={"Allow": "GET, POST"})
    seen = back_end.status()
    return Reply(
        200,
        {
            "status": "success",
            "message": "The PBX is running.",
            "timestamp": _timestamp(seen),
            "version": seen.version,
            "uptime": uptime_in_words(seen.uptime_s),
            "active_calls": seen.active_calls,
            "total_extensions": seen.total_extensions,
            "registered_extensions": seen.registered_extensions,
        },
    )


def uptime_in_words(seconds: int) -> str:
    """273600 is "3 days, 4 hours"."""
    days, hours = seconds // 86400, seconds % 86400 // 3600
    return f"{days} {_plural('day', days)}, {hours} {_plural('hour', hours)}"


def _timestamp(seen: Status) -> str:
    return seen.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plural(word: str, count: int) -> str:
    return word if count == 1 else word + "s"
