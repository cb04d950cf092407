"""What staff see of a service's running month, and the cap they set on it."""

from decimal import Decimal

import pytest
from django.urls import reverse

from billing_portal.audit.models import Entry
from billing_portal.services.models import Service
from billing_portal.staff.attention import needs
from billing_portal.workflows import usage_alerts
from provisioning.models import Job
from tests.backups.test_usage import hours, make_datastore, make_storage
from tests.factories import make_placement, utc
from tests.staff.test_work import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def service(time_machine):
    """600 GB all November at 10.00 per 1000 GB, 500 GB included; looked at on the 16th."""
    time_machine.move_to(hours(360), tick=False)
    found = make_storage(label="Office", spec={"size_gb": 600, "name_prefix": "office"})
    found.usage_prices.update(included=Decimal(500))
    make_datastore(found, (hours(0), 600))
    make_placement(found)
    return found


def address(service):
    return reverse("staff:service-cap", args=[service.pk])


def page_of(browser, service):
    return text(browser.get(reverse("staff:service", args=[service.pk])))


def test_the_page_has_the_numbers_of_the_month(as_role, service):
    Service.objects.update(usage_cap=Decimal("1.20"))

    page = page_of(as_role("Support"), service)

    assert "Usage this month" in page
    assert "15 days left" in page
    assert '<dt>At the end, as it stands</dt><dd class="amount">€1.00</dd>' in page
    assert "600 of 500 GB (120 %)" in page
    assert "€1.00 of €1.20 (83 %)" in page


def test_staff_set_a_cap_and_remove_it(as_role, service):
    browser = as_role("Support")
    assert "calls are not cut off yet" in text(browser.get(address(service)))

    answer = browser.post(address(service), {"cap": "5"}, follow=True)
    assert "is capped at €5.00." in text(answer)
    assert Service.objects.get().usage_cap == 5

    browser.post(address(service), {"cap": ""})
    assert Service.objects.get().usage_cap is None
    assert Entry.objects.filter(action="service.usage_cap_changed").count() == 2


def test_a_cap_below_a_cent_is_refused(as_role, service):
    answer = as_role("Support").post(address(service), {"cap": "0"})

    assert "greater than or equal to 0.01" in text(answer)
    assert Service.objects.get().usage_cap is None


def test_read_only_staff_see_the_month_and_set_nothing(as_role, service):
    browser = as_role("Read only")

    assert address(service) not in page_of(browser, service)
    assert browser.post(address(service), {"cap": "5"}).status_code == 403
    assert Service.objects.get().usage_cap is None


def test_staff_may_resize_beyond_the_cap(staff, service):
    Service.objects.update(usage_cap=Decimal("1.20"))
    command = reverse("staff:service-command", args=[service.pk, "resize"])

    staff.post(command, {"key": "wish-1", "size_gb": "5000"})

    assert [(job.kind, job.spec["size_gb"]) for job in Job.objects.all()] == [("resize", 5000)]


def test_a_cap_that_is_reached_needs_staff_until_it_is_raised_or_the_month_is_over(service):
    def shown(at):
        return [row.title for need in needs(at) if "cap" in need.title for row in need.rows]

    Service.objects.update(usage_cap=Decimal("1.00"))
    assert shown(hours(361)) == []
    usage_alerts.tell_all(hours(361))

    assert shown(hours(362)) == ["Box - Office of Acme Ltd"]
    assert shown(utc(2026, 12, 1)) == []

    Service.objects.update(usage_cap=Decimal("2.00"))
    assert shown(hours(362)) == []
