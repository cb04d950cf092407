"""Numbers without a gap and in the order of days, whoever publishes and whatever fails."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.db.models import Q

from billing_portal.errors import PortalError
from billing_portal.invoices import drafting, numbering
from billing_portal.invoices.drafting import DraftContent, ManualLine
from billing_portal.invoices.models import BillingSettings, Invoice, NumberSeries
from billing_portal.mail.models import ClientMail
from billing_portal.workflows import bill_run, documents
from billing_portal.workflows.invoice_paid import record_payment
from tests import fakes
from tests.factories import make_client, make_service, utc
from tests.threads import at_once, failures

AT = utc(2026, 12, 31, 22, 59)
"""A minute before midnight and the year's end in Berlin is an hour away from here."""
NOON = utc(2026, 11, 20, 12)


def a_draft(client, *, due=date(2027, 6, 1), price="10"):
    lines = [ManualLine("Work", Decimal(1), Decimal(price))]
    return drafting.write(client, DraftContent(lines, due), at=NOON, actor=None).pk


def publish(pk, at=NOON):
    return lambda: documents.publish(pk, mail=True, at=at, actor=None)


def numbered():
    return list(
        Invoice.objects.exclude(number=None).order_by("number").values_list("number", "issue_date")
    )


# --- Scenario 24 --------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_fifty_parallel_publications_get_consecutive_numbers_and_non_decreasing_days(settings):
    settings.SELLER_TIMEZONE = "UTC"
    clients = [make_client() for _ in range(50)]
    moments = [utc(2026, 11, 20, 23, 59) + timedelta(minutes=n % 3) for n in range(50)]
    drafts = [a_draft(client) for client in clients]

    outcomes = at_once(*(publish(*pair) for pair in zip(drafts, moments, strict=True)))

    assert failures(outcomes) == []
    numbers, days = zip(*numbered(), strict=True)
    assert list(numbers) == [f"INV-2026-{n:05d}" for n in range(1, 51)]
    assert list(days) == sorted(days)
    assert set(days) <= {date(2026, 11, 20), date(2026, 11, 21)}


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_one_draft_published_twenty_times_at_once_is_published_once():
    pk = a_draft(make_client())

    outcomes = at_once(*[publish(pk)] * 20)

    assert [str(e) for e in failures(outcomes)] == [
        "INV-2026-00001 is published and cannot change any more."
    ] * 19
    assert [number for number, _ in numbered()] == ["INV-2026-00001"]
    assert ClientMail.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_ten_publications_of_which_some_fail_leave_no_gap():
    pks = [a_draft(make_client()) for _ in range(7)]
    late = [a_draft(make_client(), due=date(2026, 11, 19)) for _ in range(3)]

    outcomes = at_once(*(publish(pk) for pk in [*pks, *late]))

    assert len(failures(outcomes)) == 3
    assert all(isinstance(error, PortalError) for error in failures(outcomes))
    assert [number for number, _ in numbered()] == [f"INV-2026-{n:05d}" for n in range(1, 8)]
    assert Invoice.objects.filter(status="draft", number=None).count() == 3


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_fifty_proformas_paid_at_once_become_consecutive_invoices():
    BillingSettings.objects.create(pk=1, proforma=True)
    asked = [publish(a_draft(make_client()))() for _ in range(20)]

    outcomes = at_once(*(paying(invoice, utc(2026, 11, 25, 12)) for invoice in asked))

    assert failures(outcomes) == []
    assert [number for number, _ in numbered()] == [f"INV-2026-{n:05d}" for n in range(1, 21)]
    kept = Invoice.objects.order_by("proforma_number").values_list("proforma_number", flat=True)
    assert list(kept) == [f"PRO-2026-{n:05d}" for n in range(1, 21)]


# --- Days and years -----------------------------------------------------------------------


@pytest.mark.django_db
def test_whoever_read_the_clock_before_another_still_gets_no_earlier_day():
    with transaction.atomic():
        first = numbering.take_dated("INV", on=date(2026, 11, 21))
        second = numbering.take_dated("INV", on=date(2026, 11, 20))

    assert (list(first.numbers), first.date) == (["INV-2026-00001"], date(2026, 11, 21))
    assert (list(second.numbers), second.date) == (["INV-2026-00002"], date(2026, 11, 21))


@pytest.mark.django_db
def test_a_year_has_numbers_of_its_own_by_the_sellers_clock(settings):
    settings.SELLER_TIMEZONE = "Europe/Berlin"
    client = make_client()

    old = publish(a_draft(client), AT)()
    new = publish(a_draft(client), AT + timedelta(minutes=1))()

    assert (old.number, old.issue_date) == ("INV-2026-00001", date(2026, 12, 31))
    assert (new.number, new.issue_date) == ("INV-2027-00001", date(2027, 1, 1))


@pytest.mark.django_db
def test_issuing_costs_no_statement_more_for_its_day(django_assert_num_queries):
    with transaction.atomic():
        numbering.take_dated("INV", on=date(2026, 11, 20))

    with transaction.atomic(), django_assert_num_queries(2):
        numbering.take_dated("INV", on=date(2026, 11, 20), count=100)


# --- Proformas ----------------------------------------------------------------------------


def paying(invoice, at, amount=Decimal(10)):
    return lambda: record_payment(
        invoice_id=invoice.pk,
        gateway="bank_transfer",
        external_id=f"{invoice.pk}-{amount}",
        amount=amount,
        currency="EUR",
        received_at=at,
        at=at,
    )


@pytest.mark.django_db
def test_the_bill_run_asks_with_proformas_and_the_invoice_comes_with_the_money(settings):
    with fakes.installed(settings):
        BillingSettings.objects.create(pk=1, proforma=True)
        make_service(make_client(), recurring="30")

        [asked] = bill_run.bill_all(NOON).issued
        assert (asked.number, asked.document, asked.is_proforma) == (
            "PRO-2026-00001",
            "Proforma",
            True,
        )
        assert "Proforma PRO-2026-00001" in ClientMail.objects.get().email.subject
        paying(asked, utc(2026, 11, 22, 12), Decimal(10))()
        asked.refresh_from_db()
        assert (asked.number, asked.balance) == ("PRO-2026-00001", Decimal(20))
        paying(asked, utc(2026, 11, 25, 12), Decimal(20))()

    asked.refresh_from_db()
    assert (asked.number, asked.proforma_number, asked.document) == (
        "INV-2026-00001",
        "PRO-2026-00001",
        "Invoice",
    )
    assert (asked.issue_date, asked.status) == (date(2026, 11, 25), "paid")
    assert sorted(NumberSeries.objects.values_list("prefix", "next_number")) == [
        ("INV", 2),
        ("PRO", 2),
    ]


@pytest.mark.django_db
def test_what_costs_nothing_is_an_invoice_at_once_even_with_proformas():
    BillingSettings.objects.create(pk=1, proforma=True)

    free = publish(a_draft(make_client(), price="0"))()

    assert (free.number, free.is_proforma, free.status) == ("INV-2026-00001", False, "paid")


@pytest.mark.django_db
def test_a_proforma_that_fails_to_settle_takes_no_number():
    BillingSettings.objects.create(pk=1, proforma=True)
    asked = publish(a_draft(make_client()))()

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        paying(asked, NOON)()
        raise ZeroDivisionError

    assert not Invoice.objects.filter(Q(number__startswith="INV")).exists()
    paying(asked, NOON)()
    assert Invoice.objects.get().number == "INV-2026-00001"
