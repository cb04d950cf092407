"""FreeSWITCH as the agent uses it: who is registered, which calls run, what to throw off.

Every call opens a connection of its own: on loopback that costs a millisecond, and nothing
is left half read.  All raise SocketLost and SocketRefused (both `Unavailable`), and
CommandFailed.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from . import switch_answers
from .event_socket import CommandFailed, EventSocket, Login
from .switch_answers import Binding, Channel, GatewayState, ProfilePhone, SofiaLine

_SAFE = re.compile(r"[A-Za-z0-9_.@:-]+")
_UUID_FORM = re.compile(r"[0-9a-fA-F-]{36}")


@dataclass(frozen=True, slots=True)
class Switch:
    login: Login

    def uptime_s(self) -> int:
        return switch_answers.read_uptime_s(self._run("status"))

    def registrations(self) -> list[Binding]:
        """Every phone's registration; the table may hold some that have just expired."""
        return switch_answers.read_registrations(self._run("show registrations as json"))

    def profile_phones(self, profile: str) -> list[ProfilePhone]:
        """The phones registered at one SIP profile, with their user agents."""
        text = self._run(f"sofia xmlstatus profile {_word(profile)} reg")
        return switch_answers.read_profile_phones(text)

    def sofia_status(self) -> list[SofiaLine]:
        return switch_answers.read_sofia_status(self._run("sofia xmlstatus"))

    def gateway_state(self, gateway_id: UUID) -> GatewayState:
        """Raises CommandFailed if no profile has loaded it.

        FusionPBX names gateways by their uuid, usually in lower case.
        """
        with EventSocket(self.login) as connection:
            text = connection.api(f"sofia xmlstatus gateway {gateway_id}")
            if text.startswith("Invalid Gateway"):
                text = connection.api(f"sofia xmlstatus gateway {str(gateway_id).upper()}")
        return switch_answers.read_gateway_state(text)

    def channels(self) -> list[Channel]:
        return switch_answers.read_channels(self._run("show channels as json"))

    def drop_registration(self, profile: str, *, number: str, domain: str) -> None:
        """Forget a phone; it may register again if its credentials still hold."""
        user = f"{_word(number)}@{_word(domain)}"
        self._run(f"sofia profile {_word(profile)} flush_inbound_reg {user}")

    def hang_up(self, uuid: str) -> None:
        """End one call.  Harmless if it ended by itself."""
        if not _UUID_FORM.fullmatch(uuid):
            raise ValueError("not a channel's uuid")
        try:
            self._run(f"uuid_kill {uuid}")
        except CommandFailed as error:
            if "No such channel" not in str(error):
                raise

    def rescan_gateways(self, profile: str) -> None:
        """Load new gateways, without touching running calls."""
        self._run(f"sofia profile {_word(profile)} rescan")

    def _run(self, command: str) -> str:
        with EventSocket(self.login) as connection:
            return connection.api(command)


def _word(text: str) -> str:
    """The text, if it is one word of a command and nothing more."""
    if not _SAFE.fullmatch(text):
        raise ValueError(f"{text[:40]!r} cannot be part of a command")
    return text
