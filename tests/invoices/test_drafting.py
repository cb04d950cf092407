"""Invoices written by hand, from the draft to the published document."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import transaction

from billing_portal.audit.models import Entry
from billing_portal.invoices import drafting
from billing_portal.invoices.drafting import DraftContent, DraftRefused, ManualLine, NotADraft
from billing_portal.invoices.models import BillingSettings, Invoice, InvoiceLine, NumberSeries
from billing_portal.taxes.models import TaxRule, TaxSettings
from tests.factories import make_charge, make_client, make_invoice, make_service, utc

pytestmark = pytest.mark.django_db

AT = utc(2026, 11, 20, 12)
LATER = utc(2026, 12, 1, 12)


def line(description="Work", quantity="1", price="100", **fields):
    return ManualLine(description, Decimal(quantity), Decimal(price), **fields)


def content(*lines, due=date(2026, 12, 10), **fields):
    return DraftContent(lines or (line(),), due, **fields)


def write(client, *lines, **fields):
    return drafting.write(client, content(*lines, **fields), at=AT, actor=None)


def publish(draft, at=LATER):
    with transaction.atomic():
        return drafting.publish(draft.pk, at=at, actor=None)


@pytest.fixture
def vat(db):
    TaxSettings.objects.create(pk=1, enabled=True, seller_country="DE")
    TaxRule.objects.create(name="VAT", country="DE", percent=Decimal(19))


@pytest.fixture
def client(db):
    return make_client()


def test_a_draft_adds_up_and_has_no_number(client, vat):
    draft = write(client, line("Work", "2.5", "80"), line("Stamps", "1", "7.33", taxable=False))

    assert (draft.status, draft.number, str(draft)) == ("draft", None, f"Draft {draft.pk}")
    assert [(row.description, row.amount, row.tax_amount) for row in draft.lines.all()] == [
        ("Work", Decimal("200.00"), Decimal("38.00")),
        ("Stamps", Decimal("7.33"), Decimal("0.00")),
    ]
    assert (draft.net_total, draft.tax_total, draft.total) == (
        Decimal("207.33"),
        Decimal("38.00"),
        Decimal("245.33"),
    )
    assert not NumberSeries.objects.exists()


def test_a_draft_is_rewritten_as_a_whole(client):
    draft = write(client, line("Wrong"), line("Wronger"))

    drafting.rewrite(draft.pk, content(line("Right", "3", "5"), notes="Thanks"), at=AT, actor=None)

    draft.refresh_from_db()
    assert [row.description for row in draft.lines.all()] == ["Right"]
    assert (draft.total, draft.notes) == (Decimal("15.000"), "Thanks")


def test_publishing_gives_number_day_parties_and_taxes_of_that_day(client, vat):
    draft = write(client)
    client.company_name = "Acme Holding"
    client.save()
    TaxRule.objects.update(percent=Decimal(20))

    invoice = publish(draft)

    assert (invoice.number, invoice.issue_date, invoice.issued_at) == (
        "INV-2026-00001",
        date(2026, 12, 1),
        LATER,
    )
    assert (invoice.status, invoice.buyer["name"], invoice.total) == (
        "unpaid",
        "Acme Holding",
        Decimal("120.00"),
    )
    [row] = invoice.lines.all()
    assert (row.period_start, row.period_end) == (date(2026, 12, 1), date(2026, 12, 2))
    assert Entry.objects.latest("pk").summary == "Invoice published: INV-2026-00001 over €120.00"


def test_a_published_one_is_published_once(client):
    draft = write(client)
    publish(draft)

    with pytest.raises(NotADraft, match="INV-2026-00001 is published and cannot change any more"):
        publish(draft)

    assert NumberSeries.objects.get().next_number == 2


def test_a_published_one_is_neither_rewritten_nor_deleted(client):
    draft = write(client)
    publish(draft)

    for act in (
        lambda: drafting.rewrite(draft.pk, content(), at=AT, actor=None),
        lambda: drafting.delete(draft.pk, at=AT, actor=None),
    ):
        with pytest.raises(NotADraft, match="is published and cannot change any more"):
            act()

    assert Invoice.objects.get().total == Decimal("100.000")


def test_a_draft_is_thrown_away_without_a_trace_in_the_numbers(client):
    draft = write(client)

    drafting.delete(draft.pk, at=AT, actor=None)

    assert not Invoice.objects.exists() and not InvoiceLine.objects.exists()
    assert Entry.objects.latest("pk").action == "invoice.draft_deleted"
    assert publish(write(client)).number == "INV-2026-00001"


def test_a_day_due_before_the_day_of_issue_is_refused_and_takes_no_number(client):
    draft = write(client, due=date(2026, 11, 25))

    with pytest.raises(DraftRefused, match="due before it is issued"):
        publish(draft)

    assert publish(write(client)).number == "INV-2026-00001"


def test_one_over_nothing_is_paid_from_the_start_and_one_below_is_refused(client):
    free = publish(write(client, line(price="0")))

    assert (free.status, free.paid_at) == ("paid", LATER)
    with pytest.raises(DraftRefused, match="Write a credit note instead"):
        write(client, line(price="-1"))
    assert Invoice.objects.get() == free


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ((), "It has no lines. An invoice has at least one."),
        ((line("  "),), "Line 1 does not say what it is for."),
        (
            (line(), line(quantity="1000", price="1000000")),
            "Line 2 comes to €1,000,000,000.00. That is more than can be billed.",
        ),
    ],
)
def test_what_no_invoice_may_say_is_refused_with_a_sentence(client, lines, sentence):
    with pytest.raises(DraftRefused) as refusal:
        drafting.write(client, DraftContent(lines, date(2026, 12, 1)), at=AT, actor=None)

    assert str(refusal.value) == sentence
    assert not Invoice.objects.exists()


def test_a_copy_of_an_invoice_is_a_draft_that_bills_no_period(client):
    service = make_service(client)
    charge = make_charge(service, amount=Decimal("8.61"))
    original = make_invoice(client, charges=[charge], advance={service: "30.00"})

    copy = drafting.duplicate(original.pk, at=AT, actor=None)

    assert (copy.status, copy.total, copy.due_date) == (
        "draft",
        Decimal("38.61"),
        date(2026, 12, 4),
    )
    assert [(row.kind, row.charge_id, row.service_id) for row in copy.lines.all()] == [
        ("item", None, service.pk),
        ("item", None, service.pk),
    ]


def test_with_proformas_on_a_published_one_asks_with_a_proforma(client):
    BillingSettings.objects.create(pk=1, proforma=True)

    invoice = publish(write(client))

    assert (invoice.document, invoice.number) == ("Proforma", "PRO-2026-00001")
