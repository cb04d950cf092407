"""Upgrading, cancelling and keeping a service in a real browser, at desktop and phone width."""

from datetime import date

import pytest
from playwright.sync_api import expect

from billing_portal.clock.reading import now
from billing_portal.orders.models import ServiceChange
from billing_portal.services.models import Cancellation
from tests.browser.test_client_area import (  # noqa: F401  # fixtures
    PASSWORD,
    Visit,
    chromium_browser,
    visit,
)
from tests.factories import (
    make_client,
    make_placement,
    make_product,
    make_promotion,
    make_service,
    make_user,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def service():
    owner = make_user("ann@acme.example", password=PASSWORD)
    product = make_product(
        module_key="remote_backups",
        name="Backup S",
        recurring="30",
        module_settings={"size_gb": 500, "min_size_gb": 500, "max_size_gb": 1000},
    )
    product.upgrades_to.add(
        make_product(
            module_key="remote_backups",
            name="Backup L",
            tagline="For whole companies.",
            recurring="60",
            module_settings={"size_gb": 1000, "min_size_gb": 1000, "max_size_gb": 5000},
        )
    )
    today = now().date()
    first = today.replace(day=1)
    service = make_service(
        make_client(owner=owner),
        product=product,
        label="Office",
        recurring="30",
        spec={"size_gb": 500, "name_prefix": "backup"},
        anchor_date=first,
        billed_until=date(first.year + first.month // 12, first.month % 12 + 1, 1),
    )
    make_placement(service)
    return service


def log_in(visit: Visit) -> None:  # noqa: F811
    visit.open("/accounts/login/")
    visit.page.get_by_label("E-mail address").fill("ann@acme.example")
    visit.page.get_by_label("Password", exact=True).fill(PASSWORD)
    visit.press("Log in")


def test_the_price_of_a_change_follows_the_choice(visit, service):  # noqa: F811
    log_in(visit)
    visit.open(f"/services/{service.pk}/")
    visit.page.get_by_role("link", name="See what it can become").click()
    visit.page.wait_for_load_state()
    visit.look()

    visit.page.get_by_label("Backup L").check()
    expect(visit.page.get_by_text("Due now")).to_be_visible()
    expect(visit.page.get_by_text("Then monthly")).to_be_visible()
    visit.look()
    visit.page.get_by_label("Size in GB").fill("2000")
    visit.page.get_by_label("Size in GB").blur()
    expect(visit.page.get_by_role("button", name="Change to Backup L, 2000 GB")).to_be_visible()
    visit.press("Change to Backup L, 2000 GB")

    assert ServiceChange.objects.get().after["spec"]["size_gb"] == 2000
    visit.open(f"/services/{service.pk}/")
    expect(visit.page.get_by_text("Changing to Backup L, 2000 GB as soon as")).to_be_visible()
    visit.press("Withdraw the change")
    assert ServiceChange.objects.get().status == "cancelled"


def test_a_code_is_tried_before_a_change_is_confirmed(visit, service):  # noqa: F811
    make_promotion("UP20", value="20", for_upgrades=True)
    log_in(visit)
    visit.open(f"/services/{service.pk}/change/")
    visit.page.get_by_label("Backup L").check()
    expect(visit.page.get_by_text("Due now")).to_be_visible()

    visit.page.get_by_label("Promotion code").fill("UP2")
    visit.page.keyboard.press("Tab")
    expect(visit.page.get_by_text("There is no code UP2.")).to_be_visible()
    visit.look()
    visit.page.get_by_label("Promotion code").fill("up20")
    visit.page.keyboard.press("Tab")

    expect(visit.page.get_by_text("Promotion UP20: 20 % off")).to_be_visible()
    visit.look()
    visit.press("Change to Backup L, 1000 GB")
    assert ServiceChange.objects.get().after["promotion_code"] == "UP20"


def test_a_service_is_given_up_and_kept_after_all(visit, service):  # noqa: F811
    log_in(visit)
    visit.open(f"/services/{service.pk}/")
    visit.page.get_by_role("link", name="Cancel this service").click()
    visit.page.wait_for_load_state()
    visit.look()
    expect(visit.page.get_by_label("With the period that is paid")).to_be_checked()

    visit.page.get_by_label("Now").check()
    visit.press("Cancel the service")

    expect(visit.page.get_by_text("It has ended. Its data is deleted for good")).to_be_visible()
    visit.look()
    visit.press("Keep my service")
    assert Cancellation.objects.get().status == "withdrawn"
    expect(visit.page.get_by_text("You keep it. It goes on as before.")).to_be_visible()
