"""A card on file: it pays for months, fails and is replaced, and is charged once by many."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from billing_portal.invoices.models import Invoice
from billing_portal.mail.models import ClientMail
from billing_portal.payments import registry
from billing_portal.payments.models import CaptureAttempt, StoredMethod, Transaction
from billing_portal.services.models import Service
from billing_portal.workflows import bill_run, captures, daily
from billing_portal.workflows.audit_money import differences
from billing_portal.workflows.invoice_paid import apply_webhook
from tests import fakes
from tests.factories import AT, make_client, make_service, utc
from tests.threads import at_once, failures
from tests.workflows.capturing import Bookkeeper, ask, attempts, install, store
from tests.workflows.money import bill, standing

FIRST_OF_MAY = utc(2026, 5, 1, 5)


@pytest.fixture(autouse=True)
def vendor(settings: Any) -> Iterator[fakes.FakeVendor]:
    settings.INVOICE_LEAD_DAYS = settings.PAYMENT_TERM_DAYS = 14
    install(settings)
    with fakes.installed(settings) as vendor:
        yield vendor
    registry.gateways.cache_clear()


@pytest.fixture
def service(db: None) -> Service:
    """A box for 30.00 a month, whose May was billed a fortnight before."""
    rented = make_service(
        make_client(),
        recurring="30.00",
        anchor_date=date(2026, 4, 1),
        billed_until=date(2026, 5, 1),
    )
    bill_run.bill_all(utc(2026, 4, 17, 5))
    rented.refresh_from_db()
    return rented


def live(first: date, last: date) -> None:
    """Every day at five: bill, do the day's work, and what the workers were sent."""
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        at = utc(day.year, day.month, day.day, 5)
        bill_run.bill_all(at)
        daily.tick(at)
        ask(at)


def told() -> list[str]:
    rows = ClientMail.objects.exclude(template__in=["invoice_issued", "daily_digest"])
    return [f"{mail.at:%m-%d} {mail.template}" for mail in rows.order_by("pk")]


def paid_on() -> list[str]:
    rows = Transaction.objects.order_by("received_at", "pk")
    return [f"{row.received_at:%m-%d} {row.amount:.2f}" for row in rows]


def test_a_stored_card_renews_a_service_for_three_months_by_itself(service):
    store(service.client)

    live(date(2026, 4, 30), date(2026, 7, 1))

    assert paid_on() == ["05-01 30.00", "06-01 30.00", "07-01 30.00"]
    assert attempts() == [("05-01", "paid"), ("06-01", "paid"), ("07-01", "paid")]
    service.refresh_from_db()
    assert (service.status, service.billed_until) == ("active", date(2026, 8, 1))
    assert [mail for mail in told() if "reminder_overdue" in mail] == []
    assert list(differences()) == []


def test_a_card_that_fails_is_replaced_and_the_service_goes_on(service):
    store(service.client, "hard")
    live(date(2026, 4, 30), date(2026, 5, 2))
    assert attempts() == [("05-01", "declined")]

    store(service.client, "works", key="new")
    live(date(2026, 5, 3), date(2026, 5, 7))

    assert attempts() == [("05-01", "declined"), ("05-03", "paid")]
    service.refresh_from_db()
    assert service.status == "active"
    assert [mail for mail in told() if "capture" in mail] == ["05-01 capture_refused"]


def test_a_card_that_expires_is_told_of_once_and_pays_until_then(service):
    method = store(service.client, expires_on=date(2026, 6, 1))

    live(date(2026, 4, 24), date(2026, 5, 1))

    method.refresh_from_db()
    assert [mail for mail in told() if "expires" in mail] == ["04-25 card_expires"]
    assert (method.status, attempts()) == ("active", [("05-01", "paid")])


# --- Several at once ----------------------------------------------------------------------

together = pytest.mark.django_db(transaction=True)


def begun() -> tuple[Invoice, CaptureAttempt]:
    invoice = bill("30.00")
    method = store(invoice.client)
    attempt = captures.capture_now(invoice.pk, method.pk, request_key="a", at=AT, actor=None)
    return invoice, attempt


@together
@pytest.mark.postgres
def test_four_workers_with_the_same_try_take_the_money_once():
    invoice, attempt = begun()

    def work() -> CaptureAttempt:
        return captures.carry_out(attempt.pk, at=AT)

    outcomes = at_once(*[work] * 4)

    assert failures(outcomes) == []
    assert Bookkeeper.taken() == {attempt.request_key: "30.00"}
    assert (standing(invoice), attempts()) == (("paid", "0.00", "0.00"), [("11-01", "paid")])
    assert Transaction.objects.count() == 1


@together
@pytest.mark.postgres
def test_client_staff_and_the_days_run_at_once_are_one_try():
    invoice = bill("30.00", due_date=date(2026, 5, 1))
    method = store(invoice.client)

    def click(key: str) -> None:
        captures.capture_now(invoice.pk, method.pk, request_key=key, at=FIRST_OF_MAY, actor=None)

    outcomes = at_once(
        lambda: click("client"), lambda: click("staff"), lambda: daily.tick(FIRST_OF_MAY)
    )
    ask(FIRST_OF_MAY)

    refused = [str(error) for error in failures(outcomes)]
    assert set(refused) <= {f"A payment for {invoice} is under way already."}
    assert CaptureAttempt.objects.count() == 1
    assert paid_on() == ["05-01 30.00"]


@together
@pytest.mark.postgres
def test_the_gateways_event_and_its_answer_at_once_are_one_payment():
    invoice, attempt = begun()
    said = {
        "type": "paid",
        "invoice_id": invoice.pk,
        "payment_id": f"cap_{attempt.request_key}",
        "amount": "30.00",
        "currency": "EUR",
    }

    outcomes = at_once(
        lambda: apply_webhook("test", event_id="e", body=said, at=AT),
        lambda: captures.carry_out(attempt.pk, at=AT),
    )
    ask(AT + timedelta(minutes=3))

    assert failures(outcomes) == []
    assert standing(invoice) == ("paid", "0.00", "0.00")
    assert Transaction.objects.count() == 1


@together
@pytest.mark.postgres
def test_the_same_card_reported_by_four_at_once_is_stored_once():
    client = make_client()
    body = {"type": "stored", "client_id": client.pk, "reference": "works:2026-11:same"}

    def report(number: int) -> None:
        apply_webhook("test", event_id=f"e{number}", body=body, at=AT)

    outcomes = at_once(*[lambda number=number: report(number) for number in range(4)])

    assert failures(outcomes) == []
    assert StoredMethod.objects.filter(is_default=True).count() == 1
    assert StoredMethod.objects.count() == 1
