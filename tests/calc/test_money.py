"""Amounts are exact until they are rounded, and rounded half away from zero."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_portal.calc.money import (
    UnknownCurrency,
    exact,
    minor_units,
    round_money,
    round_places,
)


@pytest.mark.parametrize(
    ("currency", "units"),
    # Serbia shows no para, Iraq no fils, but both are counted.
    [("EUR", 2), ("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("RSD", 2), ("IQD", 3)],
)
def test_a_currency_has_the_minor_units_of_iso_4217(currency, units):
    assert minor_units(currency) == units


@pytest.mark.parametrize("text", ["", "eur", "XQQ", "EURO", "€"])
def test_an_unknown_currency_is_refused_by_name(text):
    with pytest.raises(UnknownCurrency) as refusal:
        minor_units(text)

    assert str(refusal.value) == f"{text!r} is not a currency code such as EUR."


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        (Decimal("8"), "EUR", "8.00"),
        (Decimal("0"), "EUR", "0.00"),
        (Fraction(155, 18), "EUR", "8.61"),
        # Halves, which binary floats get wrong: round(2.675, 2) is 2.67.
        (Decimal("2.675"), "EUR", "2.68"),
        (Decimal("5.005"), "EUR", "5.01"),
        (Decimal("5.0049999999999999999999999999999999"), "EUR", "5.00"),
        (Decimal("-2.675"), "EUR", "-2.68"),
        (Decimal("-2.6749"), "EUR", "-2.67"),
        # Nothing is owed in a credit of less than half a cent either: no "-0.00".
        (Decimal("-0.004"), "EUR", "0.00"),
        (Fraction(3875, 3), "JPY", "1292"),
        (Decimal("0.5"), "JPY", "1"),
        (Fraction(403, 144), "KWD", "2.799"),
        (7, "EUR", "7.00"),
    ],
)
def test_money_rounds_half_away_from_zero_and_keeps_its_minor_units(amount, currency, rounded):
    assert str(round_money(amount, currency)) == rounded


def test_rounding_ignores_the_precision_of_the_decimal_context():
    amount = Decimal("123456789012345678901234567890.125")

    with localcontext(prec=4):
        rounded = round_money(amount, "EUR")

    assert str(rounded) == "123456789012345678901234567890.13"


@given(st.fractions(), st.integers(0, 6))
def test_rounding_is_never_off_by_more_than_half_a_unit(amount, places):
    rounded = round_places(amount, places)

    assert abs(Fraction(rounded) - amount) <= Fraction(1, 2 * 10**places)
    assert rounded.as_tuple().exponent == -places


@given(st.fractions(), st.integers(0, 6))
def test_a_credit_rounds_like_the_debit_it_reverses(amount, places):
    assert round_places(-amount, places) == round_places(amount, places).copy_negate()


def test_exact_keeps_every_digit():
    assert exact(Decimal("0.1")) == Fraction(1, 10)
    assert exact(3) == Fraction(3)
    assert exact(Fraction(1, 3)) == Fraction(1, 3)


@pytest.mark.parametrize("value", [0.1, 1.0, "1", None])
def test_what_is_not_exact_is_refused(value):
    with pytest.raises(TypeError, match="is not exact; use Decimal, int or Fraction"):
        exact(value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_is_not_a_number_is_refused(text):
    with pytest.raises(ValueError, match=f"^{text} is not a number"):
        exact(Decimal(text))
