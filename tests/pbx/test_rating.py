"""The longest prefix wins, seconds round up, money rounds once per call."""

from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_portal.calc.money import round_places
from pbx.rating import (
    DuplicatePrefix,
    InvalidRate,
    Rate,
    RatedCall,
    Tariff,
    Unrated,
    rate_call,
)

LONDON = Rate("4420", "London", Decimal("0.0052"), increment_s=60)
UK = Rate("44", "United Kingdom", Decimal("0.01"), increment_s=6, initial_increment_s=30)
UK_MOBILE = Rate("447", "UK mobile", Decimal("0.12"), 1, connection_fee=Decimal("0.05"))
TARIFF = Tariff([UK, LONDON, UK_MOBILE])


def priced(rate: Rate, billsec: int) -> tuple[int, str]:
    """Seconds billed and amount of a call to a number under `rate`."""
    call = rate_call(Tariff([rate]), destination=f"{rate.prefix}5550100", billsec=billsec)
    assert isinstance(call, RatedCall)
    return call.billed_s, str(call.amount)


# --- Which rate ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "rate"),
    [
        ("442079460000", LONDON),
        ("441614960000", UK),
        ("447700900000", UK_MOBILE),
        ("4420", LONDON),
        ("442", UK),
        ("44", UK),
        ("4", None),
        ("493012345", None),
        ("", None),
    ],
)
def test_the_longest_prefix_wins(destination, rate):
    assert TARIFF.rate_for(destination) == rate


def test_the_order_of_rates_does_not_matter():
    assert Tariff([UK_MOBILE, LONDON, UK]).rate_for("442079460000") == LONDON


def test_nested_prefixes_each_price_their_own_numbers():
    tariff = Tariff(
        [
            Rate("93", "Afghanistan", Decimal("0.25"), 60),
            Rate("9370", "Afghanistan mobile", Decimal("0.154"), 60),
        ]
    )

    mobile = rate_call(tariff, destination="93701234567", billsec=60)
    landline = rate_call(tariff, destination="93201234567", billsec=60)

    assert (mobile.prefix, mobile.description, mobile.amount) == (
        "9370",
        "Afghanistan mobile",
        Decimal("0.154"),
    )
    assert (landline.prefix, landline.amount) == ("93", Decimal("0.25"))


@pytest.mark.parametrize("billsec", [0, 1, 600])
def test_without_a_prefix_nobody_knows_the_price_however_short_the_call(billsec):
    outcome = rate_call(TARIFF, destination="493012345", billsec=billsec)

    assert outcome == Unrated("493012345")


def test_an_empty_tariff_rates_nothing():
    assert len(Tariff([])) == 0
    assert rate_call(Tariff([]), destination="44", billsec=1) == Unrated("44")


def test_a_call_carries_the_rate_it_was_priced_by():
    call = rate_call(TARIFF, destination="447700900000", billsec=61)

    assert call == RatedCall(rate=UK_MOBILE, billed_s=61, micros=172_000)
    assert (call.prefix, call.description, call.amount) == ("447", "UK mobile", Decimal("0.172"))


# --- How many seconds ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("initial_s", "increment_s", "billsec", "billed_s"),
    [
        (None, 60, 0, 0),
        (None, 60, 1, 60),
        (None, 60, 60, 60),
        (None, 60, 61, 120),
        (None, 6, 61, 66),
        (None, 1, 61, 61),
        (30, 6, 0, 0),
        (30, 6, 1, 30),
        (30, 6, 30, 30),
        (30, 6, 31, 36),
        (30, 6, 36, 36),
        (30, 6, 37, 42),
        (60, 1, 59, 60),
        (60, 1, 61, 61),
        # An increment above the minimum starts after the minimum.
        (10, 60, 11, 70),
        (10, 60, 70, 70),
        (10, 60, 71, 130),
    ],
)
def test_seconds_round_up_to_the_minimum_then_by_increments(
    initial_s, increment_s, billsec, billed_s
):
    rate = Rate("44", "", Decimal("0.06"), increment_s, initial_s)

    assert priced(rate, billsec) == (billed_s, f"{Decimal(billed_s) / 1000:.6f}")


