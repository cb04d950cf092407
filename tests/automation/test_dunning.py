"""Reminders: once per invoice and step, and never three at once."""

from datetime import date

import pytest

from billing_portal.automation.models import AutomationSettings, Reminder, TaskItem
from billing_portal.clients.models import Client, Contact
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.mail.models import ClientMail
from billing_portal.workflows import daily
from tests.automation.rows import mailed, make_overdue, subjects
from tests.factories import rewrite_issued, utc

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_but_reminders(db: None) -> None:
    AutomationSettings.objects.create(pk=1, suspend_overdue=False)


def live(*days: int, month: int = 5) -> None:
    """One tick on each of these days."""
    for day in days:
        daily.tick(utc(2026, month, day, 4))


def test_an_unpaid_invoice_gets_one_reminder_before_and_three_after_its_due_date():
    make_overdue()

    live(*range(20, 31), month=4)
    live(*range(1, 32))

    assert [(f"{m.at:%m-%d}", m.template) for m in ClientMail.objects.order_by("pk")] == [
        ("04-28", "reminder_before_due"),
        ("05-02", "reminder_overdue_first"),
        ("05-05", "reminder_overdue_second"),
        ("05-11", "reminder_overdue_third"),
    ]


def test_the_mail_says_what_is_open_and_since_when():
    AutomationSettings.objects.update(suspend_overdue=True)
    invoice = make_overdue()
    invoice.paid_amount = 10
    invoice.save()

    live(2)

    [mail] = ClientMail.objects.all()
    text = mail.email.message
    assert f"invoice {invoice.number} was due on 2026-05-01, and €20.00 are still open." in text
    assert "From 2026-05-06 on, the services on it are suspended until it is paid." in text
    assert f"http://127.0.0.1:8000/invoices/{invoice.pk}/" in text


def test_contacts_for_invoices_get_copies():
    invoice = make_overdue()
    for name, categories in (("money", ["invoices"]), ("tech", ["services"])):
        Contact.objects.create(
            client=invoice.client,
            name=name,
            email=f"{name}@example.org",
            categories=categories,
        )

    live(2)

    [mail] = ClientMail.objects.all()
    assert (mail.email.to, mail.email.cc) == ([invoice.client.email], ["money@example.org"])


@pytest.mark.parametrize("status", [InvoiceStatus.PAID, InvoiceStatus.CANCELLED])
def test_nobody_is_reminded_of_what_is_not_owed(status):
    make_overdue()
    Invoice.objects.update(status=status)

    live(2)

    assert mailed() == []


def test_an_exempt_client_is_left_to_people():
    make_overdue()
    Client.objects.update(exempt_from_dunning=True)

    live(2, 20)

    assert (mailed(), TaskItem.objects.count()) == ([], 0)


def test_after_a_downtime_only_the_latest_reminder_is_mailed():
    invoice = make_overdue()
    live(1)

    live(12)

    assert subjects()[1:] == [f"Last reminder: invoice {invoice.number} is 11 days overdue"]
    taken = Reminder.objects.order_by("step").values_list("step", "business_day", "mailed")
    assert list(taken) == [
        (1, date(2026, 5, 1), True),
        (2, date(2026, 5, 2), False),
        (3, date(2026, 5, 5), False),
        (4, date(2026, 5, 11), True),
    ]
    assert [i.summary for i in TaskItem.objects.filter(outcome="skipped")] == [
        f"First overdue reminder of {invoice} overtaken by the third overdue reminder",
        f"Second overdue reminder of {invoice} overtaken by the third overdue reminder",
    ]


def test_a_day_missed_loses_no_reminder():
    make_overdue()
    live(1)
    before = len(mailed())

    live(3)

    assert mailed()[before:] == ["reminder_overdue_first"]


def test_nobody_is_reminded_ahead_of_what_became_overdue_in_a_downtime():
    invoice = make_overdue()
    AutomationSettings.objects.update(first_overdue_days=0, second_overdue_days=0)
    live(20, month=4)

    live(4)

    assert mailed() == []
    [item] = TaskItem.objects.all()
    assert item.summary == (
        f"Reminder before the due date of {invoice} overtaken by the days gone by"
    )


def test_an_invoice_is_not_followed_by_a_reminder_on_its_own_day():
    invoice = make_overdue(due=date(2026, 5, 2))
    rewrite_issued(invoice, issue_date=date(2026, 5, 1))

    live(1)
    assert mailed() == []

    live(2)
    assert mailed() == ["reminder_before_due"]


def test_a_step_of_zero_days_is_left_out():
    make_overdue()
    AutomationSettings.objects.update(remind_days_before=0, second_overdue_days=0)

    live(*range(1, 13))

    assert mailed() == ["reminder_overdue_first", "reminder_overdue_third"]


def test_old_debt_gets_one_reminder_when_automation_begins():
    make_overdue(due=date(2026, 1, 1))

    live(2, 3, 4)

    assert mailed() == ["reminder_overdue_third"]
