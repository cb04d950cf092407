"""What an overdue invoice leaves alone: clients of an exempt group, and most add-ons."""

from datetime import date

import pytest

from billing_portal.automation.models import AutomationSettings, PlannedTermination
from billing_portal.services import addons
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus, SuspensionCause
from billing_portal.workflows import daily
from tests.automation.rows import make_overdue
from tests.factories import (
    make_addon,
    make_client,
    make_client_group,
    make_product,
    make_service,
    make_service_addon,
    utc,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _rules(db):
    AutomationSettings.objects.create(
        pk=1, send_reminders=False, terminate_overdue=True, terminate_after_days=10
    )


def make_box(client=None, **fields):
    return make_service(client, product=make_product(module_key=""), **fields)


def owes_addon(*, suspends, status=ServiceStatus.ACTIVE):
    """A service whose add-on is on an invoice due on 1 May."""
    service = make_box()
    addon = make_addon(service.product, "5", suspends_service=suspends)
    row = make_service_addon(service, addon, status=status)
    make_overdue(service, addon=row)
    return service, row


def live(day):
    daily.tick(utc(2026, 5, day, 4))


def state(service):
    return Service.objects.get(pk=service.pk).status


def test_a_group_may_be_exempt_from_suspension():
    spared = make_box(make_client(group=make_client_group(exempt_from_suspension=True)))
    others = make_box(make_client(group=make_client_group()))
    make_overdue(spared)
    make_overdue(others)

    live(6)

    assert (state(spared), state(others)) == ("active", "suspended")


def test_a_group_made_exempt_later_withdraws_a_planned_deletion():
    group = make_client_group()
    service = make_box(
        make_client(group=group),
        status=ServiceStatus.SUSPENDED,
        suspension_cause=SuspensionCause.OVERDUE,
    )
    make_overdue(service, due=date(2026, 4, 1))
    live(6)
    assert PlannedTermination.objects.get().withdrawn_at is None

    group.exempt_from_suspension = True
    group.save()
    live(7)

    assert PlannedTermination.objects.get().withdrawn_at == utc(2026, 5, 7, 4)
    live(8)
    assert PlannedTermination.objects.count() == 1


def test_an_overdue_addon_leaves_its_service_alone():
    service, _ = owes_addon(suspends=False)

    live(6)

    assert state(service) == "active"


def test_an_addon_that_says_so_suspends_its_service_until_it_ends():
    service, row = owes_addon(suspends=True)

    live(6)
    assert state(service) == "suspended"
    addons.end(row.pk, at=utc(2026, 5, 6, 12))
    live(7)

    assert state(service) == "active"


def test_an_addon_nobody_paid_for_yet_suspends_nothing():
    service, _ = owes_addon(suspends=True, status=ServiceStatus.PENDING)

    live(6)

    assert state(service) == "active"


def test_nothing_is_deleted_for_an_addon_that_does_not_suspend():
    service, _ = owes_addon(suspends=False)
    Service.objects.filter(pk=service.pk).update(
        status=ServiceStatus.SUSPENDED, suspension_cause=SuspensionCause.OVERDUE
    )

    live(15)

    assert not PlannedTermination.objects.exists()
