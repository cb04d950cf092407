"""A sandbox of the vendor over real HTTP, and the two ways to talk to it."""

from collections.abc import Iterator

import httpx
import pytest

from backups.client import RemoteBackupsClient
from backups.module import RemoteBackupsModule
from backups.sandbox import DEMO_TOKEN, SandboxServer, serve
from backups.sandbox_control import SandboxControl
from provisioning.contract import Exchange, ServerAccess

pytest.register_assert_rewrite("tests.contract.product_module")


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxServer]:
    server = serve("127.0.0.1", 0).start()
    yield server
    server.shutdown()


@pytest.fixture
def remote(sandbox: SandboxServer) -> SandboxControl:
    """The sandbox's knobs; each test starts with an empty account and a right clock."""
    control = SandboxControl(sandbox.url)
    control.reset()
    return control


@pytest.fixture
def exchanges() -> list[Exchange]:
    return []


@pytest.fixture
def access(
    sandbox: SandboxServer, remote: SandboxControl, exchanges: list[Exchange]
) -> ServerAccess:
    return ServerAccess(1, sandbox.url, {"token": DEMO_TOKEN}, exchanges.append)


@pytest.fixture
def client(access: ServerAccess) -> RemoteBackupsClient:
    return RemoteBackupsClient(access)


@pytest.fixture
def hasty_client(access: ServerAccess) -> RemoteBackupsClient:
    """A client that waits for an answer a fifth of a second."""
    return RemoteBackupsClient(access, timeout=httpx.Timeout(0.2))


@pytest.fixture
def module(access: ServerAccess) -> RemoteBackupsModule:
    return RemoteBackupsModule(access)


@pytest.fixture
def vendor(sandbox: SandboxServer, remote: SandboxControl) -> httpx.Client:
    """Plain HTTP as any client of the vendor would send it."""
    return httpx.Client(base_url=sandbox.url, headers={"Authorization": f"Bearer {DEMO_TOKEN}"})
