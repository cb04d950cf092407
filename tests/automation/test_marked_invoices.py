"""What automation does with an invoice whose payment is under way, or that is in collections."""

import pytest

from billing_portal.automation.models import AutomationSettings
from billing_portal.invoices import moving
from billing_portal.invoices.states import InvoiceStatus
from billing_portal.services.models import Service
from billing_portal.workflows import daily
from provisioning import runner
from tests.automation.rows import mailed, make_overdue
from tests.factories import make_client, make_placement, make_service, utc
from tests.fakes import FakeModule, FakeVendor

pytestmark = pytest.mark.django_db


@pytest.fixture
def service(vendor: FakeVendor) -> Service:
    AutomationSettings.objects.create(pk=1)
    service = make_service(make_client())
    account = FakeModule.vendor.add(f"fake-service{service.pk}")
    make_placement(service, remote_id=account.remote_id)
    return service


def live(*days: int) -> None:
    for day in days:
        at = utc(2026, 5, day, 4)
        daily.tick(at)
        for job_id in runner.due_jobs(at=at):
            runner.run(job_id, at=at)


def state(service: Service) -> str:
    service.refresh_from_db()
    return service.status


def mark(invoice, status):
    moving.mark(invoice.pk, status, reason="told so", at=utc(2026, 5, 2), actor=None)


def test_a_payment_under_way_holds_reminders_and_suspension(service):
    mark(make_overdue(service), InvoiceStatus.PENDING)

    live(2, 6, 9)

    assert (state(service), mailed()) == ("active", [])


def test_once_the_payment_failed_both_go_on(service):
    invoice = make_overdue(service)
    mark(invoice, InvoiceStatus.PENDING)
    live(6)
    mark(invoice, InvoiceStatus.UNPAID)

    live(7)

    assert state(service) == "suspended"
    assert [name for name in mailed() if name.startswith("reminder")] != []


def test_a_payment_under_way_brings_nothing_back_yet(service):
    invoice = make_overdue(service)
    live(6)
    assert state(service) == "suspended"

    mark(invoice, InvoiceStatus.PENDING)
    live(7)

    assert state(service) == "suspended"


def test_collections_suspend_but_remind_nobody(service):
    mark(make_overdue(service), InvoiceStatus.COLLECTIONS)

    live(2, 6)

    assert state(service) == "suspended"
    assert [name for name in mailed() if name.startswith("reminder")] == []
