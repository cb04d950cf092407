"""What the pages of a service say about suspension and deletion, and taking them over."""

from datetime import date

import pytest
from django.test import Client as Browser

from billing_portal.automation.models import PlannedTermination
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus, SuspensionCause
from billing_portal.staff.commands import commands_for
from tests.automation.rows import make_overdue
from tests.factories import AT, make_client, make_placement, make_service, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def service() -> Service:
    service = make_service(
        make_client(owner=make_user("nora@example.org")),
        status=ServiceStatus.SUSPENDED,
        suspension_cause=SuspensionCause.OVERDUE,
        suspension_reason="invoice T-1 has been due since 2026-05-01",
    )
    make_placement(service)
    return service


@pytest.fixture
def planned(service: Service) -> PlannedTermination:
    return PlannedTermination.objects.create(
        service=service, invoice=make_overdue(service), planned_at=AT, deletes_on=date(2026, 6, 7)
    )


def browser_of(email: str, **fields: bool) -> Browser:
    browser = Browser()
    user = Service.objects.get().client.users.filter(email=email).first()
    browser.force_login(user or make_user(email, **fields))
    return browser


def test_both_sides_see_when_a_service_will_be_deleted(service, planned):
    boss = browser_of("boss@example.org", is_staff=True, is_superuser=True)
    nora = browser_of("nora@example.org")

    assert "Will be deleted on Jun 7, 2026" in (
        boss.get(f"/staff/services/service/{service.pk}/").content.decode()
    )
    page = nora.get(f"/services/{service.pk}/").content.decode()
    assert "it and everything in it will be deleted on" in page
    assert "nothing is deleted" not in page


def test_without_a_plan_the_client_reads_that_nothing_is_deleted(service):
    page = browser_of("nora@example.org").get(f"/services/{service.pk}/").content.decode()

    assert "will be deleted" not in page


def test_staff_can_keep_suspended_what_payment_would_bring_back(service):
    boss = browser_of("boss@example.org", is_staff=True, is_superuser=True)
    address = f"/staff/services/service/{service.pk}/do/hold/"
    form = boss.get(address).content.decode()
    assert "Paying the overdue invoice no longer brings the service back" in form

    boss.post(address, {"key": "k", "reason": "abuse"})

    service.refresh_from_db()
    assert (service.status, service.suspension_cause) == ("suspended", SuspensionCause.STAFF)
    assert service.suspension_reason == "abuse"
    assert "hold" not in {command.key for command in commands_for(service)}
