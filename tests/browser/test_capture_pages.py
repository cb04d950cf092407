"""Pages of stored methods in a real browser, on a desktop and on a phone."""

from collections.abc import Iterator
from typing import Any

import pytest

from billing_portal.accounts.models import User
from billing_portal.clients.models import Membership
from billing_portal.payments import registry
from billing_portal.workflows.captures import capture_now
from tests.browser.test_staff import SIZES, chromium, log_in, world
from tests.factories import AT
from tests.workflows.capturing import ask, install, store
from tests.workflows.money import bill

pytestmark = [pytest.mark.browser, pytest.mark.slow]

__all__ = ["chromium", "log_in", "world"]


@pytest.fixture(autouse=True)
def _gateway(settings: Any) -> Iterator[None]:
    install(settings)
    yield
    registry.gateways.cache_clear()


@pytest.fixture
def addresses(world: Any) -> dict[str, str]:
    """Every page about stored methods, with something on it."""
    client = world.client
    refused, works, slow = (store(client, card, key=card) for card in ("hard", "works", "pending"))
    failed, under_way, pending = (bill(amount, client) for amount in ("30.00", "20.00", "10.00"))
    for invoice, method in ((failed, refused), (pending, slow)):
        capture_now(invoice.pk, method.pk, request_key="k", at=AT, actor=None)
    ask(AT)
    capture_now(under_way.pk, works.pk, request_key="k", at=AT, actor=None)
    return {
        "methods": "/payment-methods/",
        "remove": f"/payment-methods/{works.pk}/remove/",
        "leave": "/payment-methods/test/",
        "answer": f"/pay/test/answer/{pending.pk}/",
        "pay": f"/invoices/{failed.pk}/",
        "under-way": f"/invoices/{under_way.pk}/",
        "pending": f"/invoices/{pending.pk}/",
        "staff-client": f"/staff/clients/client/{client.pk}/",
        "staff-invoice": f"/staff/invoices/invoice/{failed.pk}/",
        "staff-take": f"/staff/invoices/invoice/{failed.pk}/take/",
        "staff-remove": f"/staff/payments/method/{works.pk}/remove/",
        "staff-settings": "/staff/automation/automationsettings/1/change/",
    }


@pytest.mark.parametrize("size", SIZES)
def test_every_page_of_stored_methods_fits_and_errs_nowhere(
    log_in: Any, live_server: Any, world: Any, addresses: dict[str, str], size: str
) -> None:
    boss = User.objects.get(email="boss@example.org")
    Membership.objects.filter(client=world.client).delete()
    Membership.objects.create(client=world.client, user=boss, is_owner=True)
    page = log_in(size)
    page.goto(f"{live_server.url}/staff/automation/automationsettings/")

    for name, address in addresses.items():
        answer = page.goto(live_server.url + address)
        width = page.evaluate("document.documentElement.scrollWidth")

        assert (name, answer.status, width <= SIZES[size][0]) == (name, 200, True)
    assert page.troubles == []
