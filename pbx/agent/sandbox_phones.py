"""The phones of the sandbox: which of them are registered at a moment, and until when.

Nine in ten are plugged in, others every half hour.  A phone that is plugged in registers
anew every few minutes, so one that was thrown off is back after its next turn.  Everything
follows from the extension's uuid, the clock, and what the sandbox was told.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

SPELL_S = 1800


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a registered phone can be reached."""

    address: str
    port: int
    user_agent: str
    expires_at: datetime


class Phones:
    """Not safe for threads: its owner locks."""

    def __init__(self) -> None:
        self._told: dict[UUID, bool] = {}
        self._dropped_at: dict[UUID, datetime] = {}

    def contact(self, extension_id: UUID, *, now: datetime) -> Contact | None:
        """Where the phone is registered, None if it is not."""
        if not self._is_plugged_in(extension_id, now):
            return None
        dropped_at = self._dropped_at.get(extension_id)
        if dropped_at and now < _next_turn(extension_id, dropped_at):
            return None
        rng = Random(str(extension_id))
        return Contact(
            address=f"198.51.100.{rng.randint(1, 254)}",
            port=rng.randint(20000, 60000),
            user_agent=rng.choice(("Yealink T54W", "Snom D785", "Linphone/5.2")),
            expires_at=_next_turn(extension_id, now),
        )

    def drop(self, extension_id: UUID, *, now: datetime) -> None:
        """Throw a phone off.  It comes back at its next turn."""
        self._dropped_at[extension_id] = now

    def tell(self, extension_id: UUID, is_plugged_in: bool | None) -> None:
        """Plug a phone in or out for good; None leaves it to chance again."""
        if is_plugged_in is None:
            self._told.pop(extension_id, None)
        else:
            self._told[extension_id] = is_plugged_in

    def clear(self) -> None:
        self._told.clear()
        self._dropped_at.clear()

    def dump(self) -> dict[str, Any]:
        dropped = {str(phone): at.isoformat() for phone, at in self._dropped_at.items()}
        return {
            "told": {str(phone): told for phone, told in self._told.items()},
            "dropped": dropped,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self._told = {UUID(phone): told for phone, told in state["told"].items()}
        self._dropped_at = {
            UUID(phone): datetime.fromisoformat(at) for phone, at in state["dropped"].items()
        }

    def _is_plugged_in(self, extension_id: UUID, now: datetime) -> bool:
        spell = int(now.timestamp() // SPELL_S)
        by_chance = Random(f"{extension_id} {spell}").random() < 0.9
        return self._told.get(extension_id, by_chance)


def _next_turn(extension_id: UUID, at: datetime) -> datetime:
    """When the phone registers next, after `at`: every 2 to 15 minutes, each at its own."""
    rng = Random(f"turns of {extension_id}")
    every_s = rng.randint(120, 900)
    first_s = rng.randrange(every_s)
    turns = (int(at.timestamp()) - first_s) // every_s + 1
    return datetime.fromtimestamp(first_s + turns * every_s, UTC)
