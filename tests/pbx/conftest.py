"""A sandbox PBX over real HTTP, and the ways to talk to it."""

from collections.abc import Iterator

import httpx
import pytest

from pbx.client import AgentClient
from pbx.module import FusionPbxModule
from pbx.sandbox import DEMO_TOKEN, SandboxServer, serve
from pbx.sandbox_control import SandboxControl
from provisioning.contract import Exchange, ServerAccess

pytest.register_assert_rewrite("tests.contract.product_module")


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxServer]:
    server = serve("127.0.0.1", 0).start()
    yield server
    server.shutdown()


@pytest.fixture
def remote(sandbox: SandboxServer) -> SandboxControl:
    """The sandbox's knobs; each test starts with an empty PBX and a right clock."""
    control = SandboxControl(sandbox.url)
    control.reset()
    return control


@pytest.fixture
def agent(sandbox: SandboxServer, remote: SandboxControl) -> Iterator[httpx.Client]:
    """Plain HTTP to the agent, with the right token."""
    headers = {"Authorization": f"Bearer {DEMO_TOKEN}"}
    with httpx.Client(base_url=sandbox.url, headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture
def exchanges() -> list[Exchange]:
    return []


@pytest.fixture
def access(
    sandbox: SandboxServer, remote: SandboxControl, exchanges: list[Exchange]
) -> ServerAccess:
    credentials = {"token": DEMO_TOKEN, "sip_proxy": "sip.example.net"}
    return ServerAccess(1, sandbox.url, credentials, exchanges.append)


@pytest.fixture
def client(access: ServerAccess) -> AgentClient:
    return AgentClient(access)


@pytest.fixture
def module(access: ServerAccess) -> FusionPbxModule:
    return FusionPbxModule(access)
