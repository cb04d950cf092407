"""When the daily run takes what is due, tries again, and gives up; and cards that expire."""

from collections.abc import Iterator
from datetime import date

import pytest

from billing_portal.automation.models import AutomationSettings, TaskItem
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.mail.models import ClientMail
from billing_portal.payments import registry
from billing_portal.payments.models import CaptureAttempt, StoredMethod
from billing_portal.workflows import daily
from billing_portal.workflows.invoice_paid import apply_webhook
from provisioning import runner
from tests.automation.rows import mailed, make_overdue
from tests.factories import AT, make_client, make_placement, make_service, utc
from tests.fakes import FakeModule
from tests.workflows.capturing import Bookkeeper, ask, attempts, install, store

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _rules(settings) -> Iterator[None]:
    install(settings)
    AutomationSettings.objects.create(pk=1, send_reminders=False, suspend_overdue=False)
    yield
    registry.gateways.cache_clear()


def change(**rules: object) -> None:
    AutomationSettings.objects.update(**rules)


def live(*days: int, month: int = 5, year: int = 2026) -> None:
    """A tick on each of these days, and the tasks it sent."""
    for day in days:
        at = utc(year, month, day, 4)
        daily.tick(at)
        ask(at)


def due(card: str = "works", **fields: object) -> Invoice:
    """An invoice of 30.00 due on 1 May, whose client left a card."""
    client = make_client()
    store(client, card)
    invoice = make_overdue(make_service(client))
    Invoice.objects.filter(pk=invoice.pk).update(**fields)
    return invoice


def state(invoice: Invoice) -> str:
    invoice.refresh_from_db()
    return invoice.status


# --- Automatic payments -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days_before", "retries", "days"),
    [
        (0, [0, 3, 7, 14], ["05-01", "05-04", "05-08", "05-15"]),
        (2, [0, 3, 7, 14], ["04-29", "05-02", "05-06", "05-13"]),
        (0, [0], ["05-01"]),
        (1, [1, 2], ["05-01", "05-02"]),
    ],
)
def test_a_card_that_is_declined_is_tried_on_the_days_of_the_schedule(days_before, retries, days):
    due("soft")
    change(capture_days_before=days_before, capture_retry_days=retries)

    live(*range(25, 31), month=4)
    live(*range(1, 32))

    assert attempts() == [(day, "declined") for day in days]
    assert mailed() == ["capture_declined"] * len(days)


def test_an_invoice_is_taken_once():
    invoice = due()

    live(1, 2, 3, 4)

    assert (state(invoice), attempts()) == ("paid", [("05-01", "paid")])
    [item] = TaskItem.objects.filter(run__task="captures")
    assert (
        item.summary == f"€30.00 for {invoice.number} of Acme Ltd asked for from Visa 4242, try 1"
    )


def test_the_day_done_again_tries_nothing_twice():
    due("soft")
    live(1)

    daily.run_day(date(2026, 5, 1), utc(2026, 5, 1, 9))
    ask(utc(2026, 5, 1, 9))

    assert attempts() == [("05-01", "declined")]


def test_missed_days_are_one_try_and_the_next_comes_three_days_after_it():
    due("soft")
    live(20, month=4)

    live(*range(12, 31))  # nobody was there from 21 April to 11 May

    assert attempts() == [(day, "declined") for day in ("05-12", "05-15", "05-19", "05-26")]


def test_a_rehearsal_tries_nothing():
    due()

    deeds = daily.rehearse(date(2026, 5, 1), utc(2026, 5, 1))
    ask(utc(2026, 5, 1))

    assert len(deeds["captures"]) == 1
    assert attempts() == []


def test_a_card_refused_for_good_is_not_tried_again_but_its_successor_is():
    invoice = due("hard")
    live(1, 4, 8)
    assert attempts() == [("05-01", "declined")]

    store(invoice.client, "works", key="new")
    live(9)

    assert (state(invoice), attempts()) == ("paid", [("05-01", "declined"), ("05-09", "paid")])


