"""What changes give back: credit notes over what was billed, tax and all, to the cent."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.automation.models import TaskItem
from billing_portal.clients.models import Client, ClientGroup
from billing_portal.invoices import crediting
from billing_portal.invoices.models import BillingSettings, CreditNote, Invoice
from billing_portal.payments.models import CreditEntry
from billing_portal.services import actions as services
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import bill_run, change_product, client_credit, credit_notes, daily
from billing_portal.workflows.audit_money import differences
from billing_portal.workflows.invoice_paid import record_payment
from provisioning.models import Job
from tests.factories import make_product, utc
from tests.taxes.rows import make_tax_rule, make_tax_settings
from tests.workflows.changing import (
    AT,
    make_running,
    pay,
    preview,
    request,
    status,
    terms,
    wish,
    work,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendor(vendor):
    BillingSettings.objects.create(pk=1, lead_days=0, term_days=14)
    make_tax_settings()
    make_tax_rule("VAT", "19.00", country="DE")
    return vendor


def make_billed(vendor, target, *, recurring="60.00", paid=True):
    """Invoiced for April, which was paid."""
    service = make_running(vendor, target, recurring=recurring, billed_until=date(2026, 4, 1))
    bill_run.bill_all(utc(2026, 4, 1, 5))
    if paid:
        pay(Invoice.objects.get(), utc(2026, 4, 1, 6))
    return service


def notes():
    """Number of the invoice, net, tax, total and what lowered what is owed."""
    return [
        (
            note.invoice.number,
            f"{note.net_total:.2f}",
            f"{note.tax_total:.2f}",
            f"{note.total:.2f}",
            f"{note.applied_amount:.2f}",
        )
        for note in CreditNote.objects.select_related("invoice").order_by("pk")
    ]


def ledger():
    found = CreditEntry.objects.order_by("pk")
    return [(entry.kind, f"{entry.amount:.2f}") for entry in found]


def pay_part(invoice, amount, at=AT):
    record_payment(
        invoice_id=invoice.pk,
        gateway="bank_transfer",
        external_id="part",
        amount=Decimal(amount),
        currency="EUR",
        received_at=at,
        at=at,
    )


# --- Downgrades ---------------------------------------------------------------------------


def test_a_downgrade_corrects_the_invoice_of_the_period_with_its_tax(vendor):
    """60.00 to 30.00 with 15 of 30 days left: 15.00 and 2.85 of tax of the line of 60.00."""
    little = make_product(recurring="30.00", name="Little")
    service = make_billed(vendor, little)

    shown = preview(service, wish(little))
    change = request(service, wish(little))

    assert (str(shown.total), [str(tax.amount) for tax in shown.taxes]) == ("-17.85", ["-2.85"])
    assert (status(change), terms(service)[0]) == ("applied", "Little")
    assert notes() == [("INV-2026-00001", "15.00", "2.85", "17.85", "0.00")]
    assert ledger() == [("credit_note", "17.85")]
    assert Client.objects.get().credit_balance == Decimal("17.85")
    assert Invoice.objects.get().status == "paid"
    assert list(differences()) == []


def test_no_money_moves_before_the_vendor_is_done(vendor):
    little = make_product(recurring="30.00", name="Little")
    service = make_billed(vendor, little)

    change = request(service, wish(little, size=3))

    assert (status(change), notes(), ledger()) == ("applying", [], [])
    work()
    assert (status(change), ledger()) == ("applied", [("credit_note", "17.85")])


def test_a_downgrade_the_vendor_refused_leaves_the_invoice_alone(vendor):
    little = make_product(recurring="30.00", name="Little")
    service = make_billed(vendor, little)
    vendor.rejects = "Too full."
    change = request(service, wish(little, size=3))
    work()

    change_product.give_up(change.pk, reason="too full", at=AT, actor=None)

    assert (status(change), Job.objects.get().status, notes(), ledger()) == (
        *("cancelled", "resolved", [], []),
    )


def test_what_no_invoice_billed_is_credit_without_tax(vendor):
    little = make_product(recurring="30.00", name="Little")
    service = make_running(vendor, little, recurring="60.00")

    shown = preview(service, wish(little))
    request(service, wish(little))

    assert (str(shown.total), shown.taxes) == ("-15.00", [])
    assert (notes(), ledger()) == ([], [("downgrade", "15.00")])
    assert list(differences()) == []


def test_of_a_line_credited_before_only_what_is_left_is_corrected(vendor):
    """55.00 of the 60.00 went before: 5.00 with 0.95 of tax are left, 10.00 come without."""
    little = make_product(recurring="30.00", name="Little")
    service = make_billed(vendor, little)
    line = Invoice.objects.get().lines.get()
    credit_notes.credit_invoice(
        line.invoice_id,
        lambda locked: crediting.correct_lines(locked, {line.pk: Decimal(55)}),
        reason="outage",
        request_key="outage",
        at=AT,
        actor=None,
    )

    request(service, wish(little))

    assert notes()[1:] == [("INV-2026-00001", "5.00", "0.95", "5.95", "0.00")]
    assert ledger() == [("credit_note", "65.45"), ("credit_note", "5.95"), ("downgrade", "10.00")]
    assert Invoice.objects.get().status == "refunded"
    assert list(differences()) == []


def test_a_renewal_not_paid_yet_is_lowered_instead(vendor):
    """Asked on 16 April, done on 2 May: of 44.51 the unpaid May gives all, with 8.46 of tax."""
    little = make_product(recurring="30.00", name="Little")
    service = make_billed(vendor, little)
    change = request(service, wish(little, size=3))
    bill_run.bill_all(utc(2026, 5, 1, 5))

    work(utc(2026, 5, 2))

    assert status(change) == "applied"
    assert notes() == [("INV-2026-00002", "44.51", "8.46", "52.97", "52.97")]
    assert (ledger(), f"{Invoice.objects.latest('pk').balance:.2f}") == ([], "18.43")
    assert list(differences()) == []


def test_after_an_upgrade_in_the_period_its_invoice_gives_first(vendor):
    """30 to 60 on 16 April bills 15.00; back on 24 April, 7 of 30 days: 14.00 - 7.00."""
    big = make_product(recurring="60.00", name="Big")
    service = make_billed(vendor, big, recurring="30.00")
    pay(request(service, wish(big)).invoice)
    little = make_product(recurring="30.00", name="Little")
    big.upgrades_to.add(little)

    request(service, wish(little), key="back", at=utc(2026, 4, 24, 12))

    assert notes() == [("INV-2026-00002", "7.00", "1.33", "8.33", "0.00")]
    assert list(differences()) == []


def test_a_discount_is_never_given_back(vendor):
    """10 % off: 54.00 were billed for April, so of 60.00 half of 27.00 comes back: 13.50."""
    little = make_product(recurring="30.00", name="Little")
    service = make_running(vendor, little, recurring="60.00", billed_until=date(2026, 4, 1))
    Client.objects.update(group=ClientGroup.objects.create(name="Partners", discount_percent=10))
    bill_run.bill_all(utc(2026, 4, 1, 5))
    pay(Invoice.objects.get(), utc(2026, 4, 1, 6))

    request(service, wish(little))

    assert notes() == [("INV-2026-00001", "13.50", "2.57", "16.07", "0.00")]
    assert list(differences()) == []


# --- Money for what is no longer possible -------------------------------------------------


def test_money_for_a_change_that_is_over_is_a_credit_note_and_credit(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_billed(vendor, big, recurring="30.00")
    change = request(service, wish(big))
    services.move(service.pk, to=ServiceStatus.CANCELLED, at=AT, reason="given up", actor=None)

    pay(change.invoice, AT)

    assert (status(change), terms(service)[0]) == ("expired", "Small")
    change.invoice.refresh_from_db()
    assert change.invoice.status == "refunded"
    assert notes() == [("INV-2026-00002", "15.00", "2.85", "17.85", "0.00")]
    assert ledger() == [("credit_note", "17.85")]
    assert Client.objects.get().credit_balance == Decimal("17.85")
    assert list(differences()) == []


def test_money_for_a_change_withdrawn_before_is_credit_once(vendor):
    big = make_product(recurring="60.00", name="Big")
    change = request(make_billed(vendor, big, recurring="30.00"), wish(big))
    change_product.withdraw(change.pk, reason="no", at=AT, actor=None)

    pay(change.invoice, AT)

    assert (status(change), notes()) == ("cancelled", [])
    assert ledger() == [("overpayment", "17.85")]
    assert list(differences()) == []


# --- Paid in part -------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["payment", "credit"])
def test_a_change_paid_in_part_expires_and_the_part_is_credit(vendor, way):
    big = make_product(recurring="60.00", name="Big")
    service = make_billed(vendor, big, recurring="30.00")
    change = request(service, wish(big))
    if way == "payment":
        pay_part(change.invoice, "5.00")
    else:
        client_credit.add_credit(
            service.client_id, Decimal(5), reason="g", request_key="g", at=AT, actor=None
        )
        client_credit.apply_credit(
            change.invoice_id, Decimal(5), request_key="u", at=AT, actor=None
        )

    for day in (24, 25):
        daily.tick(utc(2026, 4, day, 5))

    assert (status(change), terms(service)[0]) == ("expired", "Small")
    change.invoice.refresh_from_db()
    assert change.invoice.status == "refunded"
    assert notes() == [("INV-2026-00002", "15.00", "2.85", "17.85", "12.85")]
    assert Client.objects.get().credit_balance == 5
    items = TaskItem.objects.filter(run__task="changes")
    assert list(items.values_list("outcome", flat=True)) == ["done"]
    assert list(differences()) == []


def test_a_change_whose_payment_is_under_way_waits_for_it(vendor):
    big = make_product(recurring="60.00", name="Big")
    change = request(make_billed(vendor, big, recurring="30.00"), wish(big))
    Invoice.objects.filter(pk=change.invoice_id).update(status="pending")

    daily.tick(utc(2026, 4, 24, 5))
    assert status(change) == "pending"
    pay(change.invoice, utc(2026, 4, 25))

    assert status(change) == "applied"


def test_a_part_paid_proforma_of_a_change_becomes_an_invoice_and_is_corrected(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_billed(vendor, big, recurring="30.00")
    BillingSettings.objects.update(proforma=True)
    change = request(service, wish(big))
    pay_part(change.invoice, "5.00")

    change_product.withdraw(change.pk, reason="no", at=AT, actor=None)

    assert status(change) == "cancelled"
    assert notes() == [("INV-2026-00002", "15.00", "2.85", "17.85", "12.85")]
    assert ledger() == [("credit_note", "5.00")]
    assert list(differences()) == []
