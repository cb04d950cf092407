"""The hidden side of the sandbox, under `/_sandbox/`: its clock, its data and its faults.

Only the same machine may call it (`sandbox.py` sees to that).  `sandbox_control.py` is the
client for it.  Moments are ISO 8601 with an offset, sizes are decimal GB.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from .sandbox_state import GB, Account, Conflict, Fault, Planned, SandboxDatastore
from .sandbox_vendor import Answer, Refusal, Request, describe

BEFORE_COMMIT = ("429", "500", "503", "html200", "302")
"""Faults that answer instead of the vendor: nothing has been done."""
AFTER_COMMIT = ("lose_reply", "delay", "autoscale")
"""Faults of a request that was carried out; `autoscale` comes right before it."""


def answer(account: Account, request: Request, now: datetime) -> Answer:
    """Do what a control request asks for.  Raises Refusal."""
    for method, pattern, handle in _ROUTES:
        match = re.fullmatch("/_sandbox" + pattern, request.path)
        if not match or method != request.method:
            continue
        body = request.body if isinstance(request.body, dict) else {}
        try:
            return handle(account, body, now, **match.groupdict())
        except Conflict as error:
            raise Refusal(409, str(error)) from error
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise Refusal(400, f"{type(error).__name__}: {error}") from error
    raise Refusal(404, f"Cannot {request.method} {request.path}")


def altered(kind: str, body: Any) -> Any:
    """The answer as a fault of this kind shows it."""
    return _ALTERATIONS[kind](body)


def autoscale(account: Account, request: Request, now: datetime) -> None:
    """Let the datastore a request is about grow by one step before the request is served."""
    for datastore in account.datastores.values():
        if datastore.id in request.path:
            datastore.grow_by_itself(now)


def _clock(account: Account, body: dict, now: datetime) -> Answer:
    if "at" in body:
        at = _moment(body["at"])
        account.set_clock(at, now=now)
        now = at
    return Answer(200, {"at": now.isoformat()})


def _datastores(account: Account, body: dict, now: datetime) -> Answer:
    return Answer(200, [describe(one, now) for one in account.datastores.values()])


def _use(account: Account, body: dict, now: datetime, id: str) -> Answer:
    return _plan(account, id, "written", [body], now)


def _resize(account: Account, body: dict, now: datetime, id: str) -> Answer:
    return _plan(account, id, "size", [body], now)


def _growth(account: Account, body: dict, now: datetime, id: str) -> Answer:
    return _plan(account, id, "written", body["points"], now)


def _plan(
    account: Account, datastore_id: str, kind: str, points: list[dict], now: datetime
) -> Answer:
    datastore = _found(account, datastore_id)
    key = "size_gb" if kind == "size" else "used_gb"
    for point in points:
        at = _moment(point["at"]) if point.get("at") else now
        account.plan(datastore, Planned(at, kind, _bytes(point[key])), now=now)
    return Answer(200, describe(datastore, now))


def _autoscaling(account: Account, body: dict, now: datetime, id: str) -> Answer:
    datastore = _found(account, id)
    datastore.autoscaling = bool(body["enabled"])
    datastore.scale_up_only = bool(body["scale_up_only"])
    account.flapping = bool(body["flapping"])
    return Answer(200, describe(datastore, now))


def _remove(account: Account, body: dict, now: datetime, id: str) -> Answer:
    del account.datastores[_found(account, id).id]
    return Answer(200)


def _fault(account: Account, body: dict, now: datetime) -> Answer:
    fault = Fault(**body)
    if fault.kind not in (*BEFORE_COMMIT, *AFTER_COMMIT, *_ALTERATIONS):
        raise ValueError(f"there is no fault {fault.kind!r}")
    account.faults.append(fault)
    return Answer(200)


def _requests(account: Account, body: dict, now: datetime) -> Answer:
    return Answer(200, account.requests)


def _reset(account: Account, body: dict, now: datetime) -> Answer:
    account.datastores.clear()
    account.clock_offset = timedelta()
    account.faults.clear()
    account.requests.clear()
    return Answer(200)


_ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", "/clock", _clock),
    ("PUT", "/clock", _clock),
    ("GET", "/datastores", _datastores),
    ("POST", "/datastores/(?P<id>[^/]+)/use", _use),
    ("POST", "/datastores/(?P<id>[^/]+)/resize", _resize),
    ("POST", "/datastores/(?P<id>[^/]+)/growth", _growth),
    ("PUT", "/datastores/(?P<id>[^/]+)/autoscaling", _autoscaling),
    ("DELETE", "/datastores/(?P<id>[^/]+)", _remove),
    ("POST", "/faults", _fault),
    ("GET", "/requests", _requests),
    ("POST", "/reset", _reset),
]


def _found(account: Account, datastore_id: str) -> SandboxDatastore:
    if datastore_id not in account.datastores:
        raise Refusal(404, "Datastore not found")
    return account.datastores[datastore_id]


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment.astimezone(UTC)


def _bytes(size_gb: int | str) -> int:
    return int(Decimal(size_gb) * GB)


# --- Answers that are not what they should be ---------------------------------------------


def _without(key: str) -> Callable[[Any], Any]:
    def alter(body: Any) -> Any:
        if isinstance(body, list):
            return [alter(one) for one in body]
        return {name: value for name, value in body.items() if name != key}

    return alter


def _in_gib(body: Any) -> Any:
    """Sizes that are no whole number of GB: 500 GB shows as 500 GiB."""
    if isinstance(body, list):
        return [_in_gib(one) for one in body]
    return body | {"size": body["size"] // GB * 2**30}


_ALTERATIONS: dict[str, Callable[[Any], Any]] = {
    "off_grid": _in_gib,
    "disappear": lambda body: [] if isinstance(body, list) else None,
    "log_gap": lambda body: body[:-1],
    "no_server": _without("server"),
    "no_status": _without("status"),
    "no_size": _without("size"),
}
