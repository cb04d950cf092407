"""The page on which staff say when a service ends by itself."""

from datetime import date

import pytest
from django.urls import reverse

from billing_portal.services.models import Service
from tests.factories import make_client, make_product, make_service
from tests.staff.test_work import text

pytestmark = pytest.mark.django_db

KEY = {"key": "wish-1"}


@pytest.fixture
def url(vendor):
    product = make_product(module_key="", name="Rack")
    service = make_service(make_client(), product=product, ends_on=date(2040, 5, 1))
    return reverse("staff:service-term", args=[service.pk])


def ends_on():
    return Service.objects.get().ends_on


def test_the_end_is_moved_and_taken_away(as_role, url):
    browser = as_role("Support")
    assert 'value="2040-05-01"' in text(browser.get(url))

    browser.post(url, KEY | {"ends_on": "2040-06-01"})
    assert ends_on() == date(2040, 6, 1)

    browser.post(url, KEY | {"ends_on": ""})
    assert ends_on() is None


def test_a_day_in_the_past_is_refused_with_a_sentence(as_role, url):
    answer = as_role("Support").post(url, KEY | {"ends_on": "2020-01-01"})

    assert "2020-01-01 is not in the future." in text(answer)
    assert ends_on() == date(2040, 5, 1)


def test_read_only_staff_see_the_end_and_do_not_move_it(as_role, url):
    browser = as_role("Read only")
    page = text(browser.get(reverse("staff:service", args=[Service.objects.get().pk])))

    assert "Ends by itself" in page
    assert url not in page
    assert browser.post(url, KEY | {"ends_on": ""}).status_code == 403
