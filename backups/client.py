"""The reseller API of remote-backups.com: requests, status codes, errors, masked secrets.

Sizes go out in GB and come back in bytes (`answers.py`).  Only a 2xx answer with JSON of
the expected shape is a success.  No call is repeated here: that is the job runner's part.
Source: the vendor's WHMCS module (README and client).  What it does not settle is marked
"assumed".
"""

import json
import re
import time
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from provisioning import tls
from provisioning.contract import (
    CredentialsRejected,
    Exchange,
    RemoteNotFound,
    RemoteRejected,
    RemoteUnavailable,
    ServerAccess,
)
from provisioning.masking import MASK, mask

from . import answers
from .answers import BYTES_PER_GB, Datastore, Rescale, UnexpectedAnswer
from .limits import smallest_size_for

TIMEOUT = httpx.Timeout(30, connect=5)

_DATASTORES = "/reseller/datastore"
_TOKEN = re.compile(r"[!-~]+")
_LOGGED_ITEMS = 20
"""Of a long list only the first go to the module log: it is asked for every hour."""


class RemoteBackupsClient:
    """The calls we make with one reseller token.

    All raise RemoteUnavailable (try later) on timeouts, 429, 5xx and answers that are not
    this API's; CredentialsRejected on 401 and 403; RemoteRejected on other refusals.
    """

    def __init__(self, access: ServerAccess, *, timeout: httpx.Timeout = TIMEOUT) -> None:
        self._token = access.credentials["token"]
        self._record = access.record
        if not _TOKEN.fullmatch(self._token):
            raise CredentialsRejected("The API token is empty or holds a space or a line break.")
        try:
            self._http = httpx.Client(
                base_url=access.base_url,
                headers={"Authorization": f"Bearer {self._token}", "Accept": "application/json"},
                timeout=timeout,
                follow_redirects=False,
                trust_env=False,
                verify=tls.context(),
            )
        except httpx.InvalidURL as error:
            raise RemoteRejected(f"{access.base_url!r} is not an address: {error}") from error

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
        more after, so what is returned is what stands.
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
        self._send("PATCH", _path(datastore_id), body=settings | wanted)
        return self._changed(datastore_id, wanted)

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
        action = f"{method} {path}"
        sent = {"params": dict(params or {}), "body": body}
        started = time.monotonic()
        try:
            response = self._http.request(method, path, json=body, params=params)
        except httpx.RequestError as error:
            said = f"{type(error).__name__}: {error}"
            self._report(action, sent, said, status=None, started=started)
            raise RemoteUnavailable(f"{action}: no answer ({said})") from error
        # Some error pages repeat what they were sent.
        answer = _json(response.text.replace(self._token, MASK))
        self._report(action, sent, answer, status=response.status_code, started=started)
        _raise_for_status(action, response, said=_message(answer))
        if isinstance(answer, _NotJson):
            raise UnexpectedAnswer(f"{action}: the answer is not JSON ({answer})")
        return answer

    def _report(
        self, action: str, sent: Any, received: Any, *, status: int | None, started: float
    ) -> None:
        duration_ms = round((time.monotonic() - started) * 1000)
        if isinstance(received, list) and len(received) > _LOGGED_ITEMS:
            more = len(received) - _LOGGED_ITEMS
            received = [*received[:_LOGGED_ITEMS], f"... and {more} more"]
        self._record(Exchange(action, mask(sent), mask(received), status, duration_ms))


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
    if response.is_server_error or status in _LATER:
        raise RemoteUnavailable(text, retry_after_s=_retry_after_s(response))
    if not response.is_client_error:
        raise UnexpectedAnswer(f"{text} (this API never redirects)")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise CredentialsRejected(f"remote-backups.com refused the API token ({text}).")
    if status == HTTPStatus.NOT_FOUND:
        raise RemoteNotFound(text)
    raise RemoteRejected(f"remote-backups.com refused: {said or text}")


_LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT)


def _retry_after_s(response: httpx.Response) -> int | None:
    """The wish in Retry-After in seconds; a date counts from the answer's own Date."""
    wish = response.headers.get("Retry-After", "").strip()
    if wish.isascii() and wish.isdigit():
        return int(wish)
    try:
        later = parsedate_to_datetime(wish)
        sent = parsedate_to_datetime(response.headers.get("Date", ""))
        return max(0, round((later - sent).total_seconds()))
    except (TypeError, ValueError):
        return None


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
