"""What remote-backups.com's answers say: their shape, checked, as frozen values.

Sizes arrive in bytes; a GB is 10**9 bytes.  A missing or misshapen key is an error, never
a zero.  `client.py` sends the requests; nothing else reads the vendor's field names.
Source: the vendor's WHMCS module and a community dashboard for its monitoring API.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from provisioning.wire import UnexpectedAnswer

from .limits import SIZE_STEP_GB
from .retention import KEEP_NAMES, PruneSettings

BYTES_PER_GB = 10**9


@dataclass(frozen=True, slots=True)
class Datastore:
    """One datastore as the vendor describes it.

    `used_bytes` is None when the vendor does not say, as for a host that is offline.
    `user` and `password` may be empty in a list; `get_datastore` insists on them.  `prune`
    is None when the vendor leaves it out.
    """

    id: str
    name: str
    size_bytes: int
    used_bytes: int | None
    speed_mbit: int
    autoscaling_enabled: bool
    autoscaling_scale_up_only: bool
    autoscaling_lower_percent: int
    autoscaling_upper_percent: int
    user: str
    password: str = field(repr=False)
    host: str
    ip: str
    ip6: str
    fingerprint: str
    created_at: datetime | None
    prune: PruneSettings | None = None

    @property
    def size_gb(self) -> int | Decimal:
        """The provisioned size in GB, exact: 500, but 536.870912 for 500 GiB."""
        return in_gb(self.size_bytes)

    @property
    def is_on_grid(self) -> bool:
        """Whether the size is a whole number of the vendor's 100 GB steps."""
        return self.size_bytes % (SIZE_STEP_GB * BYTES_PER_GB) == 0


@dataclass(frozen=True, slots=True)
class Rescale:
    """One change of a datastore's size, by the autoscaler or by hand, at its exact moment."""

    at: datetime
    from_gb: int | Decimal
    to_gb: int | Decimal


@dataclass(frozen=True, slots=True)
class UsePoint:
    """Space used and provisioned at a moment; what was read and written, where it is told.

    The unit of the traffic is not settled: bytes since the point before (assumed).
    """

    at: datetime
    used_bytes: int
    total_bytes: int
    read_bytes: int | None
    written_bytes: int | None


def in_gb(size_bytes: int) -> int | Decimal:
    """Bytes as GB, exact: whole numbers as int, anything else as Decimal."""
    whole, rest = divmod(size_bytes, BYTES_PER_GB)
    return Decimal(size_bytes) / BYTES_PER_GB if rest else whole


def read_datastores(answer: Any) -> list[Datastore]:
    """The datastores of a list, in the vendor's order."""
    return [read_datastore(raw) for raw in _list(answer)]


def read_datastore(answer: Any) -> Datastore:
    """One datastore; its credentials may be missing, as they may in a list (assumed)."""
    raw = _object(answer)
    server = _part(raw, "server")
    status = _part(raw, "status")
    return Datastore(
        id=read_id(raw),
        name=_required(raw, "friendly", str),
        size_bytes=_required(raw, "size", int),
        used_bytes=_required(status, "used", int) if status else None,
        # Older answers leave these out; the defaults are the vendor's.
        speed_mbit=_optional(raw, "speed", 500),
        autoscaling_enabled=_optional(raw, "autoscalingEnabled", False),
        autoscaling_scale_up_only=_optional(raw, "autoscalingScaleUpOnly", False),
        autoscaling_lower_percent=_optional(raw, "autoscalingLowerThreshold", 70),
        autoscaling_upper_percent=_optional(raw, "autoscalingUpperThreshold", 80),
        user=_optional(raw, "datastoreUser", ""),
        password=_optional(raw, "datastorePassword", ""),
        host=_optional(server, "hostname", ""),
        ip=_optional(server, "ip", ""),
        ip6=_optional(server, "ip6", ""),
        fingerprint=_optional(server, "fingerprint", ""),
        created_at=_moment(raw["createdAt"]) if raw.get("createdAt") else None,
        prune=_prune(_part(raw, "gc")) if raw.get("gc") else None,
    )