@pytest.mark.parametrize(
    "fields",
    [
        {"payment_method": "bank_transfer"},
        {"status": InvoiceStatus.DRAFT},
        {"status": InvoiceStatus.CANCELLED},
        {"status": InvoiceStatus.COLLECTIONS},
        {"status": InvoiceStatus.PENDING},
        {"status": InvoiceStatus.PAID},
        {"due_date": date(2026, 5, 2)},
    ],
)
def test_what_is_not_to_be_taken_by_itself_is_left_alone(fields):
    invoice = due()
    Invoice.objects.filter(pk=invoice.pk).update(status="draft")
    Invoice.objects.filter(pk=invoice.pk).update(**{"status": "unpaid"} | fields)

    live(1)

    assert attempts() == []


@pytest.mark.parametrize("flag", ["no_automatic_capture", "exempt_from_dunning"])
def test_clients_may_be_left_out(flag):
    client = due().client
    setattr(client, flag, True)
    client.save()

    live(1)

    assert attempts() == []


def test_an_invoice_of_the_cards_own_way_to_pay_is_taken():
    invoice = due(payment_method="test")

    live(1)

    assert state(invoice) == "paid"


@pytest.mark.parametrize(
    "card", [{"is_default": False}, {"status": "removed"}, {"expires_on": date(2026, 5, 1)}]
)
def test_only_a_default_card_that_works_is_charged(card):
    due()
    StoredMethod.objects.update(**card)

    live(1)

    assert attempts() == []


def test_it_can_be_switched_off():
    due()
    change(capture_payments=False)

    live(1)

    assert attempts() == []


def test_a_payment_being_taken_holds_the_suspension_and_a_declined_one_does_not():
    change(suspend_overdue=True, suspend_after_days=1)
    invoice = due("pending")
    service = invoice.lines.get().service
    account = FakeModule.vendor.add(f"fake-service{service.pk}")
    make_placement(service, remote_id=account.remote_id)
    Bookkeeper.lost = 2

    def suspended(day: int) -> bool:
        at = utc(2026, 5, day, 4)
        daily.tick(at)
        for job_id in runner.due_jobs(at=at):
            runner.run(job_id, at=at)
        service.refresh_from_db()
        return service.status == "suspended"

    assert not suspended(1)
    assert not suspended(2)  # under way, nobody asked yet
    ask(utc(2026, 5, 2, 5))  # two replies are lost
    ask(utc(2026, 5, 2, 6))
    assert not suspended(3)
    ask(utc(2026, 5, 3, 5))
    assert state(invoice) == "pending"
    assert not suspended(4)

    external_id = CaptureAttempt.objects.get().external_id
    said = {"payment_id": external_id, "message": "No money.", "final": True}
    apply_webhook("test", event_id="e", body={"type": "capture_declined", **said}, at=AT)
    assert suspended(5)


# --- Cards that expire --------------------------------------------------------------------


def told() -> list[str]:
    sent = ClientMail.objects.filter(template="card_expires").order_by("pk")
    return [f"{mail.at:%m-%d}" for mail in sent]


def card(expires_on: date) -> StoredMethod:
    return store(make_client(), expires_on=expires_on)


@pytest.mark.parametrize(
    ("expires_on", "days"),
    [
        (date(2026, 6, 1), ["05-01"]),  # ends with this month, and nobody said so yet
        (date(2026, 7, 1), ["05-25"]),
        (date(2026, 8, 1), []),
    ],
)
def test_a_card_is_told_of_once_in_the_month_before_its_last(expires_on, days):
    card(expires_on)

    live(*range(1, 32))

    assert told() == days


def test_the_mail_names_the_last_day():
    card(date(2026, 7, 1))

    live(27)

    [mail] = ClientMail.objects.all()
    assert mail.email.subject == "Visa 4242 works only until 2026-06-30"


def test_an_expired_card_is_closed_and_nothing_is_mailed():
    method = card(date(2026, 5, 1))

    live(1, 2)

    method.refresh_from_db()
    assert (method.status, method.is_default, told()) == ("expired", False, [])


@pytest.mark.parametrize("status", ["removed", "refused"])
def test_a_card_nobody_uses_is_not_told_of(status):
    card(date(2026, 7, 1))
    StoredMethod.objects.update(status=status, is_default=False)

    live(25, 26)

    assert told() == []
