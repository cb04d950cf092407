"""Issuing: what an invoice says for ever, its number, and how it is cancelled or paid."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing_portal.audit.models import Entry
from billing_portal.calc.invoice import DraftInvoice, DraftLine, LineKind
from billing_portal.calc.periods import Period
from billing_portal.clients.models import Client
from billing_portal.invoices import actions, settling
from billing_portal.invoices.models import Charge, Invoice, InvoiceLine, UsageWindow
from billing_portal.mail.models import ClientMail
from tests.factories import AT, make_client, make_invoice, make_service, make_user, utc

pytestmark = pytest.mark.django_db

NOVEMBER = Period(utc(2026, 11, 1), utc(2026, 12, 1))


@pytest.fixture
def service():
    return make_service()


def draft(service, amount="29.95", *, start=date(2026, 11, 1), currency="EUR", **changes):
    """A draft of one line in advance."""
    values = {
        "service_id": service.pk,
        "kind": LineKind.RECURRING,
        "description": "Box in advance",
        "period_start": start,
        "period_end": date(2026, 12, 1),
        "quantity": Decimal(1),
        "unit": "",
        "unit_price": Decimal(amount),
        "amount": Decimal(amount),
    } | changes
    return untaxed((DraftLine(**values),), amount, currency)


def untaxed(lines, amount, currency="EUR"):
    return DraftInvoice(currency, lines, Decimal(amount), Decimal(0), Decimal(amount))


def charge(service, key="traffic:1", **changes):
    values = {
        "client_id": service.client_id,
        "service_id": service.pk,
        "metric": "traffic",
        "description": "Traffic",
        "period": NOVEMBER,
        "quantity": Decimal("2.5"),
        "unit": "TB",
        "unit_price": Decimal("2.00"),
        "amount": Decimal("5.00"),
        "currency": "EUR",
        "evidence": {"days": [1, 2]},
    } | changes
    return actions.add_charge(actions.NewCharge(key=key, **values), at=AT)


# --- Issuing ------------------------------------------------------------------------------


def test_an_invoice_has_a_number_days_and_its_lines(service):
    invoice = actions.issue(service.client, draft(service), at=utc(2026, 12, 31, 23))

    invoice.refresh_from_db()
    assert (invoice.number, invoice.status, invoice.currency) == (
        "INV-2026-00001",
        "unpaid",
        "EUR",
    )
    assert (invoice.issued_at, invoice.issue_date, invoice.due_date) == (
        utc(2026, 12, 31, 23),
        date(2026, 12, 31),
        date(2027, 1, 14),
    )
    assert (invoice.total, invoice.paid_amount, invoice.paid_at) == (Decimal("29.95"), 0, None)
    (line,) = invoice.lines.all()
    assert (line.position, line.kind, line.service, line.description, line.amount) == (
        1,
        "recurring",
        service,
        "Box in advance",
        Decimal("29.95"),
    )


def test_the_day_of_issue_is_the_sellers(service, settings):
    settings.SELLER_TIMEZONE = "Europe/Berlin"

    invoice = actions.issue(service.client, draft(service), at=utc(2026, 12, 31, 23))

    assert (invoice.issue_date, invoice.number) == (date(2027, 1, 1), "INV-2027-00001")


def test_the_term_of_payment_is_a_setting(service, settings):
    settings.PAYMENT_TERM_DAYS = 30

    assert actions.issue(service.client, draft(service), at=AT).due_date == date(2026, 12, 1)


def test_seller_and_buyer_stay_as_they_were(settings):
    client = make_client(
        company_name="Acme Ltd", address2="Floor 3", state="BE", tax_id="DE1", email="a@example.org"
    )
    service = make_service(client)

    invoice = actions.issue(client, draft(service), at=AT)
    Client.objects.update(company_name="New Name", address1="Elsewhere")
    settings.SELLER_NAME = "New Seller"

    invoice.refresh_from_db()
    assert (invoice.buyer["name"], invoice.buyer["address"]) == (
        "Acme Ltd",
        "1 High Street\nFloor 3\n10115 Berlin BE\nGermany",
    )
    assert invoice.seller["name"] == "Northwind Hosting"


def test_a_person_without_a_company_is_the_buyer():
    client = make_client(company_name="")

    invoice = actions.issue(client, draft(make_service(client)), at=AT)

    assert (invoice.buyer["name"], invoice.buyer["person"]) == ("Ann Smith", "")


def test_issuing_is_remembered_and_mailed_once(service):
    invoice = actions.issue(service.client, draft(service), at=AT, actor=make_user(name="Sam"))

    entry = Entry.objects.get()
    assert (entry.action, entry.summary, entry.actor_name, entry.client_ref) == (
        "invoice.issued",
        "Invoice INV-2026-00001 over EUR 29.95 issued",
        "Sam",
        service.client_id,
    )
    assert [mail.key for mail in ClientMail.objects.all()] == [f"invoice_issued:{invoice.pk}"]


def test_usage_lines_print_the_sellers_days(service, settings):
    settings.SELLER_TIMEZONE = "Europe/Berlin"
    usage = draft(
        service,
        kind=LineKind.USAGE,
        period_start=utc(2026, 10, 31, 23),
        period_end=utc(2026, 11, 30, 23),
        charge_id=charge(service).pk,
    )

    line = actions.issue(service.client, usage, at=AT).lines.get()

    assert (line.period_start, line.period_end) == (date(2026, 11, 1), date(2026, 12, 1))


def test_a_long_description_is_cut(service):
    long = draft(service, description="x" * 400)

    assert actions.issue(service.client, long, at=AT).lines.get().description == "x" * 300


def test_a_period_is_invoiced_once(service):
    actions.issue(service.client, draft(service), at=AT)

    with pytest.raises(IntegrityError), transaction.atomic():
        actions.issue(service.client, draft(service), at=AT)

    assert [invoice.number for invoice in Invoice.objects.all()] == ["INV-2026-00001"]
    later = actions.issue(service.client, draft(service, start=date(2026, 12, 1)), at=AT)
    assert later.number == "INV-2026-00002"


def test_a_charge_is_on_one_invoice(service):
    held = charge(service)
    usage = draft(service, kind=LineKind.USAGE, charge_id=held.pk)
    actions.issue(service.client, usage, at=AT)

    with pytest.raises(IntegrityError), transaction.atomic():
        actions.issue(service.client, usage, at=AT)

    assert InvoiceLine.objects.count() == 1


def test_many_lines_cost_no_more_statements(service, django_assert_max_num_queries):
    client = service.client
    services = [make_service(client) for _ in range(20)]
    lines = tuple(draft(one).lines[0] for one in services)
    actions.issue(client, draft(service), at=AT)  # the year's first number and the template

    with django_assert_max_num_queries(20):
        actions.issue(client, untaxed(lines, "599.00"), at=AT)


# --- Charges and windows ------------------------------------------------------------------


def test_a_charge_is_noted_with_its_evidence(service):
    charge(service)

    noted = Charge.objects.get()
    assert (noted.service, noted.metric, noted.key) == (service, "traffic", "traffic:1")
    assert (noted.starts_at, noted.ends_at) == (NOVEMBER.start, NOVEMBER.end)
    assert (noted.quantity, noted.unit, noted.unit_price, noted.amount, noted.currency) == (
        Decimal("2.5"),
        "TB",
        Decimal("2.00"),
        Decimal("5.00"),
        "EUR",
    )
    assert (noted.evidence, noted.created_at) == ({"days": [1, 2]}, AT)


def test_the_same_key_is_the_same_charge(service):
    first = charge(service)

    assert charge(service, amount=Decimal("99.00")) == first
    assert Charge.objects.get().amount == Decimal("5.00")


def test_a_charge_with_a_long_description_is_cut(service):
    assert charge(service, description="x" * 400).description == "x" * 300


def test_windows_are_closed_once(service):
    windows = [(service.pk, NOVEMBER), (make_service().pk, NOVEMBER)]
    actions.close_windows(windows, at=AT)

    assert [
        (one.service_id, one.starts_at, one.ends_at, one.closed_at)
        for one in UsageWindow.objects.order_by("pk")
    ] == [(service_id, NOVEMBER.start, NOVEMBER.end, AT) for service_id, _ in windows]
    with pytest.raises(IntegrityError), transaction.atomic():
        actions.close_windows(windows[:1], at=AT)


# --- Cancelling ---------------------------------------------------------------------------


def test_an_unpaid_invoice_is_cancelled_and_its_periods_are_free(service):
    invoice = actions.issue(service.client, draft(service), at=AT)

    actions.cancel(invoice.pk, reason="wrong price", at=AT, actor=make_user(name="Sam"))

    invoice.refresh_from_db()
    assert (invoice.status, invoice.number) == ("cancelled", "INV-2026-00001")
    entry = Entry.objects.get(action="invoice.cancelled")
    assert (entry.summary, entry.actor_name) == (
        "Invoice INV-2026-00001 cancelled: wrong price",
        "Sam",
    )
    again = actions.issue(service.client, draft(service), at=AT)
    assert again.number == "INV-2026-00002"


def test_cancelling_twice_is_once(service):
    invoice = actions.issue(service.client, draft(service), at=AT)

    for _ in range(2):
        actions.cancel(invoice.pk, reason="wrong price", at=AT)

    assert Entry.objects.filter(action="invoice.cancelled").count() == 1


@pytest.mark.parametrize("paid", ["0.01", "29.95"])
def test_what_was_paid_cannot_be_cancelled(service, paid):
    invoice = actions.issue(service.client, draft(service), at=AT)
    Invoice.objects.update(paid_amount=paid)

    with pytest.raises(actions.InvoiceNotCancellable, match="INV-2026-00001 was paid in part"):
        actions.cancel(invoice.pk, reason="x", at=AT)

    assert Invoice.objects.get().status == "unpaid"


def test_usage_cannot_be_cancelled(service):
    usage = draft(service, kind=LineKind.USAGE, charge_id=charge(service).pk)
    invoice = actions.issue(service.client, usage, at=AT)

    with pytest.raises(actions.InvoiceNotCancellable):
        actions.cancel(invoice.pk, reason="x", at=AT)


# --- Paying -------------------------------------------------------------------------------


def test_payments_add_up_until_it_is_settled(service):
    invoice = make_invoice(service.client, advance={service: "29.95"})

    assert settling.pay(invoice, Decimal("10.00"), at=AT) is False
    invoice.refresh_from_db()
    assert (invoice.status, invoice.balance, invoice.paid_at) == (
        "unpaid",
        Decimal("19.95"),
        None,
    )

    assert settling.pay(invoice, Decimal("19.95"), at=utc(2026, 11, 9)) is True
    invoice.refresh_from_db()
    assert (invoice.status, invoice.balance, invoice.paid_at) == (
        "paid",
        Decimal(0),
        utc(2026, 11, 9),
    )


def test_no_more_than_the_total_can_be_paid(service):
    invoice = make_invoice(service.client, advance={service: "29.95"})

    with pytest.raises(IntegrityError), transaction.atomic():
        settling.pay(invoice, Decimal("30.00"), at=AT)
