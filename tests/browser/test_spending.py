"""The month's use and its cap in a real browser, at desktop and phone width."""

from decimal import Decimal

import pytest
from playwright.sync_api import expect

from billing_portal.clock.reading import now
from billing_portal.services.models import Service
from tests.backups.test_usage import make_datastore
from tests.browser.test_client_area import (  # noqa: F401  # fixtures
    PASSWORD,
    Visit,
    chromium_browser,
    visit,
)
from tests.browser.test_leaving import log_in
from tests.factories import make_client, make_placement, make_product, make_service, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def service():
    """500 GB from the first of the month on, 500 included, at 10.00 per 1000 GB."""
    first = now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    service = make_service(
        make_client(owner=make_user("ann@acme.example", password=PASSWORD)),
        product=make_product(module_key="remote_backups", name="Backup S"),
        label="Office",
        spec={"size_gb": 500, "name_prefix": "backup"},
        usage={"storage": "10"},
        anchor_date=first.date(),
        created_at=first,
    )
    service.usage_prices.update(included=Decimal(500))
    make_datastore(service, (first, 500))
    make_placement(service)
    return service


def test_a_cap_is_set_and_a_size_beyond_it_refused(visit, service):  # noqa: F811
    log_in(visit)
    visit.open(f"/services/{service.pk}/")
    expect(visit.page.get_by_text("500 of 500 GB included (100%)")).to_be_visible()

    visit.page.get_by_text("Set a cap").click()
    visit.page.get_by_label("Cap per month").fill("0.05")
    visit.look()
    visit.press("Save cap")
    expect(visit.page.get_by_text("Capped at €0.05.")).to_be_visible()
    assert Service.objects.get().usage_cap == Decimal("0.05")

    visit.page.get_by_label("Size in GB").fill("10000")
    visit.press("See what it costs")
    expect(visit.page.get_by_text("which is more than your cap of €0.05")).to_be_visible()
    visit.look()
