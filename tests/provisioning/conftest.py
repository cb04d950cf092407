from collections.abc import Iterator
from typing import Any

import pytest

from billing_portal.services.states import ServiceStatus
from provisioning import actions
from provisioning.models import Job, Server
from tests import fakes
from tests.factories import AT, make_server, make_service


@pytest.fixture
def vendor(settings: Any) -> Iterator[fakes.FakeVendor]:
    with fakes.installed(settings) as vendor:
        yield vendor


@pytest.fixture
def server(vendor: fakes.FakeVendor, db: None) -> Server:
    return make_server("box")


@pytest.fixture
def job(server: Server) -> Job:
    """A creation that waits."""
    service = make_service(status=ServiceStatus.PENDING)
    return actions.request_create(service.pk, request_key="a", at=AT)
