"""The accounts inside the sandbox: datastores, a clock of their own, and the autoscaler.

A second opinion on the vendor, so it shares no code with the client or the module.  Every
method takes the account's present moment; nothing here reads a clock or knows HTTP.
Source of the autoscaler's rules: the vendor's documentation page "Autoscaling".
"""

import hashlib
import secrets
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

GB = 10**9
STEP_BYTES = 100 * GB
FLOOR_BYTES = 500 * GB
REACH_BYTES = 20_000 * GB
TICK = timedelta(minutes=5)
HOURS_OF_METRICS = 48
RANGES = {
    "hour": (60, timedelta(minutes=1)),
    "day": (48, timedelta(minutes=30)),
    "week": (56, timedelta(hours=3)),
    "month": (60, timedelta(hours=12)),
    "decade": (120, timedelta(days=30)),
}
"""How many points the graph of each range has, and how far apart they are."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Conflict(Exception):
    """A control request that would contradict what already happened."""


@dataclass
class SizeChange:
    at: datetime
    from_bytes: int
    to_bytes: int
    automatic: bool


@dataclass
class Planned:
    """Something that will happen by itself: data written, or a resize by the vendor."""

    at: datetime
    kind: str
    """`written` or `size`."""
    bytes: int


@dataclass
class Fault:
    """Something that goes wrong with the next `times` requests that match."""

    kind: str
    times: int = 1
    method: str = ""
    path: str = ""
    retry_after: str = ""
    delay_s: float = 0

    def matches(self, method: str, path: str) -> bool:
        return self.times > 0 and self.method in ("", method) and self.path in path


@dataclass
class SandboxDatastore:
    id: str
    friendly: str
    size_bytes: int
    created_at: datetime
    updated_at: datetime
    user: str
    password: str
    user_password: str
    speed: int = 500
    autoscaling: bool = False
    scale_up_only: bool = False
    lower_percent: int = 70
    upper_percent: int = 80
    prune: dict[str, Any] = field(
        default_factory=lambda: {
            "keep-last": 3,
            "keep-daily": 7,
            "keep-weekly": 4,
            "schedule": "Mon,Thu 0,12:00",
        }
    )
    written_bytes: int = 0
    """What clients have tried to store; what does not fit waits until there is room."""
    log: list[SizeChange] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    written_log: list[tuple[datetime, int]] = field(default_factory=list)

    @property
    def used_bytes(self) -> int:
        return min(self.written_bytes, self.size_bytes)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.id.encode()).digest().hex(":")

    def set_size(self, size_bytes: int, *, at: datetime, automatic: bool) -> None:
        """Record a new size.  Raises Conflict if something later is already recorded."""
        if at < (self.log[-1].at if self.log else self.created_at):
            raise Conflict(f"{self.friendly} already has a change after {at.isoformat()}")
        if size_bytes != self.size_bytes:
            self.log.append(SizeChange(at, self.size_bytes, size_bytes, automatic))
            self.size_bytes = size_bytes
            self.updated_at = at

    def catch_up(self, since: datetime, now: datetime, *, flapping: bool) -> None:
        """Let everything planned and every autoscaler tick in `[since, now)` happen.

        What is planned for the moment of a tick happens before that tick.
        """
        due = sorted((plan for plan in self.planned if plan.at <= now), key=lambda plan: plan.at)
        for plan in due:
            self._autoscale(since, plan.at, flapping=flapping)
            self.happen(plan)
            since = max(since, plan.at)
        self.planned = [plan for plan in self.planned if plan.at > now]
        self._autoscale(since, now, flapping=flapping)

    def happen(self, plan: Planned) -> None:
        if plan.kind == "size":
            self.set_size(plan.bytes, at=plan.at, automatic=True)
        else:
            self.written_bytes = plan.bytes
            self.written_log.append((plan.at, plan.bytes))

    def _autoscale(self, since: datetime, until: datetime, *, flapping: bool) -> None:
        tick = _first_tick_from(since)
        while tick < until:
            size_bytes = self._size_after_tick(flapping=flapping)
            if size_bytes == self.size_bytes:
                return  # and so it stays until something else happens
            self.set_size(size_bytes, at=tick, automatic=True)
            tick += TICK

    def _size_after_tick(self, *, flapping: bool) -> int:
        """The size after one tick.

        The documentation does not say clearly when a shrink is held back: if the data
        would not fit (that account flaps), or if it would have to grow again at once.
        """
        size, used = self.size_bytes, self.used_bytes
        smaller, larger = size - STEP_BYTES, size + STEP_BYTES
        if not self.autoscaling:
            return size
        if used * 100 > self.upper_percent * size:
            return min(larger, max(size, REACH_BYTES))
        is_low = used * 100 < self.lower_percent * size
        if self.scale_up_only or not is_low or smaller < FLOOR_BYTES or size > REACH_BYTES:
            return size
        room = smaller * 100 if flapping else smaller * self.upper_percent
        return smaller if used * 100 <= room else size

    def metrics(self, now: datetime) -> list[dict[str, int]]:
        """Used and total of the last 48 full hours; none before the first is over."""
        return self._points(HOURS_OF_METRICS, timedelta(hours=1), now)

    def graph(self, reach: str, now: datetime) -> list[dict[str, int]]:
        """Use over time, with what was written since the point before; nothing is ever read."""
        points = self._points(*RANGES[reach], now)
        written = 0
        for point in points:
            point |= {"read_bytes": 0, "write_bytes": max(0, point["used"] - written)}
            written = point["used"]
        return points

    def _points(self, count: int, apart: timedelta, now: datetime) -> list[dict[str, int]]:
        """At most `count` readings on full steps since it was created, oldest first."""
        latest = _EPOCH + (now - _EPOCH) // apart * apart
        moments = [latest - apart * n for n in reversed(range(count))]
        points = []
        for moment in (one for one in moments if one > self.created_at):
            total = self.size_at(moment)
            used = min(self._written_at(moment), total)
            points.append({"time": int(moment.timestamp()), "used": used, "total": total})
        return points

    def grow_by_itself(self, now: datetime) -> None:
        """One step up outside the autoscaler's clock, as seen from a request it overtakes."""
        self.set_size(self.size_bytes + STEP_BYTES, at=now, automatic=True)

    def size_at(self, at: datetime) -> int:
        earlier = [change.to_bytes for change in self.log if change.at <= at]
        if earlier:
            return earlier[-1]
        return self.log[0].from_bytes if self.log else self.size_bytes

    def _written_at(self, at: datetime) -> int:
        earlier = [written for moment, written in self.written_log if moment <= at]
        return earlier[-1] if earlier else 0


