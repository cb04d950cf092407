"""How many backups a datastore keeps, and when it prunes: the rules and the wire form.

The options count in the order last, hourly, daily, weekly, monthly, yearly; each looks
only at backups the ones before it do not keep.  With none set nothing is pruned.
Source: the vendor's WHMCS module for the wire form, Proxmox's documentation of prune
options and calendar events for the rest.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from provisioning.contract import RemoteRejected

MOST_KEPT = 9999
"""Our own limit: larger numbers are slips of the keyboard."""
DEFAULT_SCHEDULE = "daily"

_WORDS = ("hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly")
_DAY = r"(?:mon|tue|wed|thu|fri|sat|sun)"
_DAYS = rf"{_DAY}(?:\.\.{_DAY})?(?:,{_DAY}(?:\.\.{_DAY})?)*"
_NUMBER = r"(?:\*|\d{1,2}(?:\.\.\d{1,2})?)(?:/\d{1,2})?"
_NUMBERS = rf"{_NUMBER}(?:,{_NUMBER})*"
_EVENT = re.compile(rf"(?:{_DAYS}|(?:(?:{_DAYS}) )?(?P<hours>{_NUMBERS}):(?P<minutes>{_NUMBERS}))")


@dataclass(frozen=True, slots=True)
class PruneSettings:
    """How many backups of each kind are kept; 0 is no limit of that kind.

    `schedule` is a calendar event of the backup server, in its own time zone: "daily",
    "Mon,Thu 0,12:00".
    """

    keep_last: int = 0
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_yearly: int = 0
    schedule: str = DEFAULT_SCHEDULE

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "PruneSettings":
        """Checked settings from JSON.  Raises RemoteRejected, as a sentence."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        missing = sorted({field.name for field in fields(cls)} - set(values))
        if unknown or missing:
            raise RemoteRejected(f"Retention needs all its settings: {unknown or missing}.")
        for name in KEEP_NAMES:
            check_kept(values[name])
        return cls(**{**values, "schedule": check_schedule(values["schedule"])})

    @property
    def keeps_everything(self) -> bool:
        return not any(getattr(self, name) for name in KEEP_NAMES)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


KEEP_NAMES = tuple(field.name for field in fields(PruneSettings) if field.name.startswith("keep_"))


def check_kept(count: object) -> int:
    """A number of backups to keep.  Raises RemoteRejected, as a sentence."""
    if type(count) is not int or not 0 <= count <= MOST_KEPT:
        raise RemoteRejected(f"Keep a whole number from 0 to {MOST_KEPT}, not {count!r}.")
    return count


def check_schedule(text: object) -> str:
    """A calendar event the backup server understands, its spaces made single.

    "daily", "Mon,Thu 0,12:00", "mon..fri 22:30", "*:0/30".  The backup server takes more
    (dates); what we do not understand we do not send.  Raises RemoteRejected.
    """
    schedule = " ".join(str(text).split())
    found = _EVENT.fullmatch(schedule.lower())
    hours, minutes = (found["hours"] or "", found["minutes"] or "") if found else ("", "")
    is_good = found is not None and _below(hours, 24) and _below(minutes, 60)
    if not is_good and schedule.lower() not in _WORDS:
        raise RemoteRejected(
            f"{schedule!r} is not a schedule: write daily, weekly, or weekdays and hours"
            " such as Mon,Thu 0,12:00."
        )
    return schedule


def _below(numbers: str, end: int) -> bool:
    """Whether all numbers fit the clock and no step is 0."""
    steps = (int(step) for step in re.findall(r"/(\d+)", numbers))
    return all(int(one) < end for one in re.findall(r"\d+", numbers)) and all(steps)
