"""Pricing schemes: the figures every billing system should agree on, and what never changes."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_portal.calc.money import round_money
from billing_portal.calc.tiers import (
    BadTiers,
    Scheme,
    Tier,
    UnitPricing,
    amount_of,
    cliffs,
    price_units,
    read_tiers,
)

TIERS = (
    Tier(Decimal(1000), Decimal("0.020")),
    Tier(Decimal(5000), Decimal("0.015")),
    Tier(None, Decimal("0.010")),
)
FLAT = UnitPricing(Decimal("0.02"))
GRADUATED = UnitPricing(Decimal(0), Scheme.GRADUATED, tiers=TIERS)
VOLUME = UnitPricing(Decimal(0), Scheme.VOLUME, tiers=TIERS)
units = st.fractions(min_value=0, max_value=10**6, max_denominator=10**6)


@pytest.mark.parametrize(
    ("used", "flat", "graduated", "volume"),
    [
        (500, "10.00", "10.00", "10.00"),
        (1000, "20.00", "20.00", "20.00"),
        (1001, "20.02", "20.02", "15.02"),
        (6000, "120.00", "90.00", "60.00"),
        (0, "0.00", "0.00", "0.00"),
    ],
)
def test_schemes_price_the_same_units_differently(used, flat, graduated, volume):
    amounts = [round_money(amount_of(used, one), "EUR") for one in (FLAT, GRADUATED, VOLUME)]

    assert amounts == [Decimal(flat), Decimal(graduated), Decimal(volume)]


def test_included_units_cost_nothing_and_brackets_count_after_them():
    pricing = UnitPricing(Decimal(0), Scheme.GRADUATED, Decimal(200), TIERS)

    assert amount_of(200, pricing) == 0
    assert amount_of(199, pricing) == 0
    assert amount_of(1200, pricing) == 20  # 1000 beyond the included ones
    assert amount_of(1202, pricing) == 20 + 2 * Fraction("0.015")


def test_each_bracket_says_how_many_units_it_priced():
    assert [(part.units, part.price) for part in price_units(6000, GRADUATED)] == [
        (1000, Decimal("0.020")),
        (4000, Decimal("0.015")),
        (1000, Decimal("0.010")),
    ]


def test_a_price_may_be_for_many_units():
    per_1000 = UnitPricing(Decimal("10.00"), per=1000)

    assert round_money(amount_of(Fraction(620000, 720), per_1000), "EUR") == Decimal("8.61")


def test_volume_prices_have_cliffs_that_are_named():
    assert cliffs(VOLUME) == [
        (Decimal(1000), Fraction(20), Fraction("15.015")),
        (Decimal(5000), Fraction(75), Fraction("50.010")),
    ]
    assert cliffs(GRADUATED) == []


@given(units, units)
def test_more_units_never_cost_less_unless_volume_is_asked_for(few, more):
    low, high = sorted((few, more))

    assert amount_of(low, GRADUATED) <= amount_of(high, GRADUATED)
    assert amount_of(low, FLAT) <= amount_of(high, FLAT)


@given(units)
def test_the_brackets_hold_every_billable_unit_once(used):
    pricing = UnitPricing(Decimal(0), Scheme.GRADUATED, Decimal(100), TIERS)

    assert sum(part.units for part in price_units(used, pricing)) == max(0, used - 100)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "At least one bracket is needed."),
        ([{"up_to": "10", "price": "1"}], "Exactly the last bracket has no upper end."),
        ([{"price": "1"}, {"price": "2"}], "Exactly the last bracket has no upper end."),
        (
            [{"up_to": "10", "price": "1"}, {"up_to": "5", "price": "1"}, {"price": "2"}],
            "Each bracket ends above the one before it.",
        ),
        ([{"up_to": "0", "price": "1"}, {"price": "2"}], "Each bracket ends above the one"),
        ([{"price": "-1"}], "A price is not below zero."),
        ([{"price": "NaN"}], "A bracket has a price"),
        ([{"up_to": "10"}], "A bracket has a price"),
        (["10"], "A bracket has a price"),
    ],
)
def test_brackets_that_make_no_sense_are_refused(rows, sentence):
    with pytest.raises(BadTiers, match=sentence):
        read_tiers(rows)


def test_stored_brackets_are_read_in_order():
    rows = [{"up_to": "1000", "price": "0.020"}, {"up_to": "5000", "price": "0.015"}]

    assert read_tiers([*rows, {"price": "0.010"}]) == TIERS
