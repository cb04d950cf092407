"""Testing a PBX layer by layer, so that the first failure names what to mend."""

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from provisioning.contract import Check, ModuleError, ServerAccess

from .answers import AllowListAnswer
from .client import AgentClient

CONNECT_TIMEOUT_S = 5


class LayerFailed(ModuleError):
    """One layer of the test did not work."""


def test(access: ServerAccess) -> list[Check]:
    """Every layer up to the first that fails; none raises."""
    visit = _Visit(access)
    layers: list[tuple[str, Callable[[], str]]] = [
        ("Address", visit.find_address),
        ("TCP", visit.open_port),
        ("HTTP", visit.reach_agent),
        ("Allow-list", visit.pass_allow_list),
        ("Token", visit.pass_token),
        ("Sample", visit.read_sample),
    ]
    checks: list[Check] = []
    for name, layer in layers:
        try:
            checks.append(Check(name, True, layer()))
        except ModuleError as error:
            return [*checks, Check(name, False, str(error))]
    return checks


class _Visit:
    """One visit to a server: each step uses what the steps before it found."""

    def __init__(self, access: ServerAccess) -> None:
        self._access = access
        self._verdict = AllowListAnswer(False, "not asked")

    def find_address(self) -> str:
        host, port = self._host_and_port()
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise LayerFailed(f"{host} has no address: {error}") from error
        addresses = sorted({str(entry[4][0]) for entry in found})
        return f"{host} is {', '.join(addresses)}"

    def open_port(self) -> str:
        host, port = self._host_and_port()
        try:
            socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S).close()
        except OSError as error:
            raise LayerFailed(f"{host} port {port} does not answer: {error}") from error
        return f"port {port} is open"

    def reach_agent(self) -> str:
        self._verdict = AgentClient(self._access).check_allow_list()
        return "the agent answers"

    def pass_allow_list(self) -> str:
        if not self._verdict.is_allowed:
            raise LayerFailed(self._verdict.message)
        return self._verdict.message

    def pass_token(self) -> str:
        status = AgentClient(self._access).status()
        return f"FusionPBX {status.version}"

    def read_sample(self) -> str:
        tenants = AgentClient(self._access).list_tenants()
        return f"{len(tenants)} tenants can be read"

    def _host_and_port(self) -> tuple[str, int]:
        address = self._access.base_url
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError as error:
            raise LayerFailed(f"{address} is not an address: {error}") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise LayerFailed(f"{address} is not an address such as https://pbx.example.net")
        return parts.hostname, port or (443 if parts.scheme == "https" else 80)
