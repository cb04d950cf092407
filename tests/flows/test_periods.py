"""From the order to the third invoice: anchors, stubs, lead days, and which day counts."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing_portal.calc.periods import local_midnight
from billing_portal.invoices.models import BillingSettings, Invoice
from billing_portal.products.models import Addon
from billing_portal.services.models import Service
from billing_portal.workflows.place_order import AddonRequest, OrderRequest, place_order
from tests.factories import make_client, utc
from tests.flows.orders import DAY, box, issued, next_due, order, pay, rented, run_days, set_rules
from tests.workflows.billing import lines

pytestmark = pytest.mark.django_db

JAN_31 = utc(2026, 1, 31, 12)


# --- Scenario 1: the 31st, and lead days ----------------------------------------------------


def test_ordered_on_31_january_the_renewal_comes_on_14_february_for_28_february_to_30_march():
    set_rules()
    first = order(box(), at=JAN_31)
    pay(first, at=JAN_31)

    assert lines(first) == [
        ("setup", "2026-01-31", "2026-01-31", "10.00"),
        ("recurring", "2026-01-31", "2026-02-28", "30.00"),
    ]
    assert (f"{first.total:.2f}", Service.objects.get().status) == ("40.00", "active")
    assert next_due() == "2026-02-28"

    run_days(date(2026, 2, 1), date(2026, 2, 27))

    renewal = Invoice.objects.order_by("pk").last()
    assert lines(renewal) == [("recurring", "2026-02-28", "2026-03-31", "30.00")]
    assert next_due() == "2026-03-31"

    run_days(date(2026, 2, 28), date(2026, 5, 1))

    assert issued() == [
        ("2026-01-31", "2026-01-31", "40.00"),
        ("2026-02-14", "2026-02-28", "30.00"),
        ("2026-03-17", "2026-03-31", "30.00"),
        ("2026-04-16", "2026-04-30", "30.00"),
    ]


def test_a_cycle_has_lead_days_of_its_own():
    set_rules(lead_days=14, lead_days_by_cycle={"monthly": 7, "annual": 30})
    client = make_client()
    rented(client, recurring="30", anchor_date=date(2026, 1, 31), billed_until=date(2026, 2, 28))
    rented(
        client,
        cycle="annual",
        recurring="300",
        anchor_date=date(2025, 3, 15),
        billed_until=date(2026, 3, 15),
    )
    rented(
        client,
        cycle="quarterly",
        recurring="90",
        anchor_date=date(2025, 12, 1),
        billed_until=date(2026, 3, 1),
    )

    run_days(date(2026, 2, 1), date(2026, 2, 25))

    assert issued() == [
        ("2026-02-13", "2026-03-15", "300.00"),
        ("2026-02-15", "2026-03-01", "90.00"),
        ("2026-02-21", "2026-02-28", "30.00"),
    ]


# --- Scenario 2: which day the first period begins -------------------------------------------


def test_paid_five_days_late_the_period_begins_with_the_order_by_policy_order():
    set_rules(start_policy=BillingSettings.StartPolicy.ORDER)

    pay(order(box(), at=JAN_31), at=utc(2026, 2, 5, 9))

    assert next_due() == "2026-02-28"


def test_paid_five_days_late_the_period_begins_with_the_payment_by_policy_activation():
    set_rules(start_policy=BillingSettings.StartPolicy.ACTIVATION)
    first = order(box(), at=JAN_31)

    pay(first, at=utc(2026, 2, 5, 9))
    run_days(date(2026, 2, 5), date(2026, 3, 25))

    service = Service.objects.get()
    assert (service.anchor_date, service.usage_counted_from) == (date(2026, 2, 5),) * 2
    assert [line.description for line in first.lines.order_by("position")] == [
        "Box: set-up",
        "Box, from the day of payment",
    ]
    assert [lines(invoice) for invoice in Invoice.objects.order_by("pk")[1:]] == [
        [("recurring", "2026-03-05", "2026-04-05", "30.00")],
        [("recurring", "2026-04-05", "2026-05-05", "30.00")],
    ]


@pytest.mark.parametrize("fields", [{"set_up": "on_order"}, {"prorata_day": 1}])
def test_what_started_with_the_order_or_has_a_fixed_day_is_not_moved_by_a_late_payment(fields):
    set_rules(start_policy=BillingSettings.StartPolicy.ACTIVATION)
    first = order(box(**fields), at=JAN_31)
    before = next_due()

    pay(first, at=utc(2026, 2, 5, 9))

    assert next_due() == before
    assert "from the day of payment" not in first.lines.get(kind="recurring").description


def test_a_trial_that_begins_with_the_payment_ends_as_much_later():
    set_rules(start_policy=BillingSettings.StartPolicy.ACTIVATION)
    first = order(box(term_days=14), at=JAN_31)
    assert Service.objects.get().ends_on == date(2026, 2, 14)

    pay(first, at=utc(2026, 2, 5, 9))

    assert Service.objects.get().ends_on == date(2026, 2, 19)


def test_an_add_on_ordered_with_it_begins_with_the_payment_too():
    set_rules(start_policy=BillingSettings.StartPolicy.ACTIVATION)
    product = box(setup_fee="0")
    addon = Addon.objects.create(name="Mail", slug="mail")
    addon.products.add(product)
    addon.prices.create(currency="EUR", cycle="monthly", recurring=Decimal(5))
    placed = place_order(
        client=make_client(),
        placed_by=None,
        items=[OrderRequest(product.pk, "monthly", "", {}, addons=[AddonRequest(addon.pk)])],
        payment_method="bank_transfer",
        submission_key="a",
        at=JAN_31,
    )
    assert placed.invoice is not None

    pay(placed.invoice, at=utc(2026, 2, 5, 9))
    run_days(date(2026, 2, 5), date(2026, 2, 25))

    assert [line.description for line in placed.invoice.lines.order_by("position")] == [
        "Box, from the day of payment",
        "Mail for Box, from the day of payment",
    ]
    assert lines(Invoice.objects.order_by("pk").last()) == [
        ("recurring", "2026-03-05", "2026-04-05", "30.00"),
        ("recurring", "2026-03-05", "2026-04-05", "5.00"),
    ]


# --- Scenario 3: what shares an invoice ------------------------------------------------------


def test_two_services_due_on_one_day_share_an_invoice():
    set_rules()
    client = make_client()
    for _ in range(2):
        rented(client, recurring="30", anchor_date=date(2026, 3, 1))

    run_days(date(2026, 2, 1), date(2026, 2, 20))

    assert issued() == [("2026-02-15", "2026-03-01", "60.00")]


@pytest.mark.parametrize("wanted_by", ["client", "group"])
def test_whoever_wants_separate_invoices_gets_two(wanted_by):
    set_rules()
    client = make_client(separate_invoices=wanted_by == "client")
    if wanted_by == "group":
        client.group = client._meta.get_field("group").related_model.objects.create(
            name="Resellers", separate_invoices=True
        )
        client.save()
    for _ in range(2):
        rented(client, recurring="30", anchor_date=date(2026, 3, 1))

    run_days(date(2026, 2, 1), date(2026, 2, 20))

    assert issued() == [("2026-02-15", "2026-03-01", "30.00")] * 2


@pytest.mark.parametrize(
    "other", [{"anchor_date": date(2026, 3, 2)}, {"payment_method": "bank_transfer"}]
)
def test_another_due_day_or_way_to_pay_is_another_invoice(other):
    set_rules()
    client = make_client()
    rented(client, recurring="30", anchor_date=date(2026, 3, 1))
    rented(client, recurring="30", **{"anchor_date": date(2026, 3, 1)} | other)

    run_days(date(2026, 2, 1), date(2026, 2, 20))

    assert [total for _, _, total in issued()] == ["30.00", "30.00"]


# --- Scenario 7: prorata ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "fields", "recurring", "charged", "next_due_day"),
    [
        ((2026, 3, 1), (1, 20), "30.00", ["30.00"], "2026-04-01"),
        ((2026, 3, 10), (1, 20), "30.00", ["21.29"], "2026-04-01"),
        ((2026, 3, 19), (1, 20), "30.00", ["12.58"], "2026-04-01"),
        ((2026, 3, 20), (1, 20), "30.00", ["11.61", "30.00"], "2026-05-01"),
        ((2026, 3, 31), (1, 20), "30.00", ["0.97", "30.00"], "2026-05-01"),
        ((2024, 2, 20), (1, 20), "30.00", ["10.34", "30.00"], "2024-04-01"),
        ((2026, 3, 10), (15, None), "30.00", ["5.36"], "2026-03-15"),
    ],
)
def test_an_order_pays_up_to_the_day_and_its_set_up_in_full(
    day, fields, recurring, charged, next_due_day
):
    set_rules()
    product = box(recurring, prorata_day=fields[0], prorata_next_from=fields[1])

    first = order(product, at=utc(*day, 12))

    found = lines(first)
    assert [amount for kind, _, _, amount in found if kind == "recurring"] == charged
    assert [amount for kind, _, _, amount in found if kind == "setup"] == ["10.00"]
    assert next_due() == found[-1][2] == next_due_day


def test_a_yearly_product_pays_up_to_the_day_and_then_by_the_year():
    set_rules()
    product = box("300.00", "0", cycle="annual", prorata_day=1)
    pay(order(product, at=utc(2026, 3, 10, 12)), at=utc(2026, 3, 10, 12))

    run_days(date(2026, 3, 11), date(2026, 4, 5))

    assert [lines(invoice) for invoice in Invoice.objects.order_by("pk")] == [
        [("recurring", "2026-03-10", "2026-04-01", "18.08")],
        [("recurring", "2026-04-01", "2027-04-01", "300.00")],
    ]


def test_the_stub_says_its_days_and_the_month_after_it_follows():
    set_rules()
    first = order(box(prorata_day=1, prorata_next_from=20), at=utc(2026, 3, 20, 12))
    pay(first, at=utc(2026, 3, 20, 12))

    run_days(date(2026, 3, 21), date(2026, 5, 20))

    assert [line.description for line in first.lines.order_by("position")] == [
        "Box: set-up",
        "Box, 12 of 31 days",
        "Box",
    ]
    assert [lines(invoice)[-1] for invoice in Invoice.objects.order_by("pk")[1:]] == [
        ("recurring", "2026-05-01", "2026-06-01", "30.00"),
        ("recurring", "2026-06-01", "2026-07-01", "30.00"),
    ]
    assert Service.objects.get().periods_billed == 4


# --- Limits and terms -------------------------------------------------------------------------


def test_after_the_agreed_number_of_periods_nothing_more_is_invoiced():
    set_rules()
    pay(order(box(setup_fee="0", periods_limit=3), at=JAN_31), at=JAN_31)

    run_days(date(2026, 2, 1), date(2026, 7, 1))

    assert [total for _, _, total in issued()] == ["30.00"] * 3
    assert next_due() == "2026-04-30"


def test_the_period_that_the_end_of_a_term_cuts_costs_its_days():
    set_rules()
    pay(order(box(setup_fee="0", term_days=45), at=utc(2026, 3, 1)), at=utc(2026, 3, 1))

    run_days(date(2026, 3, 2), date(2026, 7, 1))

    # 1 March and 45 days are 15 April: 14 of April's 30 days.
    assert [lines(invoice) for invoice in Invoice.objects.order_by("pk")] == [
        [("recurring", "2026-03-01", "2026-04-01", "30.00")],
        [("recurring", "2026-04-01", "2026-04-15", "14.00")],
    ]
    assert Invoice.objects.order_by("pk").last().lines.get().description == "Box, 14 of 30 days"


# --- Scenario 25: clock changes and zones -----------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "first_day", "dues"),
    [
        # Clocks go back on 5 April and forward on 27 September in Auckland ...
        ("Pacific/Auckland", date(2026, 3, 5), ["2026-04-05", "2026-05-05", "2026-06-05"]),
        ("Pacific/Auckland", date(2026, 8, 27), ["2026-09-27", "2026-10-27", "2026-11-27"]),
        # ... and forward on 8 March and back on 1 November in Los Angeles.
        ("America/Los_Angeles", date(2026, 2, 8), ["2026-03-08", "2026-04-08", "2026-05-08"]),
        ("America/Los_Angeles", date(2026, 10, 1), ["2026-11-01", "2026-12-01", "2027-01-01"]),
    ],
)
def test_clock_changes_and_zones_move_no_due_day(zone, first_day, dues, settings):
    settings.SELLER_TIMEZONE = zone
    set_rules(lead_days=7)
    # A minute before the end of the seller's day, which is another day in UTC.
    ordered_at = local_midnight(first_day + DAY, zone) - timedelta(minutes=1)
    pay(order(box(setup_fee="0"), at=ordered_at), at=ordered_at)

    run_days(first_day + DAY, date.fromisoformat(dues[-1]) - 2 * DAY, zone=zone, hours=(0, 3, 23))

    week_before = [f"{date.fromisoformat(due) - 7 * DAY}" for due in dues]
    assert issued() == [
        (f"{first_day}", f"{first_day}", "30.00"),
        *((day, due, "30.00") for day, due in zip(week_before, dues, strict=True)),
    ]


def test_the_price_of_a_period_is_the_same_in_every_zone(settings):
    totals = set()
    for zone in ("UTC", "Pacific/Auckland", "America/Los_Angeles", "Asia/Kathmandu"):
        settings.SELLER_TIMEZONE = zone
        set_rules()
        at = local_midnight(date(2026, 4, 1), zone) + timedelta(hours=8)
        first = order(box(prorata_day=15), at=at)
        totals.add((f"{first.issue_date}", *lines(first)[1][1:]))

    assert totals == {("2026-04-01", "2026-04-01", "2026-04-15", "13.55")}
    assert Decimal("13.55") == round(Decimal(30) * 14 / 31, 2)
