"""The settings of a datastore beside its size: what they are called and what they may be.

Changes are JSON: `{"speed_mbit": 250}`, `{"autoscaling_enabled": true}`; the thresholds come
together, retention comes whole.
"""

from collections.abc import Mapping
from typing import Any

from provisioning.contract import RemoteRejected

from .limits import check_speed, check_thresholds
from .retention import PruneSettings

FLAGS = ("autoscaling_enabled", "autoscaling_scale_up_only")
THRESHOLDS = ("autoscaling_lower_percent", "autoscaling_upper_percent")
SETTINGS = ("speed_mbit", *FLAGS, *THRESHOLDS, "prune")


def check_changes(changes: Mapping[str, Any]) -> None:
    """Raise RemoteRejected, as a sentence, for a change the vendor does not know or allow."""
    if unknown := sorted(set(changes) - set(SETTINGS)):
        raise RemoteRejected(f"A datastore has no setting called {unknown[0]}.")
    if "speed_mbit" in changes:
        check_speed(changes["speed_mbit"])
    for name in FLAGS:
        if not isinstance(changes.get(name, True), bool):
            raise RemoteRejected(f"{name} is on or off, not {changes[name]!r}.")
    if any(name in changes for name in THRESHOLDS):
        check_thresholds(*(changes.get(name) for name in THRESHOLDS))
    if "prune" in changes:
        PruneSettings.read(changes["prune"])


def settings_in(details: Mapping[str, Any]) -> dict[str, Any]:
    """The settings a remote state's details tell."""
    return {name: details[name] for name in SETTINGS if details.get(name) is not None}