@dataclass
class Account:
    """One reseller: what a bearer token opens."""

    token: str
    clock_offset: timedelta = timedelta()
    flapping: bool = False
    caught_up_at: datetime = _EPOCH
    datastores: dict[str, SandboxDatastore] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """What was asked lately, oldest first: `GET /reseller/datastore`."""

    def strike(self, method: str, path: str) -> Fault | None:
        """The first fault that hits this request, used up once; None if it goes well."""
        for fault in self.faults:
            if fault.matches(method, path):
                fault.times -= 1
                return fault
        return None

    def now(self, real_now: datetime) -> datetime:
        return real_now + self.clock_offset

    def set_clock(self, at: datetime, *, now: datetime) -> None:
        """Move the account's clock.  Raises Conflict if it would go back past an event."""
        events = [one.updated_at for one in self.datastores.values()]
        if events and at < max(events):
            raise Conflict(f"the clock cannot go back before {max(events).isoformat()}")
        self.clock_offset += at - now
        self.caught_up_at = min(self.caught_up_at, at)
        self.catch_up(at)

    def catch_up(self, now: datetime) -> None:
        """Let everything happen that would have happened by `now`, at its own moment."""
        for datastore in self.datastores.values():
            since = max(self.caught_up_at, datastore.created_at)
            if since < now:
                datastore.catch_up(since, now, flapping=self.flapping)
        self.caught_up_at = max(self.caught_up_at, now)

    def create(self, friendly: str, size_bytes: int, *, at: datetime) -> SandboxDatastore:
        datastore = SandboxDatastore(
            id=secrets.token_hex(12),
            friendly=friendly,
            size_bytes=size_bytes,
            created_at=at,
            updated_at=at,
            user=f"u{secrets.token_hex(4)}@pbs",
            password=secrets.token_urlsafe(18),
            user_password=secrets.token_urlsafe(18),
        )
        self.datastores[datastore.id] = datastore
        return datastore

    def plan(self, datastore: SandboxDatastore, planned: Planned, *, now: datetime) -> None:
        """Make something happen at a moment; one that has passed happens at once, dated back."""
        if planned.at <= now:
            datastore.happen(planned)
        else:
            datastore.planned.append(planned)


def _first_tick_from(at: datetime) -> datetime:
    return _EPOCH - (_EPOCH - at) // TICK * TICK


# --- To and from the state file -----------------------------------------------------------


def to_json(account: Account) -> dict[str, Any]:
    """The account as JSON types, without its faults; moments in ISO 8601, the offset in s."""
    raw = _plain(asdict(account))
    return {key: value for key, value in raw.items() if key not in ("faults", "requests")}


def from_json(raw: dict[str, Any]) -> Account:
    datastores = {key: _datastore(value) for key, value in raw["datastores"].items()}
    return Account(
        token=raw["token"],
        clock_offset=timedelta(seconds=raw["clock_offset"]),
        flapping=raw["flapping"],
        caught_up_at=datetime.fromisoformat(raw["caught_up_at"]),
        datastores=datastores,
    )


def _datastore(raw: dict[str, Any]) -> SandboxDatastore:
    moment = datetime.fromisoformat
    return SandboxDatastore(
        **raw
        | {
            "created_at": moment(raw["created_at"]),
            "updated_at": moment(raw["updated_at"]),
            "log": [SizeChange(**one | {"at": moment(one["at"])}) for one in raw["log"]],
            "planned": [Planned(**one | {"at": moment(one["at"])}) for one in raw["planned"]],
            "written_log": [(moment(at), written) for at, written in raw["written_log"]],
        }
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, timedelta) else value
