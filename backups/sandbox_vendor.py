"""The vendor's side of the sandbox: its paths, field names, limits and error shapes.

Stricter than the vendor may be, so that what passes here passes there: unknown fields are
refused, all seven settings are required in a PATCH, sizes come in as GB and go out as bytes.
Source: the vendor's WHMCS module; the error bodies are those of NestJS (assumed).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .sandbox_state import GB, RANGES, Account, SandboxDatastore, SizeChange

SMALLEST_GB, LARGEST_GB, STEP_GB = 500, 10_000, 100
SPEEDS = (100, 250, 500)
LONGEST_LOG_DAYS = 365

_NAMES = {400: "Bad Request", 404: "Not Found", 409: "Conflict", 422: "Unprocessable Entity"}
_ID = r"/reseller/datastore/(?P<id>[^/]+)"


@dataclass(frozen=True)
class Request:
    """One request as the rules below want it; `body` is None if there is none."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any = None


class Refusal(Exception):
    """An error answer.  Validation lists its sentences, everything else says one."""

    def __init__(self, status: int, message: str | list[str]) -> None:
        super().__init__(message)
        self.answer = Answer(
            status,
            {"statusCode": status, "message": message, "error": _NAMES.get(status, "Error")},
        )


def answer(account: Account, request: Request, now: datetime) -> Answer:
    """What the vendor answers, having done what was asked.  Raises Refusal."""
    for method, pattern, handle in _ROUTES:
        match = re.fullmatch(pattern, request.path)
        if match and method == request.method:
            return handle(account, request, now, **match.groupdict())
    raise Refusal(404, f"Cannot {request.method} {request.path}")


def _list(account: Account, request: Request, now: datetime) -> Answer:
    return Answer(200, [describe(one, now) for one in account.datastores.values()])


def _create(account: Account, request: Request, now: datetime) -> Answer:
    body = _checked(request.body, {"friendly": _RULES["friendly"], "size": _RULES["size"]})
    datastore = account.create(body["friendly"], body["size"] * GB, at=now)
    return Answer(201, describe(datastore, now))


def _show(account: Account, request: Request, now: datetime, id: str) -> Answer:
    return Answer(200, describe(_found(account, id), now))


def _update(account: Account, request: Request, now: datetime, id: str) -> Answer:
    datastore = _found(account, id)
    rules = dict(_RULES)
    body = request.body if isinstance(request.body, dict) else {}
    # The autoscaler goes beyond what can be ordered; sending that size back is no change.
    if type(body.get("size")) is int and body["size"] * GB == datastore.size_bytes:
        del rules["size"]
    body = _checked(request.body, rules, also=("size",))
    if body["autoscalingLowerThreshold"] >= body["autoscalingUpperThreshold"]:
        raise Refusal(400, ["autoscalingLowerThreshold must be less than the upper threshold"])
    if body["size"] * GB < datastore.used_bytes:
        raise Refusal(400, "The new size is smaller than the used space")
    datastore.set_size(body["size"] * GB, at=now, automatic=False)
    datastore.friendly = body["friendly"]
    datastore.speed = body["speed"]
    datastore.autoscaling = body["autoscalingEnabled"]
    datastore.scale_up_only = body["autoscalingScaleUpOnly"]
    datastore.lower_percent = body["autoscalingLowerThreshold"]
    datastore.upper_percent = body["autoscalingUpperThreshold"]
    datastore.updated_at = now
    return Answer(200, describe(datastore, now))


def _update_prune(account: Account, request: Request, now: datetime, id: str) -> Answer:
    datastore = _found(account, id)
    body = _checked(request.body, {"keepLast": _is_object, "targetSchedule": _RULES["friendly"]})
    kept, schedule = body["keepLast"], body["targetSchedule"]
    if kept:
        _checked(kept, {key: _is_count for key in _KEPT if key in kept}, also=("schedule",))
        if kept.get("schedule") != schedule:
            raise Refusal(400, ["keepLast.schedule must equal targetSchedule"])
    standing = {**datastore.prune, **kept, "schedule": schedule}
    # 0 takes a limit away, and what is not sent stays.
    datastore.prune = {key: value for key, value in standing.items() if value}
    datastore.updated_at = now
    return Answer(200, describe(datastore, now))


def _graph(account: Account, request: Request, now: datetime, id: str) -> Answer:
    datastore = _found(account, id)
    reach = request.query.get("range", "")
    if reach not in RANGES:
        raise Refusal(400, [f"range must be one of the following values: {', '.join(RANGES)}"])
    return Answer(200, datastore.graph(reach, now))


def _delete(account: Account, request: Request, now: datetime, id: str) -> Answer:
    del account.datastores[_found(account, id).id]
    return Answer(200)


def _rescale_log(account: Account, request: Request, now: datetime, id: str) -> Answer:
    datastore = _found(account, id)
    asked = re.fullmatch(r"([1-9][0-9]{0,4})d", request.query.get("range", "30d"))
    if not asked:
        raise Refusal(400, ["range must be a number of days such as 30d"])
    since = now - timedelta(days=min(int(asked[1]), LONGEST_LOG_DAYS))
    newest_first = reversed([change for change in datastore.log if change.at >= since])
    return Answer(200, [_log_entry(change) for change in newest_first])


