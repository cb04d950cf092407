"""What a change costs, from the tables of a price list and by the laws it must keep."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billing_portal.calc.changes import ChangePolicy, ChangePrice, Standing, Terms, price_change
from billing_portal.calc.due import recurring_periods_due
from billing_portal.calc.periods import add_months

KEEP, RESTART, AUTO = (
    ChangePolicy.KEEP_DUE_DATE,
    ChangePolicy.RESTART_CYCLE,
    ChangePolicy.AUTO,
)
TODAY = date(2026, 4, 16)
"""15 of 30 days before the first of May."""


def terms(amount: str, months: int = 1) -> Terms:
    return Terms(Decimal(amount), months)


def standing(
    amount: str,
    months: int = 1,
    *,
    anchor: date = date(2026, 1, 1),
    next_due: date = date(2026, 5, 1),
) -> Standing:
    return Standing(terms(amount, months), anchor, next_due)


def change(
    old: Standing,
    new: Terms,
    *,
    today: date = TODAY,
    policy: ChangePolicy = KEEP,
    currency: str = "EUR",
    **more: Decimal,
) -> ChangePrice:
    return price_change(old, new, today=today, policy=policy, currency=currency, **more)


def amounts(price: ChangePrice) -> tuple[str, str, str]:
    return str(price.credit), str(price.debit), str(price.payable)


# --- With the due date kept ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (standing("30"), terms("60"), ("15.00", "30.00", "15.00")),
        (standing("60"), terms("30"), ("30.00", "15.00", "-15.00")),
        (standing("10"), terms("120", 12), ("5.00", "4.93", "-0.07")),
    ],
)
def test_with_half_a_month_left(old, new, expected):
    price = change(old, new)

    assert amounts(price) == expected
    assert (price.next_due, price.days_left, price.restarts) == (date(2026, 5, 1), 15, False)


def test_from_a_year_to_quarters_on_its_first_day():
    year = standing("65", 12, anchor=date(2026, 1, 1), next_due=date(2027, 1, 1))

    price = change(year, terms("55", 3), today=date(2026, 1, 1))

    # 55.00 / 92 days x 365 days = 218.2065...
    assert amounts(price) == ("65.00", "218.21", "153.21")
    assert price.next_due == date(2027, 1, 1)


def test_a_kept_due_date_is_on_the_new_schedule_and_keeps_its_day():
    month_ends = standing("10", anchor=date(2026, 1, 31), next_due=date(2026, 4, 30))

    price = change(month_ends, terms("30", 3), today=date(2026, 4, 20))

    assert (price.anchor, price.next_due) == (date(2026, 1, 31), date(2026, 4, 30))
    due = recurring_periods_due(
        anchor=price.anchor,
        cycle_months=3,
        billed_until=price.next_due,
        today=date(2026, 4, 30),
        lead_days=0,
    )
    assert due == [(date(2026, 4, 30), date(2026, 7, 31))]


def test_on_the_due_date_nothing_is_left_to_settle():
    price = change(standing("30"), terms("60"), today=date(2026, 5, 1))

    assert amounts(price) == ("0.00", "0.00", "0.00")


def test_what_becomes_free_gives_its_rest_back():
    price = change(standing("30"), terms("0"), policy=AUTO)

    assert amounts(price) == ("15.00", "0.00", "-15.00")
    assert (price.restarts, price.next_due) == (False, date(2026, 5, 1))


# --- With a new cycle ---------------------------------------------------------------------


def test_a_restart_credits_the_rest_and_charges_a_full_cycle():
    price = change(standing("30"), terms("60"), policy=RESTART)

    assert amounts(price) == ("15.00", "60.00", "45.00")
    assert (price.anchor, price.next_due) == (TODAY, date(2026, 5, 16))


def test_by_default_only_another_cycle_starts_anew():
    assert not change(standing("30"), terms("60"), policy=AUTO).restarts

    yearly = change(standing("10"), terms("120", 12), policy=AUTO)

    assert amounts(yearly) == ("5.00", "120.00", "115.00")
    assert (yearly.anchor, yearly.next_due) == (TODAY, date(2027, 4, 16))


@pytest.mark.parametrize("policy", list(ChangePolicy))
def test_what_was_free_pays_a_full_cycle_from_today(policy):
    price = change(standing("0", next_due=date(2026, 1, 1)), terms("30"), policy=policy)

    assert amounts(price) == ("0.00", "30.00", "30.00")
    assert (price.anchor, price.next_due) == (TODAY, date(2026, 5, 16))


# --- Discounts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("discount", "taken", "payable"),
    [
        ({"discount_percent": Decimal(20)}, "3.00", "12.00"),
        ({"discount_amount": Decimal(4)}, "4.00", "11.00"),
        ({"discount_amount": Decimal(40)}, "15.00", "0.00"),
    ],
)
def test_a_discount_is_off_what_is_payable_and_no_more(discount, taken, payable):
    price = change(standing("30"), terms("60"), **discount)

    assert (str(price.discount), str(price.payable)) == (taken, payable)


def test_a_downgrade_gets_no_discount_on_top():
    price = change(standing("60"), terms("30"), discount_percent=Decimal(50))

    assert (price.discount, price.payable) == (0, Decimal("-15.00"))


def test_amounts_are_in_the_minor_unit_of_the_currency():
    assert amounts(change(standing("1000"), terms("2999"), currency="JPY")) == (
        *("500", "1500", "1000"),
    )


# --- Laws ---------------------------------------------------------------------------------

MONTHS = st.sampled_from([1, 3, 6, 12, 24, 36])
AMOUNTS = st.decimals(min_value=0, max_value=100_000, places=2)
TERMS = st.builds(Terms, AMOUNTS, MONTHS)


@st.composite
def running(draw: st.DrawFn) -> Standing:
    """A service in the middle of a period of its own schedule."""
    anchor = draw(st.dates(date(2020, 1, 1), date(2030, 12, 31)))
    months = draw(MONTHS)
    next_due = add_months(anchor, months * draw(st.integers(1, 8)), anchor_day=anchor.day)
    return Standing(Terms(draw(AMOUNTS.filter(bool)), months), anchor, next_due)


@st.composite
def running_on(draw: st.DrawFn) -> tuple[Standing, date]:
    old = draw(running())
    days = draw(st.integers(0, 31 * old.terms.cycle_months))
    return old, old.next_due - timedelta(days=days)


def after(price: ChangePrice, new: Terms) -> Standing:
    return Standing(new, price.anchor, price.next_due)


@given(running_on(), TERMS)
def test_there_and_back_on_one_day_costs_and_gives_nothing(case, new):
    old, today = case
    there = change(old, new, today=today)
    assume(not there.restarts)
    # A yearly schedule in February cannot remember that it once was the 31st.
    assume(old.anchor.day <= 28 or new.cycle_months == old.terms.cycle_months)

    back = change(after(there, new), old.terms, today=today)

    if not back.restarts:  # from free to paid starts anew and is paid in full
        assert there.payable + back.payable == 0
        assert back.next_due == old.next_due


@given(running_on(), TERMS.filter(lambda t: t.amount), TERMS)
def test_two_changes_on_one_day_cost_what_one_does(case, middle, new):
    old, today = case
    assume(old.anchor.day <= 28)
    first = change(old, middle, today=today)
    second = change(after(first, middle), new, today=today)

    at_once = change(old, new, today=today)

    assert first.payable + second.payable == at_once.payable


@given(running_on(), TERMS.filter(lambda t: t.amount))
def test_there_and_back_with_new_cycles_costs_what_the_fresh_cycle_is_worth(case, new):
    old, today = case
    there = change(old, new, today=today, policy=RESTART)

    back = change(after(there, new), old.terms, today=today, policy=RESTART)

    assert there.payable + back.payable == old.terms.amount - there.credit
    assert back.next_due == add_months(today, old.terms.cycle_months, anchor_day=today.day)


@given(running_on(), st.integers(0, 400), AMOUNTS)
def test_an_excursion_to_something_dearer_is_paid_for_its_days(case, stay, more):
    old, today = case
    until = min(today + timedelta(days=stay), old.next_due)
    dear = Terms(old.terms.amount + more, old.terms.cycle_months)
    there = change(old, dear, today=today)

    back = change(after(there, dear), old.terms, today=until)

    assert there.payable + back.payable >= Decimal("-0.02")
    if until == old.next_due:
        assert back.payable == 0


@given(running_on(), TERMS, st.sampled_from(ChangePolicy))
def test_the_next_due_date_is_always_on_the_new_schedule(case, new, policy):
    old, today = case

    price = change(old, new, today=today, policy=policy)

    assert price.payable == price.debit - price.credit - price.discount
    recurring_periods_due(
        anchor=price.anchor,
        cycle_months=new.cycle_months,
        billed_until=price.next_due,
        today=price.next_due,
        lead_days=0,
    )
    assert price.anchor <= price.next_due
