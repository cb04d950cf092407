"""Credit notes: what they take back, what is left to pay, and where paid money goes."""

from decimal import Decimal
from functools import partial

import pytest

from billing_portal.audit.models import Entry
from billing_portal.calc.crediting import NotCreditable
from billing_portal.invoices import crediting
from billing_portal.invoices.crediting import CreditNoteRefused
from billing_portal.invoices.models import Charge, CreditNote, Invoice, NumberSeries
from billing_portal.invoices.queries import open_charges
from billing_portal.mail.models import ClientMail
from billing_portal.workflows.client_credit import add_credit
from tests.factories import AT, make_charge, make_invoice, make_product, make_server, make_service
from tests.workflows.money import bill, correct, ledger, paid_bill, standing, taxed_bill
from tests.workflows.paying import jobs, make_order, pay

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendor(vendor):
    make_server()


def by_line(invoice, *amounts):
    lines = invoice.lines.order_by("position")
    wanted = {line.pk: Decimal(a) for line, a in zip(lines, amounts, strict=True)}
    return partial(crediting.correct_lines, amounts=wanted)


def test_a_part_of_an_open_invoice_lowers_what_is_owed():
    invoice = bill("30.00")

    note = correct(invoice, "10.00")

    assert (note.number, note.total, note.applied_amount) == ("CN-2026-00001", 10, 10)
    assert standing(invoice) == ("unpaid", "20.00", "0.00")
    assert ledger(invoice.client) == []
    mail = ClientMail.objects.get(key=f"credit_note_issued:{note.pk}").email
    assert mail.message.split("\n\n")[1:3] == [
        f"we have corrected your invoice {invoice.number} by €10.00 with the credit note "
        "CN-2026-00001: a mistake",
        "€20.00 of the invoice are left to pay.",
    ]
    entry = Entry.objects.get(action="invoice.credited")
    assert entry.summary == f"{invoice.number} corrected by €10.00 with CN-2026-00001: a mistake"


def test_an_open_invoice_credited_whole_is_cancelled():
    invoice = bill("30.00")

    correct(invoice)

    assert standing(invoice) == ("cancelled", "0.00", "0.00")
    assert list(invoice.lines.values_list("billed", flat=True)) == [False]


def test_a_paid_invoice_credited_whole_is_refunded_and_the_money_is_credit():
    invoice = paid_bill("30.00")

    note = correct(invoice)

    assert (note.total, note.applied_amount) == (30, 0)
    assert standing(invoice) == ("refunded", "0.00", "30.00")
    assert ledger(invoice.client) == [("credit_note", "30.00")]


def test_what_is_owed_goes_first_and_only_the_rest_is_credit():
    invoice = bill("30.00")
    pay(invoice, "20.00")

    note = correct(invoice, "25.00")

    assert (note.total, note.applied_amount) == (25, 10)
    assert standing(invoice) == ("paid", "0.00", "15.00")


def test_the_part_that_settles_an_order_starts_what_it_bought():
    invoice = make_order(make_product(recurring="30.00")).invoice
    pay(invoice, "20.00")
    assert jobs() == []

    correct(invoice, "10.00")

    assert standing(invoice) == ("paid", "0.00", "0.00")
    assert len(jobs()) == 1


def test_an_order_credited_whole_starts_nothing():
    invoice = make_order(make_product(recurring="30.00")).invoice

    correct(invoice)

    assert (standing(invoice)[0], jobs()) == ("cancelled", [])


def test_credit_that_paid_an_invoice_comes_back_when_it_is_corrected():
    invoice = bill("30.00")
    add_credit(invoice.client_id, Decimal("5.00"), reason="x", request_key="x", at=AT, actor=None)
    order = make_order(make_product(recurring="5.00", module_key=""), client=invoice.client)

    correct(order.invoice)

    assert standing(order.invoice) == ("refunded", "0.00", "5.00")
    assert ledger(invoice.client) == [
        ("grant", "5.00"),
        ("applied", "-5.00"),
        ("credit_note", "5.00"),
    ]


def test_the_tax_goes_back_in_proportion_and_adds_up_over_all_notes():
    invoice = taxed_bill()

    first = correct(invoice, by_line(invoice, "10.00", "40.00"), key="one")
    second = correct(invoice, key="two")

    assert [(n.net_total, n.tax_total, n.total) for n in (first, second)] == [
        (Decimal("50.00"), Decimal("9.50"), Decimal("59.50")),
        (Decimal("50.00"), Decimal("9.50"), Decimal("59.50")),
    ]
    assert [(line.amount, line.tax_amount) for line in first.lines.all()] == [
        (Decimal("10.00"), Decimal("1.90")),
        (Decimal("40.00"), Decimal("7.60")),
    ]
    assert first.taxes == [
        {"name": "VAT", "percent": "19.00", "category": "S", "base": "50.00", "amount": "9.50"}
    ]
    assert [line.description for line in second.lines.all()] == ["Box in advance"]
    assert (first.seller, first.buyer) == (invoice.seller, invoice.buyer)
    assert standing(invoice)[0] == "cancelled"


def test_no_line_is_credited_beyond_what_it_has_left():
    invoice = taxed_bill()
    correct(invoice, by_line(invoice, "50.00", "0"), key="one")

    with pytest.raises(NotCreditable, match=r"Only 10\.000? of a line of 60\.000? are left"):
        correct(invoice, by_line(invoice, "10.01", "0"), key="two")

    assert CreditNote.objects.count() == 1
    assert NumberSeries.objects.get(prefix="CN").next_number == 2


def test_the_same_wish_makes_one_note():
    invoice = bill("30.00")

    assert correct(invoice, "10.00") == correct(invoice, "10.00")

    assert standing(invoice) == ("unpaid", "20.00", "0.00")


def test_usage_that_was_credited_is_not_billed_again():
    service = make_service()
    charge = make_charge(service)
    invoice = make_invoice(service.client, charges=[charge])

    correct(invoice)

    assert standing(invoice)[0] == "cancelled"
    assert Charge.objects.get().line.invoice == invoice
    assert open_charges({service.client_id: "EUR"}) == {service.client_id: []}


@pytest.mark.parametrize("status", ["draft", "cancelled", "refunded"])
def test_what_is_not_owed_or_paid_is_not_corrected(status):
    invoice = bill("30.00")
    Invoice.objects.filter(pk=invoice.pk).update(status=status)

    with pytest.raises(CreditNoteRefused, match="so there is nothing to correct"):
        correct(invoice)

    assert not CreditNote.objects.exists()


def test_a_line_of_another_invoice_is_refused():
    invoice, other = bill("30.00"), bill("30.00")

    with pytest.raises(CreditNoteRefused, match="has no line"):
        correct(invoice, by_line(other, "1.00"))


def test_a_note_over_nothing_is_refused():
    invoice = bill("30.00")

    with pytest.raises(NotCreditable, match="A credit note is over more than zero"):
        correct(invoice, by_line(invoice, "0"))
