"""The agent's API as calls: requests, status codes, errors, masked secrets.

Shapes of answers are in `answers.py`.  Only a 2xx answer with JSON of the expected shape
is a success.  No call is repeated here: that is the job runner's part.
"""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from provisioning.contract import (
    CredentialsRejected,
    RemoteNotFound,
    RemoteRejected,
    ServerAccess,
)
from provisioning.wire import TIMEOUT, UnexpectedAnswer, Wire, raise_if_later

from . import answers
from .answers import (
    AgentStatus,
    AllowListAnswer,
    CallPage,
    RemoteExtension,
    RemoteRegistration,
    RemoteTenant,
)

PAGE = 1000

_API = "/api/v1"
_CHKCON = "/app/xml_cdr/chkcon.php"
_GONE = ("no_such_tenant", "no_such_extension")


class AgentClient:
    """The calls we make to one PBX's agent.

    All raise RemoteUnavailable (try later) on timeouts, 429, 5xx and answers that are not
    the agent's; CredentialsRejected on 401 and 403; RemoteRejected on other refusals.
    """

    def __init__(self, access: ServerAccess, *, timeout: httpx.Timeout = TIMEOUT) -> None:
        self._wire = Wire(access, timeout=timeout, loggable=_loggable)

    def check_allow_list(self) -> AllowListAnswer:
        """What the agent thinks of our address; a refusal is an answer here."""
        response = self._wire.request("GET", _CHKCON)
        if response.status_code != HTTPStatus.FORBIDDEN:
            _raise_for_status(f"GET {_CHKCON}", response)
        return answers.read_allow_list_answer(_json(f"GET {_CHKCON}", response))

    def status(self) -> AgentStatus:
        return answers.read_status(self._send("GET", "/status"))

    def list_tenants(self) -> list[RemoteTenant]:
        """Every tenant of the PBX, in order of id, in one request."""
        return answers.read_tenants(self._send("GET", "/tenants"))

    def put_tenant(self, tenant_id: str, *, domain: str, description: str) -> RemoteTenant:
        """The tenant with this uuid, made if it is not there.

        Raises RemoteRejected if another tenant has the domain.
        """
        body = {"domain": domain, "description": description}
        return answers.read_tenant(self._send("PUT", _tenant(tenant_id), body=body))

    def get_tenant(self, tenant_id: str) -> RemoteTenant:
        """Raises RemoteNotFound if it is gone."""
        return answers.read_tenant(self._send("GET", _tenant(tenant_id)))

    def suspend_tenant(self, tenant_id: str) -> RemoteTenant:
        return answers.read_tenant(self._send("POST", f"{_tenant(tenant_id)}/suspend"))

    def unsuspend_tenant(self, tenant_id: str) -> RemoteTenant:
        return answers.read_tenant(self._send("POST", f"{_tenant(tenant_id)}/unsuspend"))

    def delete_tenant(self, tenant_id: str) -> None:
        """Remove the tenant with its extensions.  Raises RemoteNotFound if it is gone."""
        self._send("DELETE", _tenant(tenant_id))

    def list_extensions(self, tenant_id: str) -> list[RemoteExtension]:
        """The tenant's extensions with their secrets, in order of number."""
        return answers.read_extensions(self._send("GET", f"{_tenant(tenant_id)}/extensions"))

    def put_extension(
        self, tenant_id: str, extension_id: str, *, number: str, name: str
    ) -> RemoteExtension:
        """The extension with this uuid, made with a new secret if it is not there.

        Raises RemoteRejected if the number is taken.
        """
        body = {"number": number, "name": name}
        path = _extension(tenant_id, extension_id)
        return answers.read_extension(self._send("PUT", path, body=body))

    def delete_extension(self, tenant_id: str, extension_id: str) -> None:
        """Raises RemoteNotFound if it is gone."""
        self._send("DELETE", _extension(tenant_id, extension_id))

    def rotate_secret(self, tenant_id: str, extension_id: str) -> RemoteExtension:
        """The extension with another SIP secret of the agent's choice."""
        path = f"{_extension(tenant_id, extension_id)}/rotate-secret"
        return answers.read_extension(self._send("POST", path))

    def list_registrations(self, tenant_id: str) -> list[RemoteRegistration]:
        """The tenant's phones that are reachable now."""
        params = {"tenant_id": tenant_id}
        return answers.read_registrations(self._send("GET", "/registrations", params=params))

    def fetch_calls(
        self, *, after: str = "", since: datetime | None = None, limit: int = PAGE
    ) -> CallPage:
        """Call records in order of arrival: after a cursor, or stored at `since` or later."""
        params = {"limit": str(limit)}
        if after:
            params["after"] = after
        elif since is not None:
            params["since"] = since.isoformat()
        return answers.read_calls(self._send("GET", "/calls", params=params))

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON of one API answer, None if it is empty."""
        action = f"{method} {_API}{path}"
        response = self._wire.request(method, _API + path, body=body, params=params)
        _raise_for_status(action, response)
        return _json(action, response)


def _raise_for_status(action: str, response: httpx.Response) -> None:
    status = response.status_code
    if response.is_success:
        return
    code, said = _error(response)
    text = f"{action}: {status} {said}".rstrip()
    raise_if_later(response, text)
    if status == HTTPStatus.FORBIDDEN:
        raise CredentialsRejected(
            f"Access is forbidden: is this portal on the agent's allow-list? ({text})"
        )
    if status == HTTPStatus.UNAUTHORIZED:
        raise CredentialsRejected(f"The agent refused the token ({text}).")
    if status == HTTPStatus.NOT_FOUND and code in _GONE:
        raise RemoteNotFound(f"The PBX says: {said}")
    if code in ("", "no_such_path"):
        # Taking a web server's own 404 for "gone" would end services that still run.
        raise UnexpectedAnswer(f"{text}: this is not the agent; is the server's address right?")
    raise RemoteRejected(f"The PBX refused: {said}")


def _error(response: httpx.Response) -> tuple[str, str]:
    """The code and the sentence of the agent's error; without a code it is not the agent's."""
    try:
        error = response.json()["error"]
        return str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        return "", response.headers.get("Location", "")


def _json(action: str, response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError as error:
        begins = response.text[:60]
        raise UnexpectedAnswer(f"{action}: the answer is not JSON ({begins!r} ...)") from error


def _loggable(response: httpx.Response) -> Any:
    """The answer for the module log; of a page of calls only what fits a line."""
    try:
        answer = response.json()
    except ValueError:
        return response.text[:200]
    if isinstance(answer, dict) and isinstance(answer.get("calls"), list):
        return {**answer, "calls": f"{len(answer['calls'])} calls"}
    return answer


def _tenant(tenant_id: str) -> str:
    # Without an id the path would be the list's.
    if not tenant_id:
        raise RemoteNotFound("There is no tenant without an id.")
    return f"/tenants/{quote(tenant_id, safe='')}"


def _extension(tenant_id: str, extension_id: str) -> str:
    return f"{_tenant(tenant_id)}/extensions/{quote(extension_id, safe='')}"
