"""A charge-back: the invoice is pursued again and its service suspended by the usual rules."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing_portal.invoices import crediting
from billing_portal.invoices.models import Invoice
from billing_portal.mail.models import ClientMail
from billing_portal.services.models import Service
from billing_portal.workflows import bill_run, credit_notes, daily
from billing_portal.workflows.invoice_paid import apply_webhook
from provisioning import runner
from tests import fakes
from tests.factories import make_client, make_placement, make_service, utc

pytestmark = pytest.mark.django_db


@pytest.fixture
def vendor(settings: Any) -> Iterator[fakes.FakeVendor]:
    settings.INVOICE_LEAD_DAYS = settings.PAYMENT_TERM_DAYS = 14
    with fakes.installed(settings) as vendor:
        yield vendor


@pytest.fixture
def service(vendor: fakes.FakeVendor) -> Service:
    """Monthly 30.00, paid until 1 May."""
    service = make_service(
        make_client(company_name="Acme"),
        recurring="30.00",
        anchor_date=date(2026, 4, 1),
        billed_until=date(2026, 5, 1),
    )
    account = vendor.add(f"fake-service{service.pk}")
    make_placement(service, remote_id=account.remote_id)
    return service


def tell(kind: str, day: int, *, ref: str = "pay-1", **more: Any) -> None:
    at = utc(2026, 5, day, 15)
    body = {"type": kind, "payment_id": ref, **more}
    assert apply_webhook("test", event_id=f"{kind}-{day}", body=body, at=at).problem == ""
    work(at)


def pay(invoice: Invoice, day: int, ref: str = "pay-1") -> None:
    tell("paid", day, ref=ref, invoice_id=invoice.pk, amount="30.00", currency="EUR")


def work(at: Any) -> None:
    for job_id in runner.due_jobs(at=at):
        runner.run(job_id, at=at)


def live(first: int, last: int) -> None:
    for day in range(first, last + 1):
        at = utc(2026, 5, day, 5)
        daily.tick(at)
        work(at)


def state(service: Service) -> str:
    service.refresh_from_db()
    return service.status


def test_taken_back_it_is_in_collections_suspends_the_service_and_is_paid_again(service):
    (invoice,) = bill_run.bill_client(service.client_id, utc(2026, 4, 17, 5))
    live(1, 2)
    pay(invoice, 2)

    tell("reversed", 20, reason="fraudulent")
    invoice.refresh_from_db()
    assert (invoice.status, invoice.balance, invoice.due_date) == (
        "collections",
        Decimal("30.00"),
        date(2026, 5, 1),
    )
    assert state(service) == "active"
    live(20, 21)
    assert state(service) == "suspended"

    pay(invoice, 22, ref="pay-2")
    invoice.refresh_from_db()
    assert (invoice.status, state(service)) == ("paid", "active")
    told = ClientMail.objects.filter(template="payment_reversed_staff")
    assert told.count() == 1


def test_what_nobody_pursues_is_corrected_by_a_credit_note_and_the_service_comes_back(service):
    (invoice,) = bill_run.bill_client(service.client_id, utc(2026, 4, 17, 5))
    pay(invoice, 2)
    tell("reversed", 20, reason="fraudulent")
    live(20, 21)
    assert state(service) == "suspended"

    at = utc(2026, 5, 22)
    credit_notes.credit_invoice(
        invoice.pk,
        crediting.correct_all,
        reason="uncollectable",
        request_key="k",
        at=at,
        actor=None,
    )
    work(at)

    invoice.refresh_from_db()
    note = invoice.credit_notes.get()
    assert (note.total, note.applied_amount) == (Decimal("30.00"), Decimal("30.00"))
    assert (invoice.status, state(service)) == ("cancelled", "active")
