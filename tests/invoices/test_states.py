"""Which state an invoice may go to, what never changes, and what no client sees of a draft."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from billing_portal.audit.models import Entry
from billing_portal.invoices import moving, queries
from billing_portal.invoices.guard import IssuedNeverChanges
from billing_portal.invoices.models import Invoice, InvoiceLine
from billing_portal.invoices.moving import InvoiceNotMovable
from billing_portal.invoices.states import BY_HAND, TRANSITIONS, InvoiceStatus
from tests.factories import make_client, make_invoice, make_service, utc

pytestmark = pytest.mark.django_db

AT = utc(2026, 12, 2, 12)


def an_invoice(**fields):
    client = make_client()
    return make_invoice(client, advance={make_service(client): "30.00"}, **fields)


# --- Moving -------------------------------------------------------------------------------


def test_the_table_names_every_state_and_nothing_comes_back_to_a_draft():
    assert set(TRANSITIONS) == set(InvoiceStatus)
    assert all(InvoiceStatus.DRAFT not in after for after in TRANSITIONS.values())
    assert TRANSITIONS[InvoiceStatus.CANCELLED] == frozenset()


@pytest.mark.parametrize("status", [s for s in InvoiceStatus if s != "draft"])
@pytest.mark.parametrize("to", list(InvoiceStatus))
def test_only_the_steps_of_the_table_are_taken(status, to):
    invoice = an_invoice(status=status)

    with transaction.atomic():
        if to == status or to in TRANSITIONS[status]:
            moving.move(invoice, to, at=AT)
            expected = to
        else:
            with pytest.raises(InvoiceNotMovable, match=f"cannot become {to.label.lower()}"):
                moving.move(invoice, to, at=AT)
            expected = status

    invoice.refresh_from_db()
    assert invoice.status == expected


def test_paying_notes_when_and_opening_again_forgets_it():
    invoice = an_invoice()

    with transaction.atomic():
        moving.move(invoice, InvoiceStatus.PAID, at=AT)
    assert Invoice.objects.get().paid_at == AT
    with transaction.atomic():
        moving.move(invoice, InvoiceStatus.COLLECTIONS, at=AT)

    assert Invoice.objects.get().paid_at is None


def test_staff_mark_what_is_owed_with_a_reason():
    invoice = an_invoice(number="INV-9")

    moving.mark(invoice.pk, InvoiceStatus.COLLECTIONS, reason="Lawyer", at=AT, actor=None)

    assert Entry.objects.get().summary == "Invoice INV-9 is now collections: Lawyer"
    for status in set(InvoiceStatus) - set(BY_HAND):
        with pytest.raises(InvoiceNotMovable, match="only by itself"):
            moving.mark(invoice.pk, status, reason="", at=AT, actor=None)


def test_a_paid_invoice_is_not_marked_by_hand():
    invoice = an_invoice(status="paid", number="INV-9")

    with pytest.raises(InvoiceNotMovable, match="INV-9 is paid"):
        moving.mark(invoice.pk, InvoiceStatus.UNPAID, reason="", at=AT, actor=None)


# --- What never changes -------------------------------------------------------------------

FIXED = {
    "number": "INV-2",
    "issue_date": date(2026, 1, 1),
    "due_date": date(2026, 1, 1),
    "total": Decimal("1.00"),
    "buyer": {"name": "Somebody else"},
    "notes": "Changed",
    "currency": "USD",
}


@pytest.mark.parametrize(("column", "value"), FIXED.items())
@pytest.mark.parametrize("status", ["unpaid", "paid", "cancelled"])
def test_no_column_of_an_issued_invoice_changes(column, value, status):
    invoice = an_invoice(number="INV-1", status=status)
    before = Invoice.objects.values().get()
    sentence = f"INV-1 was issued, so its {column.replace('_', ' ')} cannot change."

    setattr(invoice, column, value)
    for attempt in (
        invoice.save,
        lambda: invoice.save(update_fields=[column]),
        lambda: Invoice.objects.filter(pk=invoice.pk).update(**{column: value}),
        lambda: Invoice.objects.bulk_update([invoice], [column]),
    ):
        with pytest.raises(IssuedNeverChanges, match=sentence), transaction.atomic():
            attempt()

    assert Invoice.objects.values().get() == before


def test_neither_the_invoice_nor_a_line_is_deleted():
    invoice = an_invoice(number="INV-1")
    line = invoice.lines.get()

    for attempt in (
        invoice.delete,
        line.delete,
        Invoice.objects.all().delete,
        invoice.lines.all().delete,
    ):
        with pytest.raises(IssuedNeverChanges, match="was issued and is never deleted"):
            attempt()

    assert (Invoice.objects.count(), InvoiceLine.objects.count()) == (1, 1)


def test_no_line_changes():
    line = an_invoice().lines.get()

    line.amount = Decimal("1.00")
    for attempt in (line.save, lambda: InvoiceLine.objects.update(amount=1)):
        with pytest.raises(IssuedNeverChanges, match="its amount cannot change"):
            attempt()

    assert InvoiceLine.objects.get().amount == Decimal("30.00")


def test_what_is_paid_and_what_staff_note_may_change():
    invoice = an_invoice()

    invoice.paid_amount, invoice.staff_notes = Decimal(1), "Called"
    invoice.save()
    Invoice.objects.update(status="paid")

    stored = Invoice.objects.get()
    assert (stored.paid_amount, stored.staff_notes, stored.status) == (Decimal(1), "Called", "paid")


def test_asking_for_the_allowed_columns_costs_no_further_statement(django_assert_num_queries):
    invoice = an_invoice()

    with django_assert_num_queries(1):
        invoice.save(update_fields=["status", "paid_at"])
    with django_assert_num_queries(1):
        Invoice.objects.filter(pk=invoice.pk).update(status="paid")


@pytest.mark.postgres
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE invoices_invoice SET total = 1",
        "UPDATE invoices_invoice SET due_date = '2026-01-01'",
        "DELETE FROM invoices_invoice",
        "UPDATE invoices_invoiceline SET amount = 1",
        "DELETE FROM invoices_invoiceline",
    ],
)
def test_the_database_itself_refuses(sql):
    an_invoice(number="INV-1")

    with (
        pytest.raises(DatabaseError, match="invoice INV-1 was issued and"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)

    assert Invoice.objects.get().total == Decimal("30.00")


@pytest.mark.postgres
def test_the_database_lets_money_and_drafts_through():
    an_invoice()
    an_invoice(status="draft", number=None)

    with connection.cursor() as cursor:
        cursor.execute("UPDATE invoices_invoice SET paid_amount = 1")
        cursor.execute("UPDATE invoices_invoiceline SET billed = false")
        cursor.execute("UPDATE invoices_invoice SET total = 31 WHERE status = 'draft'")

    assert sorted(Invoice.objects.values_list("status", "total")) == [
        ("draft", Decimal("31.000")),
        ("unpaid", Decimal("30.000")),
    ]


# --- Drafts ------------------------------------------------------------------------------


def test_nothing_a_client_reads_has_drafts_in_it():
    client = make_client()
    service = make_service(client)
    other = make_service(client)
    make_invoice(client, advance={other: "9.00"}, status="draft", number=None)
    shown = make_invoice(client, advance={service: "30.00"}, due_date=date(2026, 12, 15))

    assert list(queries.published()) == [shown]
    assert list(queries.invoices_of(client.pk)) == [shown]
    assert list(queries.unpaid_of(client.pk)) == [shown]
    assert list(queries.overdue(date(2027, 1, 1))) == [shown]
    assert queries.open_balance(client.pk) == Decimal("30.00")


def test_what_is_in_collections_or_pending_is_owed_and_what_is_over_is_not():
    client = make_client()
    for status in InvoiceStatus:
        make_invoice(client, advance={make_service(client): "1.00"}, status=status)

    owed = [invoice.status for invoice in queries.unpaid_of(client.pk)]

    assert sorted(owed) == ["collections", "pending", "unpaid"]
    assert queries.open_balance(client.pk) == Decimal("3.00")
