"""Upgrades, downgrades and endings from the wish to the last invoice: acceptance 13 to 20."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backups.models import Datastore, SizeSpan
from billing_portal.calc.periods import month_slice
from billing_portal.invoices.models import BillingSettings, CreditNote, Invoice, InvoiceLine
from billing_portal.mail.models import ClientMail
from billing_portal.payments.models import CreditEntry
from billing_portal.products.models import Price, Product
from billing_portal.services.models import Cancellation, Service
from billing_portal.workflows import (
    bill_run,
    cancel_service,
    change_product,
    change_service,
    daily,
)
from billing_portal.workflows.change_terms import ChangeRefused, ChangeWish
from billing_portal.workflows.invoice_paid import record_payment
from billing_portal.workflows.place_order import OrderRequest, place_order
from provisioning import actions as provisioning
from provisioning import runner
from provisioning.models import Job
from tests import fakes
from tests.factories import (
    make_client,
    make_placement,
    make_product,
    make_promotion,
    make_server,
    make_service,
    utc,
)
from tests.pbx.call_rows import make_call

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
GB = 10**9
AT = utc(2026, 4, 16, 12)


@pytest.fixture
def vendor(settings: Any) -> Iterator[fakes.FakeVendor]:
    with fakes.installed(settings) as vendor:
        yield vendor


@pytest.fixture
def rules(db: None) -> BillingSettings:
    return BillingSettings.objects.create(pk=1, lead_days=0, term_days=14)


def live(first: date, last: date) -> None:
    """Each day: the bill run, the tick and the workers."""
    for number in range((last - first).days + 1):
        day = first + number * DAY
        at = utc(day.year, day.month, day.day, 5)
        bill_run.bill_all(at)
        daily.tick(at)
        work(at)


def work(at: Any) -> None:
    for job_id in runner.due_jobs(at=at):
        runner.run(job_id, at=at)


def pay(invoice: Invoice, at: Any = AT) -> None:
    record_payment(
        invoice_id=invoice.pk,
        gateway="bank_transfer",
        external_id=f"ref-{invoice.pk}",
        amount=invoice.total,
        currency=invoice.currency,
        received_at=at,
        at=at,
    )


def lines(invoice: Invoice) -> list[tuple[str, str]]:
    found = invoice.lines.order_by("position")
    return [(line.kind, f"{line.amount:.2f}") for line in found]


def mails() -> list[str]:
    return list(ClientMail.objects.order_by("pk").values_list("template", flat=True))


# --- 13, 14: creating, with trouble -------------------------------------------------------


def order(vendor: fakes.FakeVendor) -> Service:
    """Ordered and paid, with its creation queued."""
    make_server()
    placed = place_order(
        client=make_client(),
        placed_by=None,
        items=[OrderRequest(make_product(recurring="30").pk, "monthly", "", {"size": "5"})],
        payment_method="bank_transfer",
        submission_key="a",
        at=AT,
    )
    assert placed.invoice
    pay(placed.invoice)
    return Service.objects.get()


def test_13_a_reply_lost_after_creating_is_made_good_and_no_second_one_is_bought(vendor):
    service = order(vendor)
    vendor.lose_replies = 1

    work(AT)
    assert len(vendor.accounts) == 1
    work(Job.objects.get().due_at + timedelta(seconds=31))

    service.refresh_from_db()
    assert (service.status, vendor.names()) == ("active", [f"fake-service{service.pk}"])


def test_14_a_creation_that_fails_for_good_stays_paid_and_is_retried_by_staff(vendor):
    service = order(vendor)
    vendor.rejects = "The name is reserved."

    work(AT)

    service.refresh_from_db()
    job = Job.objects.get()
    assert (service.status, Invoice.objects.get().status) == ("pending", "paid")
    assert (job.status, job.last_error) == ("failed", "The name is reserved.")
    mail = ClientMail.objects.get(template="job_failed_staff")
    assert "The name is reserved." in mail.email.message
    vendor.rejects = ""
    provisioning.retry(job.pk, at=AT + DAY)
    work(AT + DAY)
    work(AT + 2 * DAY)
    service.refresh_from_db()
    assert (service.status, mails().count("service_active")) == ("active", 1)


# --- 15, 16: changes ----------------------------------------------------------------------


def make_running(
    old: tuple[str, str],
    new: tuple[str, str],
    *,
    anchor: date = date(2026, 1, 1),
    paid_until: date = date(2026, 5, 1),
) -> tuple[Service, Product]:
    """A service of (price, cycle) that may become (price, cycle), the due date kept."""
    keep = {"module_key": "", "change_policy": "keep_due_date"}
    target = make_product(recurring=new[0], cycle=new[1], name="New", **keep)
    product = make_product(recurring=old[0], cycle=old[1], name="Old", **keep)
    product.upgrades_to.add(target)
    service = make_service(
        product=product,
        recurring=old[0],
        cycle=old[1],
        anchor_date=anchor,
        billed_until=paid_until,
    )
    return service, target


def change(service: Service, target: Product, *, at: Any = AT, key: str = "k") -> Any:
    wish = ChangeWish(target.pk, Price.objects.get(product=target).cycle)
    shown = change_product.preview(service.pk, wish, at=at)
    return change_product.request(
        service.pk, wish, shown_total=shown.total, request_key=key, at=at, actor=None
    )


YEAR = {"anchor": date(2026, 1, 1), "paid_until": date(2027, 1, 1)}


@pytest.mark.parametrize(
    ("old", "new", "at", "dates", "payable"),
    [
        (("30", "monthly"), ("60", "monthly"), AT, {}, "15.00"),
        (("60", "monthly"), ("30", "monthly"), AT, {}, "-15.00"),
        (("10", "monthly"), ("120", "annual"), AT, {}, "-0.07"),
        (("65", "annual"), ("55", "quarterly"), utc(2026, 1, 1, 12), YEAR, "153.21"),
    ],
)
def test_15_a_change_costs_or_gives_back_what_the_table_says(rules, old, new, at, dates, payable):
    service, target = make_running(old, new, **dates)

    made = change(service, target, at=at)

    assert f"{made.amount_due:.2f}" == payable
    if Decimal(payable) > 0:
        assert f"{made.invoice.total:.2f}" == payable
        pay(made.invoice, at)
    else:
        assert CreditEntry.objects.get().amount == -Decimal(payable)
    service.refresh_from_db()
    assert (service.product, service.billed_until) == (
        *(target, dates.get("paid_until", date(2026, 5, 1))),
    )


def test_15_a_second_upgrade_waits_for_the_first_which_expires_unpaid(rules):
    service, target = make_running(("30", "monthly"), ("60", "monthly"))
    first = change(service, target)

    with pytest.raises(ChangeRefused, match="is already changing to New"):
        change(service, target, key="second")
    live(date(2026, 4, 17), date(2026, 4, 24))

    first.refresh_from_db()
    assert (first.status, first.invoice.status) == ("expired", "cancelled")
    assert mails()[-1] == "change_expired"
    assert change(service, target, at=utc(2026, 4, 24, 12), key="third").status == "pending"


def test_16_a_downgrade_below_what_is_used_is_refused_with_the_reason(rules):
    small = make_product(module_key="remote_backups", name="Backup 500")
    product = make_product(module_key="remote_backups", name="Backup 1000")
    product.upgrades_to.add(small)
    service = make_service(product=product, spec={"size_gb": 1000, "name_prefix": "backup"})
    make_placement(service, details={"used_bytes": 800 * GB})

    with pytest.raises(ChangeRefused) as refusal:
        change_product.preview(
            service.pk, ChangeWish(small.pk, "monthly", answers={"size_gb": 500}), at=AT
        )

    assert str(refusal.value) == (
        "800.0 GB are in use, which 500 GB do not hold: the smallest size for them is 800 GB."
        " Delete backups first, or keep fewer."
    )


# --- 17: cancelling -----------------------------------------------------------------------


def test_17_of_a_merged_unpaid_renewal_only_its_line_and_discount_go(rules, vendor):
    BillingSettings.objects.update(lead_days=14)
    tenth = make_promotion(code="TENTH", kind="percent", value=10, recurring=True)
    dates = {"anchor_date": date(2026, 1, 1), "billed_until": date(2026, 5, 1)}
    leaving = make_service(
        recurring="30.00", promotion=tenth, discount_amount=Decimal(3), discounts_left=5, **dates
    )
    account = vendor.add("fake")
    make_placement(leaving, remote_id=account.remote_id)
    staying = make_service(leaving.client, recurring="20.00", **dates)
    live(date(2026, 4, 17), date(2026, 4, 17))
    invoice = Invoice.objects.get()
    assert lines(invoice) == [("recurring", "30.00"), ("discount", "-3.00"), ("recurring", "20.00")]

    found = cancel_service.request(
        leaving.pk, when=Cancellation.When.PERIOD_END, reason="", at=utc(2026, 4, 20), actor=None
    )

    invoice.refresh_from_db()
    note = CreditNote.objects.get()
    assert sorted(f"{line.amount:.2f}" for line in note.lines.all()) == ["-3.00", "30.00"]
    assert (invoice.status, f"{invoice.balance:.2f}") == ("unpaid", "20.00")
    leaving.refresh_from_db()
    assert (leaving.billed_until, leaving.discounts_left) == (date(2026, 5, 1), 5)
    assert found.ends_on == date(2026, 5, 1)
    invoice.total = invoice.balance
    pay(invoice, utc(2026, 4, 21))
    live(date(2026, 4, 30), date(2026, 6, 2))
    leaving.refresh_from_db()
    assert (leaving.status, leaving.ended_at) == ("cancelled", utc(2026, 5, 1))
    assert vendor.accounts == {}
    later = InvoiceLine.objects.exclude(invoice=invoice)
    assert set(later.values_list("service_id", flat=True)) == {staying.pk}


# --- 19, 20: the last usage ---------------------------------------------------------------


def test_19_a_call_that_arrives_three_days_late_is_on_the_next_invoice(rules):
    server = make_server(module_key="fusionpbx")
    service = make_service(
        product=make_product(module_key="fusionpbx"),
        anchor_date=date(2026, 3, 1),
        spec={"extensions": 1},
    )
    make_placement(service, server=server)
    make_call(server, service, started_at=utc(2026, 3, 20), amount_micros=2_000_000)
    bill_run.bill_all(utc(2026, 4, 1, 5))
    make_call(server, service, started_at=utc(2026, 3, 31, 23), amount_micros=500_000)

    bill_run.bill_all(utc(2026, 4, 4, 5))
    bill_run.bill_all(utc(2026, 5, 1, 5))

    assert [f"{i.total:.2f}" for i in Invoice.objects.order_by("pk")] == ["2.00", "0.50"]
    assert Invoice.objects.latest("pk").lines.get().charge.evidence["late_calls"] == 1


def make_datastore(service: Service) -> None:
    """500 GB since the first of April."""
    row = Datastore.objects.create(
        server=service.placement.server,
        remote_id=service.placement.remote_id,
        service=service,
        name="nas",
        size_bytes=500 * GB,
        first_seen_at=utc(2026, 4, 1),
        last_seen_at=utc(2026, 6, 1),
    )
    SizeSpan.objects.create(
        datastore=row,
        size_bytes=500 * GB,
        starts_at=utc(2026, 4, 1),
        first_seen_at=utc(2026, 4, 1),
        last_seen_at=utc(2026, 6, 1),
        source="poll",
    )


def test_20_given_up_in_mid_period_what_was_used_until_then_is_on_a_last_invoice(rules):
    """500 GB for 372 of 720 hours at 10.00 per 1000 GB: 2.58, though the data stands longer."""
    service = make_service(
        product=make_product(module_key="remote_backups", deletion_grace_days=30),
        anchor_date=date(2026, 4, 1),
        created_at=utc(2026, 4, 1),
        spec={"size_gb": 500, "name_prefix": "backup"},
        usage={"storage": "10"},
    )
    make_placement(service)
    make_datastore(service)

    cancel_service.request(
        service.pk, when=Cancellation.When.NOW, reason="", at=utc(2026, 4, 16, 12), actor=None
    )
    bill_run.bill_all(utc(2026, 4, 16, 15))
    bill_run.bill_all(utc(2026, 6, 1, 5))

    assert [f"{i.total:.2f}" for i in Invoice.objects.all()] == ["2.58"]


def test_20_deleted_in_mid_period_by_staff_the_usage_is_billed_as_well(rules, vendor):
    service = make_service(anchor_date=date(2026, 4, 1))
    account = vendor.add(f"fake-service{service.pk}")
    make_placement(service, remote_id=account.remote_id)
    vendor.owes(service.pk, month_slice(date(2026, 4, 1), 0, timezone="UTC"), "4.20")

    change_service.terminate(service.pk, request_key="t", at=AT, actor=None)
    work(AT)
    bill_run.bill_all(AT + timedelta(hours=3))

    service.refresh_from_db()
    assert (service.status, [f"{i.total:.2f}" for i in Invoice.objects.all()]) == (
        *("terminated", ["4.20"]),
    )