def read_full_datastore(answer: Any) -> Datastore:
    """One datastore with the credentials the client needs."""
    datastore = read_datastore(answer)
    if not datastore.user or not datastore.password:
        raise UnexpectedAnswer(f"The vendor's answer has no credentials for {datastore.name}.")
    return datastore


def read_id(answer: Any) -> str:
    """The vendor's id for a datastore, which is also its name inside the backup server."""
    datastore_id: str = _required(_object(answer), "_id", str)
    if not datastore_id:
        raise UnexpectedAnswer("The vendor's answer has an empty _id.")
    return datastore_id


def read_rescale_log(answer: Any) -> list[Rescale]:
    """Size changes in time order; the vendor lists them newest first."""
    # Sorting is stable: reversed first, changes of one moment keep the order they had.
    return sorted(map(_rescale, reversed(_list(answer))), key=lambda change: change.at)


def read_graph(answer: Any) -> list[UsePoint]:
    """The points of a graph in time order; a moment without a reading has no point."""
    points = [_use_point(raw) for raw in map(_object, _list(answer)) if raw.get("used") is not None]
    return sorted(points, key=lambda point: point.at)


def _use_point(raw: dict[str, Any]) -> UsePoint:
    # In seconds; one of the vendor's own pages once read them as milliseconds.
    seconds = _required(raw, "time", int)
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise UnexpectedAnswer(f"The vendor wrote {seconds} for a moment in time.") from error
    return UsePoint(
        at=at,
        used_bytes=int(_required(raw, "used", int, Decimal)),
        total_bytes=int(_required(raw, "total", int, Decimal)),
        read_bytes=_traffic(raw, "read_bytes"),
        written_bytes=_traffic(raw, "write_bytes"),
    )


def _traffic(raw: dict[str, Any], key: str) -> int | None:
    return None if raw.get(key) is None else int(_required(raw, key, int, Decimal))


def _prune(raw: dict[str, Any]) -> PruneSettings:
    """What is kept; a limit the backup server does not have is 0.  The schedule is as written."""
    kept = {name: _optional(raw, name.replace("_", "-"), 0) for name in KEEP_NAMES}
    return PruneSettings(**kept, schedule=_optional(raw, "schedule", ""))


def _rescale(answer: Any) -> Rescale:
    """One log entry, in the reseller API's spelling or the monitoring API's."""
    raw = _object(answer)
    old, new, at = (
        ("from_gb", "to_gb", "timestamp") if "from_gb" in raw else ("from", "to", "createdAt")
    )
    return Rescale(
        at=_moment(_required(raw, at, str)),
        from_gb=_required(raw, old, int, Decimal),
        to_gb=_required(raw, new, int, Decimal),
    )


def _list(answer: Any) -> list[Any]:
    if not isinstance(answer, list):
        raise UnexpectedAnswer("The vendor's answer is not the list its API describes.")
    return answer


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise UnexpectedAnswer("The vendor's answer is not the object its API describes.")
    return answer


def _part(raw: dict[str, Any], key: str) -> dict[str, Any]:
    """An object inside `raw`; empty if the vendor leaves it out."""
    return _object(raw.get(key) or {})


def _required(raw: dict[str, Any], key: str, *kinds: type) -> Any:
    value = raw.get(key)
    # To Python True is an int.
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise UnexpectedAnswer(f"The vendor's answer has no usable {key}.")
    if isinstance(value, int | Decimal) and value < 0:
        raise UnexpectedAnswer(f"The vendor's answer has a negative {key}.")
    return value


def _optional(raw: dict[str, Any], key: str, default: Any) -> Any:
    value = raw.get(key)
    if value is None:
        return default
    if type(value) is not type(default):
        raise UnexpectedAnswer(f"The vendor's answer has no usable {key}.")
    return value


def _moment(text: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise UnexpectedAnswer(f"The vendor wrote {text!r} for a moment in time.") from error
    if moment.tzinfo is None:
        raise UnexpectedAnswer(f"The vendor wrote {text!r}, which has no time zone.")
    return moment.astimezone(UTC)
