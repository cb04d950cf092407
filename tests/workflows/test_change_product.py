"""Changing what a service is: the price shown, the money and the vendor."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.clients.models import Client
from billing_portal.invoices.models import BillingSettings, Invoice, InvoiceLine
from billing_portal.mail.models import ClientMail
from billing_portal.payments.models import CreditEntry
from billing_portal.products.models import Price
from billing_portal.workflows import bill_run, change_product
from billing_portal.workflows.change_terms import ChangeRefused
from provisioning.models import Job
from tests.factories import (
    make_invoice,
    make_product,
    utc,
)
from tests.workflows.billing import lines
from tests.workflows.changing import (
    AT,
    HOUR,
    mails,
    make_running,
    pay,
    preview,
    request,
    row,
    status,
    terms,
    wish,
    work,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendor(vendor):
    BillingSettings.objects.create(pk=1, lead_days=0, term_days=14)
    return vendor


# --- Upgrades -----------------------------------------------------------------------------


def test_the_preview_is_the_invoice(vendor):
    big = make_product(recurring="60.00", setup_fee="99.00", name="Big")
    service = make_running(vendor, big)

    shown = preview(service, wish(big, size=8))
    change = request(service, wish(big, size=8))

    assert (str(shown.total), str(shown.price.next_due)) == ("15.00", "2026-05-01")
    assert lines(change.invoice) == [
        ("upgrade", "2026-04-16", "2026-05-01", "30.00"),
        ("upgrade", "2026-04-16", "2026-05-01", "-15.00"),
    ]
    assert [line.description for line in change.invoice.lines.order_by("position")] == [
        "Big, size 8",
        "Small: unused from Apr 16, 2026 on",
    ]
    assert [one.description for one in shown.draft.lines] == [
        line.description for line in change.invoice.lines.order_by("position")
    ]
    assert status(change) == "pending"
    assert terms(service)[0] == "Small"


def test_once_paid_the_service_changes_and_the_vendor_follows(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    change = request(service, wish(big, size=8))

    pay(change.invoice)
    assert terms(service) == ("Big", "monthly", "60.00", "2026-01-01", "2026-05-01")
    assert (status(change), row(service).spec) == ("applying", {"size": 5})
    work()

    assert (status(change), row(service).spec) == ("applied", {"size": 8})
    assert [account.size for account in vendor.accounts.values()] == [8]
    assert mails() == ["invoice_issued", "payment_received", "service_changed"]


def test_the_next_renewal_is_at_the_new_price(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    pay(request(service, wish(big)).invoice)

    bill_run.bill_all(utc(2026, 5, 1, 5))

    assert lines(Invoice.objects.latest("pk")) == [
        ("recurring", "2026-05-01", "2026-06-01", "60.00")
    ]


def test_credit_that_pays_the_invoice_starts_the_change_at_once(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    Client.objects.update(credit_balance=20)
    CreditEntry.objects.create(
        client=service.client, key="g", kind="grant", amount=20, currency="EUR", made_at=AT
    )

    change = request(service, wish(big))

    assert (status(change), terms(service)[0]) == ("applied", "Big")
    assert Client.objects.get().credit_balance == 5


def test_one_form_sent_twice_is_one_change(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)

    first = request(service, wish(big))
    again = request(service, wish(big), total="15.00")

    assert (again.pk, Invoice.objects.count()) == (first.pk, 1)


def test_a_price_that_is_no_longer_true_is_not_charged(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)

    with pytest.raises(ChangeRefused, match="The price has changed meanwhile"):
        request(service, wish(big), at=AT + 24 * HOUR, total="15.00")

    assert not Invoice.objects.exists()


def test_a_module_that_fails_for_good_leaves_it_paid_and_staff_told_once(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    change = request(service, wish(big, size=8))
    pay(change.invoice)
    vendor.rejects = "No room."

    work()
    work(AT + HOUR)

    assert (status(change), change.problem) == ("applying", "No room.")
    assert terms(service)[0] == "Big"
    assert mails().count("job_failed_staff") == 1
    assert "change_failed_staff" not in mails()
    # Staff retry the job, as for any other one.
    vendor.rejects = ""
    Job.objects.update(status="queued", due_at=AT)
    work(AT + 2 * HOUR)
    assert (status(change), change.problem) == ("applied", "")


# --- A new cycle --------------------------------------------------------------------------


def make_yearly(product, amount="120.00"):
    Price.objects.create(product=product, currency="EUR", cycle="annual", recurring=amount)


def test_another_cycle_starts_anew_by_default(vendor):
    service = make_running(vendor, recurring="10.00")
    make_yearly(service.product)

    change = request(service, wish(service.product, "annual"))
    pay(change.invoice)

    assert lines(change.invoice) == [
        ("upgrade", "2026-04-16", "2027-04-16", "120.00"),
        ("upgrade", "2026-04-16", "2026-05-01", "-5.00"),
    ]
    assert terms(service) == ("Small", "annual", "120.00", "2026-04-16", "2027-04-16")
    assert row(service).usage_anchor_date == date(2026, 1, 1)


def test_with_the_due_date_kept_a_yearly_price_is_due_on_it(vendor):
    service = make_running(vendor, recurring="10.00")
    make_yearly(service.product)
    service.product.change_policy = "keep_due_date"
    service.product.save()

    change = request(service, wish(service.product, "annual"))

    # 4.93 - 5.00: seven cents become credit, and the change is done.
    assert (change.amount_due, status(change)) == (Decimal("-0.07"), "applied")
    assert Client.objects.get().credit_balance == Decimal("0.07")
    bill_run.bill_all(utc(2026, 5, 1, 5))
    assert lines(Invoice.objects.get()) == [("recurring", "2026-05-01", "2027-05-01", "120.00")]


def test_periods_paid_ahead_are_credited_and_billed_anew(vendor):
    """Paid until 1 June, restarted on 1 April: the new May is billed although the old one was."""
    big = make_product(recurring="60.00", name="Big", change_policy="restart_cycle")
    service = make_running(vendor, big, billed_until=date(2026, 6, 1))
    paid = make_invoice(service.client, status="paid")
    for number, start in enumerate([date(2026, 4, 1), date(2026, 5, 1)], start=1):
        InvoiceLine.objects.create(
            invoice=paid,
            position=number,
            kind="recurring",
            service=service,
            description="Small",
            period_start=start,
            period_end=date(2026, start.month + 1, 1),
            amount=30,
        )
    at = utc(2026, 4, 1, 12)

    change = request(service, wish(big), at=at)
    pay(change.invoice, at)
    bill_run.bill_all(utc(2026, 5, 1, 5))

    # 61 days of 30.00 per 31 days: 59.03.
    assert (change.credit_part, change.debit_part) == (Decimal("59.03"), Decimal("60.00"))
    assert lines(Invoice.objects.latest("pk")) == [
        ("recurring", "2026-05-01", "2026-06-01", "60.00")
    ]


def test_from_free_to_paid_a_full_cycle_begins_today(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big, recurring="0.00", billed_until=date(2026, 1, 1))

    change = request(service, wish(big))
    pay(change.invoice)

    assert lines(change.invoice) == [("upgrade", "2026-04-16", "2026-05-16", "60.00")]
    assert terms(service) == ("Big", "monthly", "60.00", "2026-04-16", "2026-05-16")


# --- Downgrades ---------------------------------------------------------------------------


def make_downgrade(vendor):
    little = make_product(recurring="30.00", name="Little")
    return make_running(vendor, little, recurring="60.00"), little


def test_a_downgrade_is_done_by_the_vendor_before_the_credit_comes(vendor):
    service, little = make_downgrade(vendor)

    change = request(service, wish(little, size=3))
    assert (status(change), terms(service)[0]) == ("applying", "Small")
    assert Client.objects.get().credit_balance == 0
    work()

    assert (status(change), terms(service)[:3]) == ("applied", ("Little", "monthly", "30.00"))
    entry = CreditEntry.objects.get()
    assert (entry.kind, entry.amount, entry.description) == (
        "downgrade",
        Decimal("15.00"),
        "Unused part of Small, size 5",
    )
    assert not Invoice.objects.exists()
    assert "15.00 for the time you had paid" in ClientMail.objects.get().email.message


def test_a_downgrade_the_vendor_refuses_changes_and_gives_nothing(vendor):
    service, little = make_downgrade(vendor)
    change = request(service, wish(little, size=3))
    vendor.rejects = "Too full."
    work()

    change_product.give_up(change.pk, reason="too full", at=AT, actor=None)

    assert (status(change), terms(service)[0]) == ("cancelled", "Small")
    assert (Client.objects.get().credit_balance, Job.objects.get().status) == (0, "resolved")


def test_a_renewal_meanwhile_is_credited_too(vendor):
    """Asked on 16 April, done on 2 May: the whole May was billed at 60.00 and costs 30.00."""
    service, little = make_downgrade(vendor)
    change = request(service, wish(little, size=3))
    bill_run.bill_all(utc(2026, 5, 1, 5))
    Invoice.objects.update(status="paid")

    work(utc(2026, 5, 2))

    # 46 days left on 16 April, of cycles of 31 days: 89.03 - 44.52.
    assert (status(change), CreditEntry.objects.get().amount) == ("applied", Decimal("44.51"))
    assert terms(service)[4] == "2026-06-01"
