"""What promotions and client groups take off: worked by hand, and never more than there is."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_portal.calc.discounts import (
    ListPrice,
    PromotionEffect,
    PromotionKind,
    PromotionRule,
    discounts_of,
    effect_of,
    percent_off,
    promotion_share,
)
from billing_portal.calc.invoice import Discount

D = Decimal
BOX = ListPrice(recurring=D("30.00"), setup_fee=D("10.00"), unit_price=D("30.00"))
SEATS = ListPrice(recurring=D("45.00"), setup_fee=D("6.00"), unit_price=D("12.00"), quantity=3)
"""Three seats at 12.00 with options for 9.00 together."""


@pytest.mark.parametrize(
    ("kind", "value", "price", "off_setup", "off_period"),
    [
        ("percent", "20", BOX, "2.00", "6.00"),
        ("percent", "33.333", BOX, "3.33", "10.00"),
        ("percent", "100", BOX, "10.00", "30.00"),
        ("percent", "0", BOX, "0.00", "0.00"),
        ("percent", "10", SEATS, "0.60", "4.50"),
        ("fixed", "5", BOX, "0.00", "5.00"),
        ("fixed", "5", SEATS, "0.00", "5.00"),
        ("fixed", "34.50", BOX, "4.50", "30.00"),
        ("fixed", "100", BOX, "10.00", "30.00"),
        ("price_override", "19.90", BOX, "0.00", "10.10"),
        ("price_override", "0", BOX, "0.00", "30.00"),
        ("price_override", "40", BOX, "0.00", "0.00"),
        ("price_override", "10", SEATS, "0.00", "6.00"),
        ("free_setup", "0", BOX, "10.00", "0.00"),
        ("free_setup", "0", SEATS, "6.00", "0.00"),
    ],
)
def test_what_each_kind_takes_off(kind, value, price, off_setup, off_period):
    effect = effect_of(PromotionRule(PromotionKind(kind), D(value)), price, currency="EUR")

    assert (effect.off_setup, effect.off_period) == (D(off_setup), D(off_period))


@pytest.mark.parametrize(
    ("kind", "recurring", "recurs_for", "periods"),
    [
        ("percent", False, None, 1),
        ("percent", False, 5, 1),
        ("percent", True, 2, 3),
        ("fixed", True, 0, 1),
        ("price_override", True, None, None),
        ("free_setup", True, None, 0),
    ],
)
def test_how_many_periods_it_lasts_the_first_included(kind, recurring, recurs_for, periods):
    rule = PromotionRule(PromotionKind(kind), D(10), recurring=recurring, recurs_for=recurs_for)

    assert effect_of(rule, BOX, currency="EUR").periods == periods


def test_an_amount_follows_the_minor_unit_of_its_currency():
    price = ListPrice(recurring=D(999), setup_fee=D(0), unit_price=D(999))
    rule = PromotionRule(PromotionKind.PERCENT, D("12.5"))

    assert effect_of(rule, price, currency="JPY") == PromotionEffect(D(0), D(125), 1)


def test_a_short_first_period_gets_its_part_of_the_discount():
    short = promotion_share(D("6.00"), full=D("30.00"), billed=D("10.00"), currency="EUR")
    long = promotion_share(D("6.00"), full=D("30.00"), billed=D("41.61"), currency="EUR")

    assert (short, long) == (D("2.00"), D("8.32"))


def test_nothing_comes_off_what_became_free():
    assert promotion_share(D("6"), full=D(0), billed=D(0), currency="EUR") == D("0.00")


def test_a_discount_agreed_on_a_higher_price_stops_at_the_present_one():
    assert promotion_share(D("6"), full=D("4"), billed=D("4"), currency="EUR") == D("4.00")


def test_the_group_takes_its_part_of_what_the_promotion_left():
    lines = discounts_of(
        D("30.00"),
        promotion=Discount("Promotion SUMMER: 20 % off", D("6.00")),
        group_percent=D("10.00"),
        group_name="Partners",
        currency="EUR",
    )

    assert lines == (
        Discount("Promotion SUMMER: 20 % off", D("6.00")),
        Discount("Partners: 10 % discount", D("2.40")),
    )


def test_after_all_is_taken_off_the_group_has_no_line():
    free = Discount("Promotion FREE: 100 % off", D("30.00"))

    lines = discounts_of(
        D("30"), promotion=free, group_percent=D("12.50"), group_name="Partners", currency="EUR"
    )

    assert lines == (free,)


def test_without_a_discount_there_is_no_line():
    assert (
        discounts_of(D("30"), promotion=None, group_percent=D(0), group_name="", currency="EUR")
        == ()
    )


AMOUNTS = st.decimals(min_value=0, max_value=10**6, places=3)
PERCENTS = st.decimals(min_value=0, max_value=100, places=2)
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD"])
RULES = st.builds(
    PromotionRule,
    kind=st.sampled_from(PromotionKind),
    value=AMOUNTS,
    recurring=st.booleans(),
    recurs_for=st.none() | st.integers(min_value=0, max_value=48),
).filter(lambda rule: rule.kind != PromotionKind.PERCENT or rule.value <= 100)


@given(RULES, AMOUNTS, AMOUNTS, AMOUNTS, st.integers(min_value=1, max_value=500), CURRENCIES)
def test_a_promotion_never_takes_more_than_there_is(rule, recurring, setup, unit, n, currency):
    price = ListPrice(recurring=recurring, setup_fee=setup, unit_price=unit, quantity=n)

    effect = effect_of(rule, price, currency=currency)

    # Half a minor unit may be rounded up, as the item's own line is.
    half = D(1) / 2
    assert 0 <= effect.off_setup <= setup + half
    assert 0 <= effect.off_period <= recurring + half


@given(AMOUNTS, AMOUNTS, PERCENTS, CURRENCIES)
def test_what_is_left_is_never_below_nothing(amount, promised, percent, currency):
    promotion = Discount("Promotion", promised)

    lines = discounts_of(
        amount, promotion=promotion, group_percent=percent, group_name="G", currency=currency
    )

    assert all(line.amount > 0 for line in lines)
    assert sum(line.amount for line in lines) <= percent_off(amount, D(100), currency=currency)


@given(AMOUNTS, AMOUNTS, AMOUNTS, CURRENCIES)
def test_a_share_is_never_more_than_what_is_billed(off, full, billed, currency):
    share = promotion_share(off, full=full, billed=billed, currency=currency)

    assert 0 <= share <= percent_off(billed, D(100), currency=currency)
