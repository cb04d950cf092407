"""What the agent's answers say: their shape, checked, as frozen values.

A missing or misshapen key is an error, never a zero.  `client.py` sends the requests;
nothing else reads the agent's field names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from provisioning.wire import UnexpectedAnswer


@dataclass(frozen=True, slots=True)
class RemoteTenant:
    """A tenant as the agent describes it; `numbers` are its extensions', in order."""

    tenant_id: str
    domain: str
    suspended: bool
    numbers: Sequence[str]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RemoteExtension:
    extension_id: str
    number: str
    name: str
    password: str = field(repr=False)
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class RemoteRegistration:
    """A phone that is reachable now."""

    tenant_id: str
    extension_id: str
    number: str
    address: str
    user_agent: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RemoteCall:
    """One call record.  `answered_at` is None for a call nobody answered.

    `inserted_at` is when the PBX stored it.  Tenant and extension are "" if the PBX could
    not name them.
    """

    uuid: UUID
    tenant_id: str
    domain: str
    extension_id: str
    direction: str
    leg: str
    caller: str
    destination: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    billsec: int
    hangup_cause: str
    inserted_at: datetime


@dataclass(frozen=True, slots=True)
class CallPage:
    """Call records in order of arrival.  `next` continues after them; `now` is the PBX's clock."""

    calls: Sequence[RemoteCall]
    next: str
    has_more: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class AgentStatus:
    now: datetime
    version: str
    tenants: int
    total_extensions: int
    registered_extensions: int


@dataclass(frozen=True, slots=True)
class AllowListAnswer:
    """What `chkcon.php` says about our address."""

    is_allowed: bool
    message: str


def read_tenant(answer: Any) -> RemoteTenant:
    raw = _object(answer)
    return RemoteTenant(
        tenant_id=_required(raw, "tenant_id", str),
        domain=_required(raw, "domain", str),
        suspended=_required(raw, "suspended", bool),
        numbers=tuple(str(number) for number in _required(raw, "numbers", list)),
        created_at=_moment(raw, "created_at"),
    )


def read_tenants(answer: Any) -> list[RemoteTenant]:
    return [read_tenant(raw) for raw in _required(_object(answer), "tenants", list)]


def read_extension(answer: Any) -> RemoteExtension:
    raw = _object(answer)
    return RemoteExtension(
        extension_id=_required(raw, "extension_id", str),
        number=_required(raw, "number", str),
        name=_required(raw, "name", str),
        password=_required(raw, "password", str),
        enabled=_required(raw, "enabled", bool),
    )


def read_extensions(answer: Any) -> list[RemoteExtension]:
    return [read_extension(raw) for raw in _required(_object(answer), "extensions", list)]


def read_registrations(answer: Any) -> list[RemoteRegistration]:
    return [_registration(raw) for raw in _required(_object(answer), "registrations", list)]


def read_calls(answer: Any) -> CallPage:
    raw = _object(answer)
    return CallPage(
        calls=[_call(_object(call)) for call in _required(raw, "calls", list)],
        next=_text(raw, "next"),
        has_more=_required(raw, "has_more", bool),
        now=_moment(raw, "now"),
    )


def read_status(answer: Any) -> AgentStatus:
    raw = _object(answer)
    return AgentStatus(
        now=_moment(raw, "now"),
        version=_required(raw, "version", str),
        tenants=_required(raw, "tenants", int),
        total_extensions=_required(raw, "total_extensions", int),
        registered_extensions=_required(raw, "registered_extensions", int),
    )


def read_allow_list_answer(answer: Any) -> AllowListAnswer:
    """The verdict of `chkcon.php`; installations write its `success` as 1, true or "1"."""
    raw = _object(answer)
    if "success" not in raw:
        raise UnexpectedAnswer("The agent's answer has no success.")
    is_allowed = str(raw["success"]).lower() in ("1", "true")
    return AllowListAnswer(is_allowed, _text(raw, "message"))


def _registration(answer: Any) -> RemoteRegistration:
    raw = _object(answer)
    return RemoteRegistration(
        tenant_id=_required(raw, "tenant_id", str),
        extension_id=_required(raw, "extension_id", str),
        number=_required(raw, "number", str),
        address=f"{_text(raw, 'address')}:{_required(raw, 'port', int)}",
        user_agent=_text(raw, "user_agent"),
        expires_at=_moment(raw, "expires_at"),
    )


def _call(raw: Mapping[str, Any]) -> RemoteCall:
    """A row of v_xml_cdr.  FreeSWITCH writes "never" as epoch 0."""
    answer_epoch = _required(raw, "answer_epoch", int)
    return RemoteCall(
        uuid=_uuid(raw, "xml_cdr_uuid"),
        tenant_id=_text(raw, "domain_uuid"),
        domain=_text(raw, "domain_name"),
        extension_id=_text(raw, "extension_uuid"),
        direction=_text(raw, "direction"),
        leg=_text(raw, "leg"),
        caller=_text(raw, "caller_id_number"),
        destination=_text(raw, "destination_number"),
        started_at=_epoch(_required(raw, "start_epoch", int)),
        answered_at=_epoch(answer_epoch) if answer_epoch else None,
        ended_at=_epoch(_required(raw, "end_epoch", int)),
        billsec=_required(raw, "billsec", int),
        hangup_cause=_text(raw, "hangup_cause"),
        inserted_at=_moment(raw, "insert_date"),
    )


def _object(answer: Any) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise UnexpectedAnswer("The agent's answer is not the object its API describes.")
    return answer


def _required(raw: Mapping[str, Any], key: str, kind: type) -> Any:
    value = raw.get(key)
    # To Python True is an int.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise UnexpectedAnswer(f"The agent's answer has no usable {key}.")
    if isinstance(value, int) and value < 0:
        raise UnexpectedAnswer(f"The agent's answer has a negative {key}.")
    return value


def _text(raw: Mapping[str, Any], key: str) -> str:
    """A text that may be missing or null."""
    value = raw.get(key)
    if not isinstance(value, str | None):
        raise UnexpectedAnswer(f"The agent's answer has no usable {key}.")
    return value or ""


def _uuid(raw: Mapping[str, Any], key: str) -> UUID:
    try:
        return UUID(_required(raw, key, str))
    except ValueError as error:
        raise UnexpectedAnswer(f"The agent wrote {raw[key]!r} for {key}.") from error


def _moment(raw: Mapping[str, Any], key: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_required(raw, key, str))
    except ValueError as error:
        raise UnexpectedAnswer(f"The agent wrote {raw[key]!r} for {key}.") from error
    if moment.tzinfo is None:
        raise UnexpectedAnswer(f"The agent wrote {raw[key]!r} for {key}, without a time zone.")
    return moment.astimezone(UTC)


def _epoch(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UnexpectedAnswer(f"The agent wrote {seconds} for a moment in time.") from error
