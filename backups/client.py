"""The reseller API of remote-backups.com: requests, status codes, errors, masked secrets.

Sizes go out in GB and come back in bytes (`answers.py`).  Only a 2xx answer with JSON of
the expected shape is a success.  No call is repeated here: that is the job runner's part.
Source: the vendor's WHMCS module (README and client).  What it does not settle is marked
"assumed".
"""

import json
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from provisioning.contract import (
    CredentialsRejected,
    RemoteNotFound,
    RemoteRejected,
    RemoteUnavailable,
    ServerAccess,
)
from provisioning.masking import MASK
from provisioning.wire import TIMEOUT, UnexpectedAnswer, Wire, raise_if_later

from . import answers
from .answers import BYTES_PER_GB, Datastore, Rescale, UsePoint
from .limits import smallest_size_for
from .retention import KEEP_NAMES, PruneSettings

_DATASTORES = "/reseller/datastore"
_LOOKED_BACK_DAYS = 30
"""The shortest stretch of the rescale log the vendor's own module asks for."""
_FRESH_READS = 3
_LOGGED_ITEMS = 20
"""Of a long list only the first go to the module log: it is asked for every hour."""


class GraphRange(StrEnum):
    """How far back a graph reaches."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    DECADE = "decade"


class RemoteBackupsClient:
    """The calls we make with one reseller token.

    All raise RemoteUnavailable (try later) on timeouts, 429, 5xx and answers that are not
    this API's; CredentialsRejected on 401 and 403; RemoteRejected on other refusals.
    """

    def __init__(self, access: ServerAccess, *, timeout: httpx.Timeout = TIMEOUT) -> None:
        self._token = access.credentials.get("token", "")
        self._wire = Wire(access, timeout=timeout, loggable=self._loggable)

    def list_datastores(self) -> list[Datastore]:
        """Every datastore of the account, in one request."""
        return answers.read_datastores(self._send("GET", _DATASTORES))

    def get_datastore(self, datastore_id: str) -> Datastore:
        """One datastore with its credentials.  Raises RemoteNotFound if it is gone."""
        return answers.read_full_datastore(self._send("GET", _path(datastore_id)))

    def create_datastore(self, name: str, *, size_gb: int) -> str:
        """Make a datastore and return its id.

        The vendor accepts a name twice and knows no idempotency key (assumed): after
        RemoteUnavailable look in the list before asking again.
        """
        body = {"friendly": name, "size": size_gb}
        return answers.read_id(self._send("POST", _DATASTORES, body=body))

    def resize_datastore(self, datastore_id: str, *, size_gb: int) -> Datastore:
        """Set the provisioned size; asking for the present size sends nothing.

        Raises RemoteRejected if the data in use would not fit.
        """
        return self.update_datastore(datastore_id, size_gb=size_gb)

    def update_datastore(
        self,
        datastore_id: str,
        *,
        name: str | None = None,
        size_gb: int | None = None,
        speed_mbit: int | None = None,
        autoscaling_enabled: bool | None = None,
        autoscaling_scale_up_only: bool | None = None,
        autoscaling_lower_percent: int | None = None,
        autoscaling_upper_percent: int | None = None,
    ) -> Datastore:
        """Change the settings given and keep the others; sends nothing if all are so already.

        The vendor wants all seven settings in every PATCH.  They are read again right
        before, so a size the autoscaler changed meanwhile is not written back, and once
        more after, so what is returned is what stands.  If the size changed even between
        that reading and the writing, the rescale log shows it and the size is put back.
        """
        given = {
            "friendly": name,
            "size": size_gb,
            "speed": speed_mbit,
            "autoscalingEnabled": autoscaling_enabled,
            "autoscalingScaleUpOnly": autoscaling_scale_up_only,
            "autoscalingLowerThreshold": autoscaling_lower_percent,
            "autoscalingUpperThreshold": autoscaling_upper_percent,
        }
        wanted = {key: value for key, value in given.items() if value is not None}
        current = self.get_datastore(datastore_id)
        settings = _settings(current)
        if settings | wanted == settings:
            return current
        _refuse_impossible_size(current, size_gb)
        if size_gb is None:
            return self._update_beside_autoscaler(current, wanted)
        self._send("PATCH", _path(datastore_id), body=settings | wanted)
        return self._changed(datastore_id, wanted)

    def _update_beside_autoscaler(self, current: Datastore, wanted: Mapping[str, Any]) -> Datastore:
        """Change settings but not the size, which the autoscaler may be changing just now.

        ours         read 500 ------------- write 500
        autoscaler             500 -> 600
        log                    500 -> 600,  600 -> 500    so 600 is put back
        """
        before = self._log_if_told(current.id)
        for _ in range(_FRESH_READS):
            if not before or before[-1].to_gb == current.size_gb:
                break
            current = self.get_datastore(current.id)
        sent = _settings(current) | dict(wanted)
        self._send("PATCH", _path(current.id), body=sent)
        changed = self._changed(current.id, wanted)
        after = self._log_if_told(current.id)
        undone = [
            one
            for one in after or ()
            if one not in (before or ()) and one.to_gb == sent["size"] != one.from_gb
        ]
        if before is None or not undone or changed.size_gb != sent["size"]:
            return changed
        self._send("PATCH", _path(current.id), body=sent | {"size": undone[-1].from_gb})
        return self._changed(current.id, dict(wanted) | {"size": undone[-1].from_gb})

    def _log_if_told(self, datastore_id: str) -> list[Rescale] | None:
        """The latest size changes; None if the vendor does not tell, which stops no change."""
        try:
            return self.rescale_log(datastore_id, days=_LOOKED_BACK_DAYS)
        except (RemoteRejected, RemoteNotFound, UnexpectedAnswer):
            return None

    def update_prune_settings(self, datastore_id: str, prune: PruneSettings) -> Datastore:
        """Set how many backups are kept and when; sends nothing if it is so already.

        All six counts go out every time: 0 takes a limit away, one left out would stay.
        The schedule is wanted twice.  Source: the vendor's WHMCS module.
        """
        current = self.get_datastore(datastore_id)
        if current.prune == prune:
            return current
        kept = {name.replace("_", "-"): getattr(prune, name) for name in KEEP_NAMES}
        body = {
            "keepLast": {**kept, "schedule": prune.schedule},
            "targetSchedule": prune.schedule,
        }
        self._send("PATCH", f"{_path(datastore_id)}/prune-settings", body=body)
        changed = self.get_datastore(datastore_id)
        if changed.prune != prune:
            raise UnexpectedAnswer(
                f"remote-backups.com took the retention of {changed.name} but does not show it."
            )
        return changed

    def use_graph(self, datastore_id: str, *, reach: GraphRange) -> list[UsePoint]:
        """Used and provisioned space over time, oldest first."""
        path = f"{_path(datastore_id)}/graph"
        return answers.read_graph(self._send("GET", path, params={"range": str(reach)}))

    def delete_datastore(self, datastore_id: str) -> None:
        """Delete a datastore with everything in it.  Raises RemoteNotFound if it is gone."""
        self._send("DELETE", _path(datastore_id))

    def rescale_log(self, datastore_id: str, *, days: int) -> list[Rescale]:
        """The size changes of the last `days` days, counted back from now, in time order.

        The vendor may clamp `days` (assumed): callers check that the chain of sizes is whole.
        """
        path = f"{_path(datastore_id)}/rescale-log"
        return answers.read_rescale_log(self._send("GET", path, params={"range": f"{days}d"}))

    def _changed(self, datastore_id: str, wanted: Mapping[str, Any]) -> Datastore:
        """The datastore after a PATCH.  Raises UnexpectedAnswer if the change did not take."""
        datastore = self.get_datastore(datastore_id)
        standing = _settings(datastore)
        differing = sorted(key for key, value in wanted.items() if standing[key] != value)
        if differing:
            raise UnexpectedAnswer(
                f"remote-backups.com took the change of {datastore.name}"
                f" but does not show it: {', '.join(differing)}."
            )
        return datastore

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON of one answer, None if it is empty; the exchange is recorded either way."""
        response = self._wire.request(method, path, body=body, params=params)
        answer = self._answer(response)
        action = f"{method} {path}"
        _raise_for_status(action, response, said=_message(answer))
        if isinstance(answer, _NotJson):
            raise UnexpectedAnswer(f"{action}: the answer is not JSON ({answer})")
        return answer

    def _answer(self, response: httpx.Response) -> Any:
        # Some error pages repeat what they were sent.
        return _json(response.text.replace(self._token, MASK))

    def _loggable(self, response: httpx.Response) -> Any:
        answer = self._answer(response)
        if isinstance(answer, list) and len(answer) > _LOGGED_ITEMS:
            return [*answer[:_LOGGED_ITEMS], f"... and {len(answer) - _LOGGED_ITEMS} more"]
        return answer


