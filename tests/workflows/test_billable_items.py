"""What staff charge by hand: with the next run, the next invoice, on days, again and again."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.billables import actions
from billing_portal.billables.actions import ItemRefused
from billing_portal.billables.models import BillableItem
from billing_portal.invoices.models import BillingSettings, Charge, Invoice
from billing_portal.workflows import bill_run, billable_items
from tests import fakes
from tests.factories import make_client, make_service, utc

pytestmark = pytest.mark.django_db

AT = utc(2026, 11, 20, 12)
Billing = BillableItem.Billing


@pytest.fixture
def client(settings):
    with fakes.installed(settings):
        yield make_client()


def item(client, billing=Billing.NEXT_RUN, **fields):
    values = {
        "client": client,
        "description": "Support",
        "quantity": Decimal("2.5"),
        "unit": "hours",
        "unit_price": Decimal(80),
        "billing": billing,
        "created_at": AT,
    }
    return actions.save(BillableItem(**values | fields), at=AT, actor=None)


def run(at=AT):
    """Totals of the invoices of a bill run."""
    report = bill_run.bill_all(at)
    assert report.parked == []
    return [f"{invoice.total:.2f}" for invoice in report.issued]


def lines():
    return [
        f"{line.description}: {line.amount:.2f}"
        for invoice in Invoice.objects.order_by("pk")
        for line in invoice.lines.order_by("position")
    ]


def test_an_item_for_the_next_run_is_billed_once(client):
    one = item(client)

    assert [run(), run()] == [["200.00"], []]

    one.refresh_from_db()
    assert (one.times_billed, one.closed_at) == (1, AT)
    [line] = Invoice.objects.get().lines.all()
    assert (line.kind, line.quantity, line.unit, line.unit_price) == (
        "item",
        Decimal("2.5"),
        "hours",
        Decimal(80),
    )
    assert Charge.objects.get().key == f"item:{one.pk}:1"


def test_what_is_not_to_be_billed_yet_waits(client):
    item(client, Billing.NOT_YET)

    assert run() == []
    assert not Charge.objects.exists()


def test_an_item_for_the_next_invoice_asks_for_none_by_itself(client):
    item(client, Billing.NEXT_INVOICE)

    assert [run(), run(utc(2026, 11, 21, 12))] == [[], []]
    make_service(
        client, recurring="30", anchor_date=date(2026, 11, 22), billed_until=date(2026, 11, 22)
    )

    assert run(utc(2026, 11, 22, 12)) == ["230.00"]
    assert lines() == ["Box, size 5: 30.00", "Support: 200.00"]


def test_it_joins_the_next_invoice_of_a_client_who_wants_separate_ones(client):
    client.separate_invoices = True
    client.save()
    item(client, Billing.NEXT_INVOICE)
    for _ in range(2):
        make_service(
            client, recurring="30", anchor_date=date(2026, 11, 20), billed_until=date(2026, 11, 20)
        )

    assert sorted(run()) == ["230.00", "30.00"]


def test_an_item_for_a_day_is_billed_on_that_day_or_as_early_as_periods(client):
    item(client, Billing.ON_DAY, due_date=date(2026, 11, 25))

    assert [run(utc(2026, 11, 24, 12)), run(utc(2026, 11, 25, 12))] == [[], ["200.00"]]

    BillingSettings.objects.create(pk=1, lead_days=10)
    item(client, Billing.ON_DAY, due_date=date(2026, 12, 10))
    assert [run(utc(2026, 11, 29, 12)), run(utc(2026, 11, 30, 12))] == [[], ["200.00"]]


def test_a_recurring_item_keeps_its_day_of_the_month_and_ends(client):
    one = item(client, Billing.RECURRING, due_date=date(2027, 1, 31), times_limit=3)

    billed = {}
    for day in (
        date(2027, 1, 30),
        date(2027, 1, 31),
        date(2027, 2, 27),
        date(2027, 2, 28),
        date(2027, 3, 30),
        date(2027, 3, 31),
        date(2027, 4, 30),
    ):
        billed[day.isoformat()] = run(utc(day.year, day.month, day.day, 12))

    assert [day for day, totals in billed.items() if totals] == [
        "2027-01-31",
        "2027-02-28",
        "2027-03-31",
    ]
    one.refresh_from_db()
    assert (one.times_billed, one.closed_at) == (3, utc(2027, 3, 31, 12))
    assert lines()[0] == "Support (Jan 31, 2027): 200.00"


def test_a_run_that_comes_late_bills_every_missed_turn(client):
    item(client, Billing.RECURRING, due_date=date(2026, 11, 1), every=2, every_unit="weeks")

    assert run(utc(2026, 12, 1, 12)) == ["600.00"]
    assert lines() == [
        "Support (Nov 1, 2026): 200.00",
        "Support (Nov 15, 2026): 200.00",
        "Support (Nov 29, 2026): 200.00",
    ]


def test_a_closed_item_is_charged_no_more(client):
    one = item(client, Billing.RECURRING, due_date=date(2026, 11, 1))
    run()

    actions.close(one.pk, at=AT, actor=None)

    assert run(utc(2027, 6, 1, 12)) == []


def test_the_preview_shows_it_and_leaves_no_trace(client):
    one = item(client)

    [draft] = bill_run.preview_client(client.pk, AT)

    assert draft.total == Decimal("200.00")
    one.refresh_from_db()
    assert (one.times_billed, Charge.objects.count()) == (0, 0)


def test_chosen_items_are_invoiced_now_one_invoice_for_each_client(client):
    other = make_client()
    now = [
        item(client, Billing.NOT_YET),
        item(client, Billing.RECURRING, due_date=date(2027, 1, 1)),
        item(other, Billing.NEXT_INVOICE),
    ]

    issued = billable_items.invoice_now([one.pk for one in now], at=AT, actor=None)

    assert [(i.client_id, f"{i.total:.2f}") for i in issued] == [
        (client.pk, "400.00"),
        (other.pk, "200.00"),
    ]
    closed = [BillableItem.objects.get(pk=one.pk).closed_at is not None for one in now]
    assert closed == [True, False, True]
    with pytest.raises(ItemRefused, match="Support is closed"):
        billable_items.invoice_now([now[0].pk], at=AT, actor=None)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"description": " "}, "Say what it is for."),
        ({"billing": Billing.ON_DAY}, "Say on which day it is due first."),
        ({"quantity": Decimal(0)}, "Quantity and price cannot be zero."),
        ({"unit_price": Decimal(10**9)}, "That is more than can be billed."),
        ({"times_limit": 0}, "It is charged at least once; leave it empty for ever."),
        ({"every": 0}, "It recurs every 1 or more"),
    ],
)
def test_what_cannot_be_billed_is_refused(client, fields, sentence):
    with pytest.raises(ItemRefused, match=sentence):
        item(client, **fields)

    assert not BillableItem.objects.exists()


def test_a_service_of_another_client_is_refused(client):
    with pytest.raises(ItemRefused, match="belongs to another client"):
        item(client, service=make_service(make_client()))


def test_what_was_charged_is_not_changed(client):
    one = item(client, Billing.RECURRING, due_date=date(2026, 11, 1))
    run()
    one.refresh_from_db()
    one.unit_price = Decimal(1)

    with pytest.raises(ItemRefused, match="was charged already"):
        actions.save(one, at=AT, actor=None)


def test_any_number_of_items_costs_the_same_statements(client, django_assert_max_num_queries):
    rules = BillingSettings(pk=1)
    today = date(2026, 11, 20)
    for _ in range(30):
        item(client)

    with django_assert_max_num_queries(6):
        billable_items.charge_due([client.pk], rules, today=today, at=AT)
    assert Charge.objects.count() == 30
    with django_assert_max_num_queries(1):
        billable_items.charge_due([client.pk], rules, today=today, at=AT)
