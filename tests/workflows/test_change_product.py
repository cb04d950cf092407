"""Changing what a service is: the price shown, the money, the vendor, and what is refused."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing_portal.clients.models import Client, ClientGroup
from billing_portal.invoices.models import BillingSettings, Invoice, InvoiceLine
from billing_portal.mail.models import ClientMail
from billing_portal.payments.models import CreditEntry
from billing_portal.products.models import Price
from billing_portal.promotions.models import Promotion
from billing_portal.services.models import Service
from billing_portal.workflows import apply_change, bill_run, change_product, daily
from billing_portal.workflows.change_terms import ChangeRefused, ChangeWish
from billing_portal.workflows.invoice_paid import record_payment
from provisioning import runner
from provisioning.models import Job
from tests.factories import (
    make_invoice,
    make_placement,
    make_product,
    make_service,
    utc,
)
from tests.workflows.billing import lines

pytestmark = pytest.mark.django_db

AT = utc(2026, 4, 16, 12)
"""15 of 30 days before the first of May."""
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _vendor(vendor):
    BillingSettings.objects.create(pk=1, lead_days=0, term_days=14)
    return vendor


def make_running(vendor, *targets, recurring="30.00", module_key="fake", **fields):
    """Monthly, paid until 1 May, standing at the vendor with size 5."""
    product = make_product(module_key=module_key, recurring=recurring, name="Small")
    product.upgrades_to.set(targets)
    values = {"anchor_date": date(2026, 1, 1), "billed_until": date(2026, 5, 1)} | fields
    service = make_service(product=product, recurring=recurring, **values)
    if module_key:
        account = vendor.add(f"fake-service{service.pk}")
        make_placement(service, remote_id=account.remote_id)
    return service


def wish(product, cycle="monthly", size=5, **more):
    return ChangeWish(product.pk, cycle, answers={"size": size}, **more)


def preview(service, wanted, at=AT):
    return change_product.preview(service.pk, wanted, at=at)


def request(service, wanted, *, key="k", at=AT, total=None):
    shown = preview(service, wanted, at=at).total if total is None else Decimal(total)
    return change_product.request(
        service.pk, wanted, shown_total=shown, request_key=key, at=at, actor=None
    )


def pay(invoice, at=AT):
    record_payment(
        invoice_id=invoice.pk,
        gateway="bank_transfer",
        external_id=f"ref-{invoice.pk}",
        amount=invoice.total,
        currency=invoice.currency,
        received_at=at,
        at=at,
    )


def work(at=AT):
    """The workers, and then the tick's look at what they did."""
    for job_id in runner.due_jobs(at=at):
        runner.run(job_id, at=at)
    apply_change.go_on_all(at)


def row(service):
    return Service.objects.select_related("product").get(pk=service.pk)


def terms(service):
    now = row(service)
    return (
        now.product.name,
        now.cycle,
        f"{now.recurring_amount:.2f}",
        str(now.anchor_date),
        str(now.billed_until),
    )


def status(change):
    change.refresh_from_db()
    return change.status


def mails():
    return list(ClientMail.objects.order_by("pk").values_list("template", flat=True))


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


# --- Refusals and expiry ------------------------------------------------------------------


