"""A whole portal for a story: real pages, a real worker, both sandboxes over real HTTP."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from backups import sizes
from backups.sandbox import serve as serve_backups
from backups.sandbox_control import SandboxControl as BackupsControl
from billing_portal.celery import app
from billing_portal.clock.setting import set_clock
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import demo_cast, demo_catalogue, embedded
from pbx.sandbox import serve as serve_pbx
from pbx.sandbox_control import SandboxControl as PbxControl
from provisioning.models import Server
from tests.factories import utc
from tests.flows.browser import Person

START = utc(2026, 6, 1)
"""A June: 30 days, 720 hours."""
HOUR = timedelta(hours=1)


@pytest.fixture(scope="session")
def _sandboxes() -> Iterator[tuple[Any, Any]]:
    backups, pbx = serve_backups("127.0.0.1", 0).start(), serve_pbx("127.0.0.1", 0).start()
    yield backups, pbx
    backups.shutdown()
    pbx.shutdown()


@pytest.fixture
def shop(transactional_db: None, settings: Any, _sandboxes: tuple[Any, Any]) -> None:
    """The demo's catalogue and administrator, with empty sandboxes, on 1 June at midnight."""
    backups, pbx = _sandboxes
    settings.SANDBOX_BACKUPS_URL, settings.SANDBOX_PBX_URL = backups.url, pbx.url
    settings.ACCOUNT_RATE_LIMITS = False
    demo_cast.hire_staff()
    demo_catalogue.stock_the_shop()
    set_clock(START)
    for control in (BackupsControl(backups.url), PbxControl(pbx.url)):
        control.reset()
        control.set_clock(START)


@pytest.fixture
def backups_sandbox(shop: None) -> BackupsControl:
    return BackupsControl(Server.objects.get(module_key="remote_backups").base_url)


@pytest.fixture
def pbx_sandbox(shop: None) -> PbxControl:
    return PbxControl(Server.objects.get(module_key="fusionpbx").base_url)


@pytest.fixture
def worker(shop: None) -> Iterator[None]:
    """A real Celery worker beside the pages; a test that uses it is marked `sends_tasks`."""
    with embedded.worker(app):
        yield


@pytest.fixture
def person(shop: None, live_server: Any) -> Person:
    """Somebody new, signed up as a client."""
    someone = Person(live_server.url)
    someone.open("/accounts/signup/")
    someone.submit(
        "password1",
        email="nora@example.org",
        password1="a long and lonely road",
        first_name="Nora",
        last_name="North",
        company_name="Nora's Bakery",
        address1="High Street 1",
        postcode="10115",
        city="Berlin",
        country="DE",
    )
    return someone


@pytest.fixture
def wait_for_active() -> Callable[[], Service]:
    """Wait, some seconds at most, until the one service is active."""

    def wait(timeout_s: float = 15) -> Service:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            service = Service.objects.select_related("product", "placement").get()
            if service.status == ServiceStatus.ACTIVE:
                return service
            time.sleep(0.05)
        raise AssertionError(f"still {service.status}: {list(service.jobs.values())}")

    return wait


@pytest.fixture
def record_hours(backups_sandbox: BackupsControl) -> Callable[[int, int], None]:
    """Live the hours `first` to `last` (excluded) of the month, as beat would on each."""

    def record(first: int, last: int) -> None:
        server_id = Server.objects.get(module_key="remote_backups").pk
        for hour in range(first, last):
            at = START + hour * HOUR
            backups_sandbox.set_clock(at)
            sizes.record_server(server_id, at=at)

    return record