class _NotJson(str):
    """The beginning of a body that is not JSON."""


def _json(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError:
        return _NotJson(text[:200])


def _message(answer: Any) -> str:
    """What the vendor said: its `message` (a sentence or a list of them), or the bare text."""
    said = answer.get("message") if isinstance(answer, dict) else answer
    if isinstance(said, list):
        return "; ".join(str(sentence) for sentence in said)
    return str(said or "")[:500]


def _raise_for_status(action: str, response: httpx.Response, *, said: str) -> None:
    status = response.status_code
    text = f"{action}: {status} {said}".rstrip()
    if response.is_success:
        return
    raise_if_later(response, text)
    if not response.is_client_error:
        raise UnexpectedAnswer(f"{text} (this API never redirects)")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise CredentialsRejected(f"remote-backups.com refused the API token ({text}).")
    if status == HTTPStatus.NOT_FOUND:
        raise RemoteNotFound(text)
    raise RemoteRejected(f"remote-backups.com refused: {said or text}")


def _path(datastore_id: str) -> str:
    # Without an id the path would be the list's.
    if not datastore_id:
        raise RemoteNotFound("There is no datastore without an id.")
    return f"{_DATASTORES}/{quote(datastore_id, safe='')}"


def _settings(datastore: Datastore) -> dict[str, Any]:
    """The seven settings as a PATCH carries them."""
    return {
        "friendly": datastore.name,
        "size": datastore.size_gb,
        "speed": datastore.speed_mbit,
        "autoscalingEnabled": datastore.autoscaling_enabled,
        "autoscalingScaleUpOnly": datastore.autoscaling_scale_up_only,
        "autoscalingLowerThreshold": datastore.autoscaling_lower_percent,
        "autoscalingUpperThreshold": datastore.autoscaling_upper_percent,
    }


def _refuse_impossible_size(current: Datastore, size_gb: int | None) -> None:
    """Raise RemoteRejected if a PATCH could not carry the size, or the data would not fit."""
    if size_gb is None:
        if not isinstance(current.size_gb, int):
            raise RemoteRejected(
                f"{current.name} has {current.size_gb} GB, which the vendor does not take back:"
                " set its size first."
            )
        return
    if size_gb >= current.size_gb:
        return
    if current.used_bytes is None:
        raise RemoteUnavailable(
            f"The vendor does not say how much of {current.name} is in use,"
            " so it cannot be made smaller now."
        )
    if size_gb * BYTES_PER_GB < current.used_bytes:
        raise RemoteRejected(
            f"{_used_gb(current.used_bytes)} GB are in use:"
            f" the smallest possible size is {smallest_size_for(current.used_bytes)} GB."
        )


def _used_gb(used_bytes: int) -> Decimal:
    used_gb = Decimal(used_bytes) / BYTES_PER_GB
    return used_gb.quantize(Decimal("0.1"), ROUND_CEILING)
