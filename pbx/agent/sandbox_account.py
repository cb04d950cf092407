"""One sandbox PBX behind one token: its clock, its faults, its allow-list, its agent.

The control requests under `/_sandbox/` stand beside the agent, not in it, so the agent
the tests talk to is the one a real PBX host would run.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from threading import Lock
from time import time
from typing import Any
from uuid import UUID

from . import inputs, sandbox_calls, sandbox_gateways
from .app import AgentApp
from .backend import NotThere
from .gates import Gates
from .limits import Limits, RateLimiter
from .sandbox_backend import SandboxBackEnd
from .sandbox_calls import CallSpec
from .tokens import Token, digest_of
from .wire import Problem, Reply, Request

CONTROL_PREFIX = "/_sandbox/"
LOOPBACK = "# The sandbox serves this machine only.\n127.0.0.0/8\n::1\n"
UNLIMITED = Limits(standard=10**9, call_export=10**9, gateways=10**9)
"""A simulation plays months in seconds, so a sandbox limits nobody until it is told to."""
INSTEAD = ("429", "500", "503", "html200", "302")
"""Faults that answer instead of the agent: nothing has been done."""
DONE = ("lose_reply", "delay")
"""Faults of a request that was carried out."""
KEPT_REQUESTS = 1000


@dataclass
class Fault:
    """What goes wrong with the next `times` requests of this method with this path part."""

    kind: str
    times: int = 1
    method: str = ""
    path: str = ""
    retry_after: str = ""
    delay_s: float = 0

    def hits(self, method: str, path: str) -> bool:
        return self.method in ("", method) and self.path in path


class Account:
    """A PBX of its own.  `clock` runs at normal speed from wherever it was set to."""

    def __init__(self, token: str) -> None:
        self.offset = timedelta()
        self.allow_list = LOOPBACK
        self.back_end = SandboxBackEnd(self.now)
        self._token = Token("portal", digest_of(token))
        self._limit(UNLIMITED)
        self.requests: deque[str] = deque(maxlen=KEPT_REQUESTS)
        self._faults: list[Fault] = []
        self._lock = Lock()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def strike(self, method: str, path: str) -> Fault | None:
        """Note a request, and the fault it meets; None if all is well."""
        with self._lock:
            self.requests.append(f"{method} {path}")
            for fault in self._faults:
                if fault.hits(method, path):
                    fault.times -= 1
                    if fault.times < 1:
                        self._faults.remove(fault)
                    return fault
        return None

    def control(self, request: Request) -> Reply:
        """Carry out one control request.  Raises Problem."""
        handlers = {
            ("GET", "clock"): self._read_clock,
            ("PUT", "clock"): self._set_clock,
            ("POST", "calls"): self._make_calls,
            ("POST", "generated-calls"): self._generate_calls,
            ("POST", "faults"): self._add_fault,
            ("PUT", "allow-list"): self._set_allow_list,
            ("PUT", "limits"): self._set_limits,
            ("PUT", "phone"): self._tell_phone,
            ("PUT", "gateway-state"): self._tell_gateway,
            ("GET", "requests"): self._list_requests,
            ("POST", "reset"): self._reset,
        }
        name = request.path.removeprefix(CONTROL_PREFIX)
        if (request.method, name) not in handlers:
            raise Problem(404, "no_such_path", "The sandbox has no such control.")
        try:
            return Reply(200, handlers[request.method, name](request.json()))
        except NotThere as error:
            raise Problem(404, error.code, str(error)) from error

    def dump(self) -> dict[str, Any]:
        return {
            "offset_s": self.offset.total_seconds(),
            "allow_list": self.allow_list,
            **self.back_end.dump(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.offset = timedelta(seconds=state["offset_s"])
        self.allow_list = state["allow_list"]
        self.back_end.load(state)

    def _read_clock(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {"at": inputs.write_moment(self.now())}

    def _set_clock(self, body: Mapping[str, Any]) -> dict[str, Any]:
        moment = inputs.required(inputs.optional_moment)
        self.offset = inputs.read_fields(body, {"at": moment})["at"] - datetime.now(UTC)
        return self._read_clock(body)

    def _make_calls(self, body: Mapping[str, Any]) -> dict[str, Any]:
        wish = inputs.read_fields(body, {"tenant_id": inputs.optional_uuid, "calls": _call_specs})
        return self._recorded(wish["tenant_id"], wish["calls"])

    def _generate_calls(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Random calls of a tenant.  A suspended one makes none."""
        moment = inputs.required(inputs.optional_moment)
        wish = inputs.read_fields(
            body,
            {
                "tenant_id": inputs.uuid,
                "count": inputs.whole_number,
                "seed": inputs.whole_number,
                "start": moment,
                "end": moment,
            },
        )
        tenant = self.back_end.get_tenant(wish.pop("tenant_id"))
        specs = [] if tenant.suspended else sandbox_calls.generate(tenant, **wish)
        return self._recorded(tenant.tenant_id, specs)

    def _recorded(self, tenant_id: UUID | None, specs: Sequence[CallSpec]) -> dict[str, Any]:
        made = self.back_end.add_calls(tenant_id, specs)
        return {"uuids": [str(call.xml_cdr_uuid) for call in made]}

    def _add_fault(self, body: Mapping[str, Any]) -> dict[str, Any]:
        kinds = (*INSTEAD, *DONE)
        if body.get("kind") not in kinds or body.keys() - {field.name for field in fields(Fault)}:
            raise Problem(400, "invalid", f"A fault has a kind out of {', '.join(kinds)}.")
        with self._lock:
            self._faults.append(Fault(**body))
        return {}

    def _set_allow_list(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self.allow_list = str(body.get("text", ""))
        return {}

    def _tell_phone(self, body: Mapping[str, Any]) -> dict[str, Any]:
        wish = inputs.read_fields(body, {"extension_id": inputs.uuid, "is_plugged_in": _maybe})
        self.back_end.tell_phone(wish["extension_id"], wish["is_plugged_in"])
        return {}

    def _tell_gateway(self, body: Mapping[str, Any]) -> dict[str, Any]:
        wish = inputs.read_fields(body, {"gateway_id": inputs.uuid, "state": _gateway_state})
        self.back_end.tell_gateway(wish["gateway_id"], wish["state"])
        return {}

    def _set_limits(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Limit callers as a real agent does, counting from now on."""
        names = [field.name for field in fields(Limits)]
        wish = inputs.read_fields(body, {name: inputs.whole_number for name in names})
        self._limit(Limits(**wish))
        return {}

    def _limit(self, limits: Limits) -> None:
        # The limits count real minutes: the PBX's clock may jump.
        gates = Gates([self._token], lambda: self.allow_list, RateLimiter(limits, time))
        self.app = AgentApp(self.back_end, gates)

    def _list_requests(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {"requests": list(self.requests)}

    def _reset(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Forget tenants, calls, faults and requests, and set the clock right."""
        with self._lock:
            self.offset, self.allow_list = timedelta(), LOOPBACK
            self._limit(UNLIMITED)
            self._faults.clear()
            self.requests.clear()
            self.back_end.clear()
        return {}


def _maybe(value: Any) -> bool | None:
    return None if value is None else inputs.truth(value)


def _gateway_state(value: Any) -> str:
    if value not in ("", *sandbox_gateways.STATES):
        raise ValueError(f"must be one of {', '.join(sandbox_gateways.STATES)}")
    return str(value)


def _call_specs(value: Any) -> list[CallSpec]:
    if not isinstance(value, list):
        raise ValueError("must be a list")
    try:
        return [_call_spec(item) for item in value]
    except (TypeError, KeyError) as error:
        raise ValueError(f"has a call that is not one: {error}") from error


def _call_spec(item: Mapping[str, Any]) -> CallSpec:
    return CallSpec(
        **{
            **item,
            "started_at": inputs.required(inputs.optional_moment)(item["started_at"]),
            "uuid": inputs.optional_uuid(item.get("uuid")),
            "insert_date": inputs.optional_moment(item.get("insert_date")),
        }
    )
