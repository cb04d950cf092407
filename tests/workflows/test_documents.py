"""Publishing with credit and mail; splitting and merging drafts and issued documents."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.audit.models import Entry
from billing_portal.invoices import drafting
from billing_portal.invoices.drafting import DraftContent, ManualLine
from billing_portal.invoices.models import BillingSettings, Charge, Invoice
from billing_portal.mail.models import ClientMail
from billing_portal.orders.models import Order
from billing_portal.workflows import client_credit, documents
from billing_portal.workflows.documents import LinesNotMovable
from billing_portal.workflows.invoice_paid import record_payment
from tests.factories import make_charge, make_client, make_invoice, make_service, utc

pytestmark = pytest.mark.django_db

AT = utc(2026, 12, 2, 12)
TERMS = {"at": AT, "actor": None}


@pytest.fixture
def client(db):
    return make_client()


def draft(client, **prices):
    lines = [ManualLine(name, Decimal(1), Decimal(price)) for name, price in prices.items()]
    return drafting.write(client, DraftContent(lines, date(2026, 12, 16)), **TERMS)


def said(invoice):
    rows = invoice.lines.order_by("position")
    return [f"{row.description} {row.amount:.2f}" for row in rows]


def line_ids(invoice, *names):
    return list(invoice.lines.filter(description__in=names).values_list("pk", flat=True))


def mails():
    return list(ClientMail.objects.values_list("template", flat=True))


# --- Publishing ---------------------------------------------------------------------------


def test_a_draft_is_published_with_or_without_a_mail(client):
    documents.publish(draft(client, Work="10").pk, mail=False, **TERMS)
    assert mails() == []

    documents.publish(draft(client, Work="10").pk, mail=True, **TERMS)
    assert mails() == ["invoice_issued"]


def test_credit_pays_what_is_published(client):
    client_credit.add_credit(client.pk, Decimal(15), reason="gift", request_key="k", **TERMS)

    first = documents.publish(draft(client, Work="10").pk, mail=False, **TERMS)
    second = documents.publish(draft(client, Work="10").pk, mail=False, **TERMS)

    assert (first.status, first.balance) == ("paid", Decimal(0))
    assert (second.status, second.credit_applied, second.balance) == (
        "unpaid",
        Decimal("5.00"),
        Decimal("5.00"),
    )


# --- Drafts -------------------------------------------------------------------------------


def test_lines_of_a_draft_are_split_off_to_another_draft(client):
    first = draft(client, Work="10", Parts="20", Travel="5")

    kept, moved = documents.split(first.pk, line_ids(first, "Work", "Travel"), **TERMS)

    assert (kept.pk, said(kept), kept.total) == (first.pk, ["Parts 20.00"], Decimal("20.00"))
    assert (said(moved), moved.total) == (["Work 10.00", "Travel 5.00"], Decimal("15.00"))
    assert {kept.status, moved.status} == {"draft"}


def test_drafts_are_merged_into_the_oldest(client):
    first, second = draft(client, Work="10"), draft(client, Parts="20")

    merged = documents.merge([second.pk, first.pk], **TERMS)

    assert (merged.pk, said(merged)) == (first.pk, ["Work 10.00", "Parts 20.00"])
    assert list(Invoice.objects.values_list("pk", flat=True)) == [first.pk]


@pytest.mark.parametrize("chosen", [(), ("Work", "Parts")])
def test_a_split_moves_some_lines_and_leaves_some(client, chosen):
    first = draft(client, Work="10", Parts="20")

    with pytest.raises(LinesNotMovable, match="Choose some of the lines"):
        documents.split(first.pk, line_ids(first, *chosen), **TERMS)

    assert said(first) == ["Work 10.00", "Parts 20.00"]


# --- Issued documents ---------------------------------------------------------------------


def test_an_issued_invoice_is_split_by_cancelling_it_and_issuing_two(client):
    service = make_service(client)
    charge = make_charge(service, amount=Decimal("8.61"))
    original = make_invoice(client, charges=[charge], advance={service: "30.00"}, number="INV-X")
    usage = original.lines.get(charge=charge)

    rest, moved = documents.split(original.pk, [usage.pk], **TERMS)

    original.refresh_from_db()
    assert (original.status, original.number, original.total) == (
        "cancelled",
        "INV-X",
        Decimal("38.610"),
    )
    assert original.lines.count() == 2
    assert [(i.number, i.status, i.total, i.notes) for i in (rest, moved)] == [
        ("INV-2026-00001", "unpaid", Decimal("30.00"), "Replaces INV-X."),
        ("INV-2026-00002", "unpaid", Decimal("8.61"), "Replaces INV-X."),
    ]
    assert Charge.objects.get().line.invoice == moved
    assert Entry.objects.filter(action="invoice.rearranged").get().summary == (
        "INV-X cancelled and issued anew as INV-2026-00001, INV-2026-00002"
    )


def test_issued_invoices_are_merged_to_a_new_one_and_keep_their_numbers(client):
    services = [make_service(client), make_service(client)]
    two = [make_invoice(client, advance={s: "10.00"}, number=f"INV-{s.pk}") for s in services]

    merged = documents.merge([invoice.pk for invoice in two], **TERMS)

    assert (merged.number, merged.total, merged.lines.count()) == (
        "INV-2026-00001",
        Decimal("20.00"),
        2,
    )
    assert [(i.number, i.status) for i in Invoice.objects.filter(status="cancelled")] == [
        (f"INV-{services[1].pk}", "cancelled"),
        (f"INV-{services[0].pk}", "cancelled"),
    ]
    assert merged.lines.filter(billed=True).count() == 2


def test_what_is_paid_ordered_or_of_others_is_left_alone(client):
    paid = make_invoice(client, advance={make_service(client): "9.00"}, paid_amount=Decimal(1))
    ordered = make_invoice(client, advance={make_service(client): "9.00"})
    Order.objects.create(
        client=client, number="1", invoice=ordered, placed_at=AT, currency="EUR", total=9
    )
    plain = make_invoice(client, advance={make_service(client): "9.00"})
    other = make_client()
    foreign = make_invoice(other, advance={make_service(other): "9.00"})

    for pair, sentence in (
        ((plain, paid), "is paid or credited in part"),
        ((plain, ordered), "belongs to an order"),
        ((plain, foreign), "They belong to different clients."),
        ((plain, draft(client, Work="1")), "A draft and an issued document cannot be merged"),
    ):
        with pytest.raises(LinesNotMovable, match=sentence):
            documents.merge([invoice.pk for invoice in pair], **TERMS)

    assert not Invoice.objects.filter(status="cancelled").exists()


def test_a_discount_is_not_split_off_alone(client):
    original = documents.publish(draft(client, Work="10", Rebate="-2").pk, mail=False, **TERMS)

    with pytest.raises(Exception, match="less than zero"):
        documents.split(original.pk, line_ids(original, "Rebate"), **TERMS)

    original.refresh_from_db()
    assert original.status == "unpaid"


# --- Proformas ----------------------------------------------------------------------------


def test_proformas_are_merged_under_a_new_number_and_become_an_invoice_when_paid(client):
    BillingSettings.objects.create(pk=1, proforma=True)
    two = [documents.publish(draft(client, Work="10").pk, mail=False, **TERMS).pk for _ in range(2)]

    merged = documents.merge(two, **TERMS)
    assert (merged.number, merged.is_proforma) == ("PRO-2026-00003", True)
    record_payment(
        invoice_id=merged.pk,
        gateway="bank_transfer",
        external_id="r",
        amount=Decimal(20),
        currency="EUR",
        received_at=utc(2026, 12, 9, 12),
        at=utc(2026, 12, 9, 12),
    )

    merged.refresh_from_db()
    assert (merged.number, merged.proforma_number, merged.status) == (
        "INV-2026-00001",
        "PRO-2026-00003",
        "paid",
    )
    assert (merged.issue_date, merged.is_proforma) == (date(2026, 12, 9), False)
