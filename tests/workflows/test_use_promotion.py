"""Promotions in orders: what they take off, how often they are used, and when they end."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.invoices.models import InvoiceLine, InvoiceStatus
from billing_portal.orders.models import Order
from billing_portal.promotions.models import Promotion
from billing_portal.services import actions as services
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows.bill_run import bill_all, bill_client
from billing_portal.workflows.cancel_order import cancel_order
from billing_portal.workflows.order_terms import terms_of
from billing_portal.workflows.place_order import (
    AddonRequest,
    OrderRefused,
    preview,
)
from billing_portal.workflows.use_promotion import customer_of
from tests.factories import (
    AT,
    make_addon,
    make_client,
    make_client_group,
    make_product,
    make_promotion,
    make_service,
    utc,
)
from tests.threads import at_once, failures
from tests.workflows.ordering import amounts, order, request

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendor(vendor):
    pass


@pytest.fixture
def client():
    return make_client()


@pytest.fixture
def box():
    """Set-up 10.00, 30.00 a month."""
    return make_product(name="Box", module_key="", recurring="30", setup_fee="10")


def start(order, at=AT):
    for service in Service.objects.filter(order_item__order=order):
        services.move(service.pk, to=ServiceStatus.ACTIVE, at=at)


# --- On the first invoice -----------------------------------------------------------------


def test_each_discount_is_a_line_of_its_own_after_its_item(client, box):
    make_promotion("TENTH")

    placed = order(client, box, code="tenth")

    lines = placed.invoice.lines.order_by("position")
    assert [(line.kind, line.description, f"{line.amount:.2f}") for line in lines] == [
        ("setup", "Box: set-up", "10.00"),
        ("discount", "Promotion TENTH: 10 % off", "-1.00"),
        ("recurring", "Box", "30.00"),
        ("discount", "Promotion TENTH: 10 % off", "-3.00"),
    ]
    assert (placed.promotion_code, placed.total) == ("TENTH", Decimal("36.00"))
    assert placed.items.get().discount_amount == Decimal("4.00")
    assert Promotion.objects.get().uses == 1


def test_a_free_set_up_leaves_the_period_alone(client, box):
    make_promotion("FREE", kind="free_setup")

    placed = order(client, box, code="FREE")

    assert amounts(placed.invoice) == [
        ("setup", "10.00"),
        ("discount", "-10.00"),
        ("recurring", "30.00"),
    ]
    assert Service.objects.get().discounts_left == 0


def test_an_override_is_per_unit_and_leaves_the_rest_alone(client):
    seats = make_product(
        module_key="", recurring="12", quantity_mode="scaling", maximum_quantity=10
    )
    make_promotion("NINE", kind="price_override", value="9", currency="EUR")

    placed = order(client, items=[request(seats, quantity=3)], code="NINE")

    assert amounts(placed.invoice) == [("recurring", "36.00"), ("discount", "-9.00")]


def test_the_promotion_is_on_the_positions_it_fits_only(client, box):
    disk = make_product(name="Disk", module_key="", recurring="5")
    make_promotion("DISKS", value="100", products=[disk])

    placed = order(client, box, disk, code="DISKS")

    assert amounts(placed.invoice) == [
        ("setup", "10.00"),
        ("recurring", "30.00"),
        ("recurring", "5.00"),
        ("discount", "-5.00"),
    ]


def test_a_group_discount_follows_the_promotion_on_periods_only(client, box):
    client.group = make_client_group("Partners", discount_percent="10")
    client.save()
    make_promotion("FIFTH", value="20")

    placed = order(client, box, code="FIFTH")

    lines = placed.invoice.lines.order_by("position")
    assert [(line.description, f"{line.amount:.2f}") for line in lines] == [
        ("Box: set-up", "10.00"),
        ("Promotion FIFTH: 20 % off", "-2.00"),
        ("Box", "30.00"),
        ("Promotion FIFTH: 20 % off", "-6.00"),
        ("Partners: 10 % discount", "-2.40"),
    ]


def test_an_order_that_costs_nothing_is_paid_and_starts_at_once(client, box):
    make_promotion("GIFT", value="100")

    placed = order(client, box, code="GIFT")

    assert (placed.invoice.status, placed.total) == (InvoiceStatus.PAID, Decimal("0.00"))
    service = Service.objects.get()
    assert (service.status, service.billed_until) == ("active", date(2026, 12, 1))


def test_the_preview_charges_what_the_order_charges_and_uses_nothing_up(client, box):
    client.group = make_client_group(discount_percent="10")
    client.save()
    make_promotion("ONCE", value="50")
    addon = make_addon(box, "4", setup_fee="1")
    item = request(box, addons=[AddonRequest(addon.pk)])

    shown = preview(client, terms_of(item, currency="EUR"), at=AT, promotion_code="ONCE")

    assert (Promotion.objects.get().uses, Service.objects.count()) == (0, 0)
    # 10 - 5, 30 - 15 - 1.50, 1, 4 - 0.40; then 30 - 3 and 4 - 0.40.
    assert (shown.due_now.total, shown.per_cycle.total) == (Decimal("23.10"), Decimal("30.60"))
    assert order(client, items=[item], code="ONCE").total == shown.due_now.total


@pytest.mark.parametrize("code", ["NOBODY", "OVER"])
def test_a_code_that_does_not_hold_stores_nothing(client, box, code):
    make_promotion("OVER", ends_at=AT)

    with pytest.raises(OrderRefused) as refused:
        order(client, box, code=code)

    assert list(refused.value.field_errors) == ["promotion_code"]
    assert (Order.objects.count(), Service.objects.count()) == (0, 0)


# --- On renewals --------------------------------------------------------------------------


def renewals(months):
    """What the bill run of each first of the month invoices, by line."""
    return [
        amounts(invoice)
        for year, month in months
        for invoice in bill_all(utc(year, month, 1)).issued
    ]


def test_a_promotion_for_the_first_payment_is_not_on_renewals(client, box):
    make_promotion("TENTH")
    start(order(client, box, code="TENTH"))

    assert renewals([(2026, 12)]) == [[("recurring", "30.00")]]
    assert Service.objects.get().discounts_left == 0


def test_one_for_two_renewals_is_on_three_periods_and_each_run_counts_once(client, box):
    make_promotion("THRICE", value="50", recurring=True, recurs_for=2)
    start(order(client, box, code="THRICE"))
    assert Service.objects.get().discounts_left == 2

    assert renewals([(2026, 12), (2026, 12), (2027, 1), (2027, 2)]) == [
        [("recurring", "30.00"), ("discount", "-15.00")],
        [("recurring", "30.00"), ("discount", "-15.00")],
        [("recurring", "30.00")],
    ]
    assert Service.objects.get().discounts_left == 0


def test_a_run_that_catches_up_gives_the_discount_to_as_many_periods_as_are_left(client, box):
    make_promotion("THRICE", value="50", recurring=True, recurs_for=2)
    placed = order(client, box, code="THRICE")
    start(placed)

    invoices = bill_client(client.pk, utc(2027, 2, 1))

    off = InvoiceLine.objects.filter(invoice__in=invoices, kind="discount").order_by("period_start")
    assert [f"{line.period_start}" for line in off] == ["2026-12-01", "2027-01-01"]


def test_one_for_ever_stays(client, box):
    make_promotion("EVER", value="10", recurring=True)
    start(order(client, box, code="EVER"))

    assert (
        renewals([(2026, 12), (2027, 1)]) == [[("recurring", "30.00"), ("discount", "-3.00")]] * 2
    )
    assert Service.objects.get().discounts_left is None


def test_a_period_that_costs_nothing_is_still_billed_and_paid_at_once(client, box):
    make_promotion("GIFT", value="100", recurring=True, recurs_for=1)
    order(client, box, code="GIFT")

    (invoice,) = bill_all(utc(2026, 12, 1)).issued

    assert (invoice.status, invoice.total) == (InvoiceStatus.PAID, Decimal("0.00"))
    assert Service.objects.get().billed_until == date(2027, 1, 1)
    assert bill_all(utc(2026, 12, 2)).issued == []
    assert renewals([(2027, 1)]) == [[("recurring", "30.00")]]


def test_later_changes_of_the_promotion_do_not_change_what_was_agreed(client, box):
    promotion = make_promotion("TENTH", recurring=True)
    start(order(client, box, code="TENTH"))
    promotion.value, promotion.ends_at = Decimal(90), AT
    promotion.save()

    assert renewals([(2026, 12)])[0][1] == ("discount", "-3.00")


def test_the_first_payment_up_to_a_day_of_the_month_gets_its_part(client):
    product = make_product(module_key="", recurring="30", prorata_day=1, prorata_next_from=20)
    make_promotion("FIFTH", value="20", recurring=True, recurs_for=1)

    placed = order(client, product, code="FIFTH", at=utc(2026, 11, 21))
    start(placed)

    # 10 of November's 30 days, and December: one payment, and one renewal after it.
    assert amounts(placed.invoice) == [
        ("recurring", "10.00"),
        ("discount", "-2.00"),
        ("recurring", "30.00"),
        ("discount", "-6.00"),
    ]
    assert renewals([(2027, 1), (2027, 2)]) == [
        [("recurring", "30.00"), ("discount", "-6.00")],
        [("recurring", "30.00")],
    ]


# --- Uses ---------------------------------------------------------------------------------


def test_a_cancelled_order_gives_its_use_back_once(client, box):
    make_promotion("ONE", maximum_uses=1, once_per_client=True)
    placed = order(client, box, code="ONE")

    cancel_order(placed.pk, reason="changed my mind", at=AT, actor=None)
    cancel_order(placed.pk, reason="changed my mind", at=AT, actor=None)

    assert Promotion.objects.get().uses == 0
    assert order(client, box, code="ONE", key="b").total == Decimal("36.00")


def test_who_had_it_once_cannot_have_it_again(client, box):
    make_promotion("ONCE", once_per_client=True)
    order(client, box, code="ONCE")

    with pytest.raises(OrderRefused, match=r"^You have already used ONCE; it holds once\.$"):
        order(client, box, code="ONCE", key="b")
    assert order(make_client(), box, code="ONCE", key="c").total == Decimal("36.00")


def test_the_same_form_twice_counts_one_use(client, box):
    make_promotion("TENTH")

    order(client, box, code="TENTH")
    order(client, box, code="TENTH")

    assert Promotion.objects.get().uses == 1


def test_what_is_known_of_a_client(client, box):
    assert customer_of(client).is_new
    placed = order(client, box)
    known = customer_of(client)
    assert (known.is_new, known.owned) == (False, frozenset({box.pk}))

    cancel_order(placed.pk, reason="", at=AT, actor=None)

    assert customer_of(client).is_new
    ended = make_service(client, status=ServiceStatus.TERMINATED)
    assert (customer_of(client).is_new, ended.product_id in customer_of(client).owned) == (
        False,
        False,
    )


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_orders_at_once_for_the_last_use_one_is_refused(box):
    make_promotion("LAST", maximum_uses=1)
    buyers = [make_client(), make_client()]

    outcomes = at_once(
        *(
            lambda c=buyer, k=f"k{n}": order(c, box, code="LAST", key=k)
            for n, buyer in enumerate(buyers)
        )
    )

    assert [str(error) for error in failures(outcomes)] == ["LAST has been used up."]
    assert (Promotion.objects.get().uses, Order.objects.count()) == (1, 1)
