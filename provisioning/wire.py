"""What every vendor's wire client needs: one HTTP connection, recorded and without secrets.

A client adds the vendor's paths, units and refusals.  Nothing is repeated here: that is
the job runner's part.
"""

import re
import ssl
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx

from provisioning.contract import (
    CredentialsRejected,
    Exchange,
    RemoteRejected,
    RemoteUnavailable,
    ServerAccess,
)
from provisioning.masking import mask

TIMEOUT = httpx.Timeout(30, connect=5)

_TOKEN = re.compile(r"[!-~]+")
_LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT)


class UnexpectedAnswer(RemoteUnavailable):
    """Something answered, but not this API: a log-in page, a redirect, a missing key."""


class Wire:
    """HTTP with one server's bearer token: time-outs, no redirects, no proxy of the host.

    `loggable` turns an answer into what the module log should hold of it.
    Raises CredentialsRejected for a token no header can carry, RemoteRejected for an
    address that is none.
    """

    def __init__(
        self,
        access: ServerAccess,
        *,
        timeout: httpx.Timeout,
        loggable: Callable[[httpx.Response], Any],
    ) -> None:
        token = access.credentials.get("token", "")
        if not _TOKEN.fullmatch(token):
            raise CredentialsRejected("The token is empty or holds a space or a line break.")
        self._record, self._loggable = access.record, loggable
        try:
            self._http = httpx.Client(
                base_url=access.base_url,
                headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
                timeout=timeout,
                follow_redirects=False,
                trust_env=False,
                verify=_tls_context(),
            )
        except httpx.InvalidURL as error:
            raise RemoteRejected(f"{access.base_url!r} is not an address: {error}") from error

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One request and its answer, whatever its status; both are recorded, masked.

        Raises RemoteUnavailable if no answer came.
        """
        action = f"{method} {path}"
        sent = {"params": dict(params or {}), "body": body}
        started = time.monotonic()
        try:
            response = self._http.request(method, path, json=body, params=params)
        except httpx.RequestError as error:
            said = f"{type(error).__name__}: {error}"
            self._report(action, sent, said, None, started)
            raise RemoteUnavailable(f"{action}: no answer ({said})") from error
        self._report(action, sent, self._loggable(response), response.status_code, started)
        return response

    def _report(
        self, action: str, sent: Any, received: Any, status: int | None, started: float
    ) -> None:
        duration_ms = round((time.monotonic() - started) * 1000)
        self._record(Exchange(action, mask(sent), mask(received), status, duration_ms))


def raise_if_later(response: httpx.Response, text: str) -> None:
    """Raise RemoteUnavailable for a 408, 429 or 5xx, with the wish in Retry-After."""
    if response.is_server_error or response.status_code in _LATER:
        raise RemoteUnavailable(text, retry_after_s=_retry_after_s(response))


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


@cache
def _tls_context() -> ssl.SSLContext:
    """One context for all: making one reads every root certificate, 20 ms each time."""
    return httpx.create_ssl_context(trust_env=False)