_Handler = Callable[..., Answer]
_ROUTES: list[tuple[str, str, _Handler]] = [
    ("GET", "/reseller/datastore", _list),
    ("POST", "/reseller/datastore", _create),
    ("GET", _ID, _show),
    ("PATCH", _ID, _update),
    ("DELETE", _ID, _delete),
    ("GET", _ID + "/rescale-log", _rescale_log),
    ("PATCH", _ID + "/prune-settings", _update_prune),
    ("GET", _ID + "/graph", _graph),
]


def describe(datastore: SandboxDatastore, now: datetime) -> dict[str, Any]:
    """A datastore as the vendor writes it."""
    return {
        "_id": datastore.id,
        "friendly": datastore.friendly,
        "size": datastore.size_bytes,
        "speed": datastore.speed,
        "autoscalingEnabled": datastore.autoscaling,
        "autoscalingScaleUpOnly": datastore.scale_up_only,
        "autoscalingLowerThreshold": datastore.lower_percent,
        "autoscalingUpperThreshold": datastore.upper_percent,
        "datastoreUser": datastore.user,
        "datastorePassword": datastore.password,
        "datastoreUserPassword": datastore.user_password,
        "server": {
            "hostname": "fra1-1.sandbox.example",
            "ip": "203.0.113.10",
            "ip6": "2001:db8::10",
            "fingerprint": datastore.fingerprint,
        },
        "status": {
            "used": datastore.used_bytes,
            "total": datastore.size_bytes,
            "avail": datastore.size_bytes - datastore.used_bytes,
        },
        "metrics": datastore.metrics(now),
        "gc": dict(datastore.prune),
        "createdAt": _written(datastore.created_at),
        "updatedAt": _written(datastore.updated_at),
    }


def _log_entry(change: SizeChange) -> dict[str, Any]:
    return {
        "from": _whole_if_possible(change.from_bytes),
        "to": _whole_if_possible(change.to_bytes),
        # The name of this flag is assumed; the client does not read it.
        "automatic": change.automatic,
        "createdAt": _written(change.at),
    }


def _whole_if_possible(size_bytes: int) -> int | float:
    return size_bytes / GB if size_bytes % GB else size_bytes // GB


def _written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _found(account: Account, datastore_id: str) -> SandboxDatastore:
    if datastore_id not in account.datastores:
        raise Refusal(404, "Datastore not found")
    return account.datastores[datastore_id]


# --- Checking bodies ----------------------------------------------------------------------


def _checked(body: Any, rules: Mapping[str, "_Rule"], also: tuple[str, ...] = ()) -> dict[str, Any]:
    """The body if it has exactly the fields of `rules` and `also`, each as its rule says."""
    if not isinstance(body, dict):
        raise Refusal(400, "Unexpected end of JSON input")
    messages = [
        f"property {key} should not exist" for key in body if key not in rules and key not in also
    ]
    for key, rule in rules.items():
        messages += [f"{key} {sentence}" for sentence in rule(body.get(key))]
    if messages:
        raise Refusal(400, messages)
    return body


_Rule = Callable[[Any], list[str]]


def _is_text(value: Any) -> list[str]:
    if not isinstance(value, str):
        return ["must be a string"]
    return [] if value.strip() else ["should not be empty"]


def _is_flag(value: Any) -> list[str]:
    return [] if isinstance(value, bool) else ["must be a boolean value"]


def _is_object(value: Any) -> list[str]:
    return [] if isinstance(value, dict) else ["must be an object"]


def _is_count(value: Any) -> list[str]:
    if type(value) is not int:
        return ["must be an integer number"]
    return [] if value >= 0 else ["must not be less than 0"]


def _is_size(value: Any) -> list[str]:
    if type(value) is not int:
        return ["must be an integer number"]
    sentences = [
        (value < SMALLEST_GB, f"must not be less than {SMALLEST_GB}"),
        (value > LARGEST_GB, f"must not be greater than {LARGEST_GB}"),
        (value % STEP_GB, f"must be divisible by {STEP_GB}"),
    ]
    return [sentence for is_broken, sentence in sentences if is_broken]


def _is_percent(value: Any) -> list[str]:
    if type(value) is not int:
        return ["must be an integer number"]
    return [] if 0 <= value <= 100 else ["must not be less than 0 or greater than 100"]


def _is_speed(value: Any) -> list[str]:
    if type(value) is int and value in SPEEDS:
        return []
    return [f"must be one of the following values: {', '.join(map(str, SPEEDS))}"]


_KEPT = ("keep-last", "keep-hourly", "keep-daily", "keep-weekly", "keep-monthly", "keep-yearly")
_RULES: dict[str, _Rule] = {
    "friendly": _is_text,
    "size": _is_size,
    "autoscalingEnabled": _is_flag,
    "autoscalingScaleUpOnly": _is_flag,
    "autoscalingLowerThreshold": _is_percent,
    "autoscalingUpperThreshold": _is_percent,
    "speed": _is_speed,
}