def test_a_second_change_is_refused_while_the_first_is_unpaid(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    request(service, wish(big))

    with pytest.raises(ChangeRefused, match=r"is already changing to Big, size 5\. Pay for that"):
        preview(service, wish(big, size=8))


def test_nothing_changes_while_an_invoice_of_the_service_is_unpaid(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    invoice = make_invoice(service.client, advance={service: "30.00"})

    with pytest.raises(ChangeRefused, match=f"Invoice {invoice.number} of .* is not paid yet"):
        preview(service, wish(big))


def test_only_what_the_product_lists_and_the_currency_has(vendor):
    other = make_product(recurring="60.00", name="Other")
    dollars = make_product(recurring="60.00", name="Dollars", currency="USD")
    service = make_running(vendor, dollars)

    with pytest.raises(ChangeRefused, match="cannot become that product"):
        preview(service, wish(other))
    with pytest.raises(ChangeRefused, match="Dollars is not offered that way in EUR"):
        preview(service, wish(dollars))
    with pytest.raises(ChangeRefused, match=r"That is what Small #\d+ is already"):
        preview(service, wish(service.product))


def test_a_size_the_new_product_forbids_is_refused(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)

    with pytest.raises(ChangeRefused, match="The size must be from 1 to 10"):
        preview(service, wish(big, size=11))


def test_an_unpaid_change_expires_after_a_week(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    change = request(service, wish(big))

    daily.tick(utc(2026, 4, 23, 10))
    assert status(change) == "pending"
    daily.tick(utc(2026, 4, 24, 5))

    assert (status(change), Invoice.objects.get().status) == ("expired", "cancelled")
    assert mails().count("change_expired") == 1
    request(service, wish(big), key="again", at=utc(2026, 4, 24, 12))


def test_it_expires_with_the_next_renewal_if_that_comes_first(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    BillingSettings.objects.update(lead_days=10)

    change = request(service, wish(big))

    assert change.expires_at == utc(2026, 4, 21)


def test_money_that_comes_after_the_renewal_becomes_credit(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    at = utc(2026, 4, 30, 12)
    change = request(service, wish(big), at=at)
    bill_run.bill_all(utc(2026, 5, 1, 5))

    pay(change.invoice, utc(2026, 5, 1, 6))

    assert (status(change), terms(service)[0]) == ("expired", "Small")
    assert Client.objects.get().credit_balance == change.invoice.total
    assert "change_failed_staff" in mails()


def test_an_unpaid_change_can_be_withdrawn(vendor):
    big = make_product(recurring="60.00", name="Big")
    change = request(make_running(vendor, big), wish(big))

    change_product.withdraw(change.pk, reason="changed my mind", at=AT, actor=None)

    assert (status(change), Invoice.objects.get().status) == ("cancelled", "cancelled")


# --- Discounts and metered prices ---------------------------------------------------------


def test_what_a_group_saves_is_saved_on_both_sides(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    group = ClientGroup.objects.create(name="Partners", discount_percent=10)
    Client.objects.update(group=group)

    shown = preview(service, wish(big))

    assert (str(shown.price.debit), str(shown.price.credit)) == ("27.00", "13.50")


@pytest.mark.parametrize(("for_life", "debit"), [(True, "15.00"), (False, "30.00")])
def test_only_a_promotion_for_life_survives(vendor, for_life, debit):
    big = make_product(recurring="60.00", name="Big")
    half = Promotion.objects.create(
        code="HALF", kind="percent", value=50, recurring=True, survives_changes=for_life
    )
    service = make_running(vendor, big, promotion=half, discount_amount=Decimal(15))

    shown = preview(service, wish(big))

    assert (str(shown.price.credit), str(shown.price.debit)) == ("7.50", debit)
    assert (shown.terms().discount_amount, shown.terms().promotion_id) == (
        (Decimal("30.00"), half.pk) if for_life else (0, None)
    )


def test_new_metered_prices_wait_for_the_end_of_the_month_of_use(vendor):
    big = make_product(recurring="30.00", name="Big", usage={"traffic": "8"})
    service = make_running(vendor, big, usage={"traffic": "10"})
    request(service, wish(big))

    def agreed():
        return [f"{usage.price:.0f}" for usage in service.usage_prices.all()]

    assert (terms(service)[0], agreed()) == ("Big", ["10"])
    for day in (17, 30):
        daily.tick(utc(2026, 4, day, 5))
    assert agreed() == ["10"]
    bill_run.bill_all(utc(2026, 5, 1, 5))
    daily.tick(utc(2026, 5, 1, 6))
    assert agreed() == ["8"]
