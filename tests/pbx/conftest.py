"""A sandbox PBX over real HTTP, and the ways to talk to it."""

from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest

from billing_portal.products.models import Product
from billing_portal.services.models import Service
from pbx import tariffs
from pbx.client import AgentClient
from pbx.models import Tariff as TariffRow
from pbx.models import Tenant
from pbx.module import FusionPbxModule
from pbx.rating import Rate
from pbx.sandbox import DEMO_TOKEN, SandboxServer, serve
from pbx.sandbox_control import SandboxControl
from provisioning.contract import Exchange, ServerAccess, ServiceRef
from provisioning.models import Server
from tests.factories import AT, make_product, make_server, make_service

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


# --- In the portal's database ---


@pytest.fixture
def server(db: None, sandbox: SandboxServer, remote: SandboxControl) -> Server:
    return make_server(
        "PBX", module_key="fusionpbx", base_url=sandbox.url, credentials={"token": DEMO_TOKEN}
    )


@pytest.fixture
def tariff(db: None) -> TariffRow:
    """Two prefixes of Germany, one inside the other, in EUR."""
    rates = [
        Rate("49", "Germany", Decimal("0.012"), 60),
        Rate("4940", "Hamburg", Decimal("0.01"), 6),
        Rate("112", "Emergency", Decimal(0), 60),
    ]
    tariffs.replace("standard", "EUR", rates, name="Standard", at=AT)
    return TariffRow.objects.get()


@pytest.fixture
def product(db: None) -> Product:
    return make_product(module_key="fusionpbx", module_settings={"tariff": "standard"})


@pytest.fixture
def service(product: Product) -> Service:
    return make_service(product=product)


@pytest.fixture
def tenant(server: Server, service: Service, module: FusionPbxModule) -> Tenant:
    """The service's tenant with extensions 1001 and 1002, on the sandbox and in our rows."""
    spec = {
        "label": "acme",
        "extensions": 2,
        "first_extension": 1001,
        "domain_suffix": "pbx.example",
    }
    state = module.create(ServiceRef(service.pk, service.client_id), spec)
    module.observed(server.pk, service.pk, state, at=AT)
    return Tenant.objects.get()
