"""Every address of the dashboard's own pages is shut to those who may not come in."""

import pytest
from django.apps import apps
from django.test import Client as Browser
from django.urls import reverse

from billing_portal.staff import urls

DOORS = [pattern.name for pattern in urls.urlpatterns]


def address(name):
    pattern = next(found for found in urls.urlpatterns if found.name == name)
    arguments = {
        argument: 1 if argument == "pk" else "aging" for argument in pattern.pattern.converters
    }
    return reverse(f"staff:{name}", kwargs=arguments)


def rows():
    """Everything that is stored, but for sessions and attempts to log in."""
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values())
        for model in apps.get_models()
        if model._meta.managed and model._meta.app_label not in {"sessions", "axes"}
    }


@pytest.mark.parametrize("name", DOORS)
def test_strangers_and_clients_are_asked_to_log_in_as_staff(name, world):
    stranger, client = Browser(), Browser()
    client.force_login(world.user, backend="django.contrib.auth.backends.ModelBackend")

    for browser in (stranger, client):
        for ask in (browser.get, browser.post):
            answer = ask(address(name))
            assert answer.status_code == 302
            assert "/login/" in answer.url


def test_staff_without_a_role_get_no_page_and_send_nothing(world, as_role):
    browser = as_role("")
    before = rows()

    answers = {
        name: (browser.get(address(name)).status_code, browser.post(address(name)).status_code)
        for name in DOORS
    }

    assert answers == dict.fromkeys(DOORS, (403, 403))
    assert rows() == before


def test_who_may_only_read_changes_nothing_by_sending_anything_anywhere(world, as_role, vendor):
    browser = as_role("Read only")
    before = rows()
    sent = {
        **{"key": "wish", "reason": "x", "amount": "5.00", "way": "give", "confirm": "yes"},
        **{"currency": "USD", "rate": "1.1", "name": "x", "stage": "lost", "gateway": "bank"},
    }

    for name in DOORS:
        browser.post(address(name), sent)

    assert rows() == before
    assert vendor.calls == []