# --- How much -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "fee", "increment_s", "billsec", "expected"),
    [
        ("0.010000", "0", 6, 61, (66, "0.011000")),
        ("0.012000", "0", 6, 61, (66, "0.013200")),
        ("0.013000", "0", 60, 61, (120, "0.026000")),
        ("0.029", "0", 60, 61, (120, "0.058000")),
        ("0.031", "0", 60, 35, (60, "0.031000")),
        ("0.031", "0.10", 60, 35, (60, "0.131000")),
        # A call that was not answered does not cost its connection fee either.
        ("0.031", "0.10", 60, 0, (0, "0.000000")),
        ("0", "0.10", 60, 1, (60, "0.100000")),
        ("0", "0", 60, 1, (60, "0.000000")),
        # 0.01 x 1/60 = 0.00016666...
        ("0.01", "0", 1, 1, (1, "0.000167")),
        # 0.000015 x 2/60 = 0.0000005: exactly half a millionth, up.
        ("0.000015", "0", 1, 2, (2, "0.000001")),
        ("0.000015", "0", 1, 1, (1, "0.000000")),
        # The fee is not rounded before the sum: 0.0000004 + 0.00000025.
        ("0.000015", "0.0000004", 1, 1, (1, "0.000001")),
        ("0", "0.0000005", 60, 1, (60, "0.000001")),
        ("0", "0.00000049999999999999999999999999999999", 60, 1, (60, "0.000000")),
        ("999999999999999999", "0.000001", 60, 60, (60, "999999999999999999.000001")),
    ],
)
def test_a_call_costs_its_fee_and_its_seconds_rounded_once(
    rate, fee, increment_s, billsec, expected
):
    under = Rate("1416", "", Decimal(rate), increment_s, connection_fee=Decimal(fee))

    assert priced(under, billsec) == expected


def test_an_amount_ignores_the_precision_of_the_decimal_context():
    call = rate_call(Tariff([UK_MOBILE]), destination="4477", billsec=12345)

    with localcontext(prec=3):
        assert str(call.amount) == "24.740000"


def test_a_call_cannot_last_less_than_nothing():
    with pytest.raises(ValueError, match="A call cannot last -1 seconds"):
        rate_call(TARIFF, destination="442079460000", billsec=-1)


prices = st.decimals(0, 100, places=7, allow_nan=False, allow_infinity=False)
rates = st.builds(
    Rate,
    prefix=st.just("44"),
    description=st.just(""),
    rate_per_minute=prices,
    increment_s=st.integers(1, 120),
    initial_increment_s=st.none() | st.integers(1, 120),
    connection_fee=prices,
)


@given(rates, st.integers(1, 20_000))
def test_every_price_is_the_rule_in_fractions(rate, billsec):
    billed_s = rate.minimum_s
    while billed_s < billsec:
        billed_s += rate.increment_s
    exactly = Fraction(rate.connection_fee) + Fraction(rate.rate_per_minute) * billed_s / 60

    assert priced(rate, billsec) == (billed_s, str(round_places(exactly, 6)))


@given(
    st.sets(st.text("0123456789", min_size=1, max_size=5), max_size=30),
    st.text("0123456789", max_size=8),
)
def test_every_look_up_is_the_longest_of_all_matching_prefixes(prefixes, destination):
    tariff = Tariff(Rate(prefix, "", Decimal("0.01"), 60) for prefix in prefixes)
    matching = [prefix for prefix in prefixes if destination.startswith(prefix)]

    found = tariff.rate_for(destination)

    assert (found and found.prefix) == max(matching, key=len, default=None)


# --- Rates that make no sense -------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"prefix": ""}, "A prefix is made of digits only, not ''."),
        ({"prefix": "+44"}, "A prefix is made of digits only, not '+44'."),
        ({"prefix": "44x"}, "A prefix is made of digits only, not '44x'."),
        ({"prefix": "٤٤"}, "A prefix is made of digits only, not '٤٤'."),
        ({"increment_s": 0}, "Prefix 44: an increment is at least 1 second."),
        ({"increment_s": -6}, "Prefix 44: an increment is at least 1 second."),
        ({"initial_increment_s": 0}, "Prefix 44: an increment is at least 1 second."),
        ({"rate_per_minute": Decimal("-0.01")}, "Prefix 44: a price cannot be -0.01."),
        ({"rate_per_minute": Decimal("NaN")}, "Prefix 44: a price cannot be NaN."),
        ({"connection_fee": Decimal("-1")}, "Prefix 44: a price cannot be -1."),
        ({"connection_fee": Decimal("Infinity")}, "Prefix 44: a price cannot be Infinity."),
    ],
)
def test_a_senseless_rate_is_refused(change, sentence):
    with pytest.raises(InvalidRate) as refusal:
        replace(UK, **change)

    assert str(refusal.value) == sentence


def test_two_rates_for_one_prefix_are_refused():
    with pytest.raises(DuplicatePrefix) as refusal:
        Tariff([UK, LONDON, replace(LONDON, description="Greater London")])

    assert str(refusal.value) == "Prefix 4420 is in the tariff twice."
