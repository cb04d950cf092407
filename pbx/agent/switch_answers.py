"""What FreeSWITCH prints, as values.

Its JSON leaves `rows` out where there are none; its XML may hold a bare `&` or a control
byte that a phone put there.  Both are read all the same.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

from .event_socket import CommandFailed, SocketLost

_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_EXPIRES = re.compile(r"expsecs\((-?\d+)\)")
_UPTIME = re.compile(r"(\d+) (year|day|hour|minute|second)s?\b")
_SECONDS = {"year": 365 * 86400, "day": 86400, "hour": 3600, "minute": 60, "second": 1}


@dataclass(frozen=True, slots=True)
class Binding:
    """A row of `show registrations`: a phone, and until when it is registered."""

    number: str
    domain: str
    call_id: str
    profile: str
    address: str
    port: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ProfilePhone:
    """A registration as a SIP profile tells it, with the phone's make."""

    number: str
    domain: str
    call_id: str
    user_agent: str
    address: str
    port: int
    expires_in_s: int


@dataclass(frozen=True, slots=True)
class Channel:
    """One leg of a running call."""

    uuid: str
    direction: str
    started_at: datetime
    caller: str
    destination: str
    context: str
    presence_id: str

    def belongs_to(self, domain: str) -> bool:
        """Whether it is a call of this tenant's, as far as FreeSWITCH says."""
        owner = self.presence_id.rpartition("@")[2]
        return domain.lower() in (self.context.lower(), owner.lower())


@dataclass(frozen=True, slots=True)
class SofiaLine:
    """A profile, gateway or alias of `sofia xmlstatus`; `state` is "RUNNING", "REGED"..."""

    kind: str
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class GatewayState:
    """Never more than this: the answer it is read from holds the password."""

    state: str
    is_up: bool


def read_registrations(text: str) -> list[Binding]:
    return [
        Binding(
            number=_word(row, "reg_user"),
            domain=_word(row, "realm"),
            call_id=_word(row, "token"),
            profile=_profile(_word(row, "url")),
            address=_word(row, "network_ip"),
            port=_number(row, "network_port"),
            expires_at=datetime.fromtimestamp(_number(row, "expires"), UTC),
        )
        for row in _rows(text)
    ]


def read_channels(text: str) -> list[Channel]:
    return [
        Channel(
            uuid=_word(row, "uuid"),
            direction=_word(row, "direction"),
            started_at=datetime.fromtimestamp(_number(row, "created_epoch"), UTC),
            caller=_word(row, "cid_num"),
            destination=_word(row, "dest"),
            context=_word(row, "context"),
            presence_id=_word(row, "presence_id"),
        )
        for row in _rows(text)
    ]


def read_profile_phones(text: str) -> list[ProfilePhone]:
    """The answer to `sofia xmlstatus profile <name> reg`.

    Raises CommandFailed if there is no such profile.
    """
    phones = []
    for one in _xml(text).iter("registration"):
        number, _, domain = _of(one, "user").partition("@")
        expires = _EXPIRES.search(_of(one, "status"))
        phones.append(
            ProfilePhone(
                number=number,
                domain=domain or _of(one, "sip-auth-realm"),
                call_id=_of(one, "call-id"),
                user_agent=_of(one, "agent"),
                address=_of(one, "network-ip"),
                port=_whole(_of(one, "network-port")),
                expires_in_s=int(expires[1]) if expires else 0,
            )
        )
    return phones


def read_sofia_status(text: str) -> list[SofiaLine]:
    """The answer to `sofia xmlstatus`: "RUNNING (2)" is RUNNING."""
    return [
        SofiaLine(
            kind=one.tag,
            name=_of(one, "name").rpartition("::")[2],
            state=_of(one, "state").partition(" ")[0],
        )
        for one in _xml(text)
        if one.tag in ("profile", "gateway", "alias")
    ]


def read_gateway_state(text: str) -> GatewayState:
    """The answer to `sofia xmlstatus gateway <uuid>`.

    Raises CommandFailed if the gateway is not loaded.
    """
    root = _xml(text)
    return GatewayState(state=_of(root, "state"), is_up=_of(root, "status").upper() == "UP")


def read_uptime_s(text: str) -> int:
    """ "UP 0 years, 3 days, 4 hours, 0 minutes, 5 seconds, ..." is 273605."""
    first = text.partition("\n")[0]
    found = _UPTIME.findall(first)
    if not first.startswith("UP ") or not found:
        raise SocketLost(f"FreeSWITCH's status cannot be read: {first[:60]!r}.")
    return sum(int(count) * _SECONDS[unit] for count, unit in found)


def _rows(text: str) -> list[dict[str, Any]]:
    try:
        answer = json.loads(text)
        rows = answer.get("rows", [])
        if all(isinstance(row, dict) for row in rows):
            return list(rows)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise SocketLost(f"FreeSWITCH's answer is no JSON: {text[:60]!r}.") from error
    raise SocketLost("FreeSWITCH's answer has rows that are none.")


def _xml(text: str) -> ElementTree.Element:
    text = text.strip()
    if text.startswith("Invalid "):
        raise CommandFailed(text)
    clean = _BARE_AMPERSAND.sub("&amp;", _CONTROL.sub("", text))
    try:
        # FreeSWITCH declares no document type; entities would only come from a trickster.
        if "<!" not in clean.replace("<![CDATA[", ""):
            return ElementTree.fromstring(clean)
    except ElementTree.ParseError as error:
        # Not the text itself: of a gateway it would hold the password.
        raise SocketLost(f"FreeSWITCH's answer is no XML: {error}.") from error
    raise SocketLost("FreeSWITCH's answer is XML with a document type.")


def _of(element: ElementTree.Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _word(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)


def _number(row: dict[str, Any], name: str) -> int:
    return _whole(_word(row, name))


def _whole(text: str) -> int:
    """A number FreeSWITCH wrote, 0 if it left it out."""
    return int(text) if re.fullmatch(r"[0-9]{1,11}", text) else 0


def _profile(url: str) -> str:
    """`internal` of `sofia/internal/sip:1001@...`."""
    kind, _, rest = url.partition("/")
    return rest.partition("/")[0] if kind == "sofia" else ""
