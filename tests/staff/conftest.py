"""A vendor in memory, people with and without roles, and one of everything to look at."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client as Browser

from billing_portal.accounts.actions import ensure_staff_roles
from billing_portal.accounts.models import User
from tests import fakes
from tests.factories import make_user
from tests.staff.world import World, make_world

PASSWORD = "correct horse battery"


@pytest.fixture
def vendor(settings: Any) -> Iterator[fakes.FakeVendor]:
    with fakes.installed(settings) as vendor:
        yield vendor


@pytest.fixture
def world(vendor: fakes.FakeVendor, db: None) -> World:
    return make_world()


@pytest.fixture
def boss(db: None) -> User:
    """A superuser."""
    return make_user("boss@example.org", name="Bo Boss", is_staff=True, is_superuser=True)


@pytest.fixture
def staff(boss: User) -> Browser:
    """A browser in which the superuser is logged in."""
    browser = Browser()
    browser.force_login(boss)
    return browser


@pytest.fixture
def as_role(db: None) -> Callable[[str], Browser]:
    """Browsers of staff with one of the roles; "" is staff without any."""
    ensure_staff_roles()

    def log_in(role: str) -> Browser:
        user = make_user(is_staff=True, name=role or "Nobody")
        if role:
            user.groups.add(Group.objects.get(name=role))
        browser = Browser()
        browser.force_login(user)
        return browser

    return log_in
