"""The first invoice of a service whose periods begin on one day of the month."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest

from billing_portal.calc.due import recurring_periods_due
from billing_portal.calc.first_period import FirstPeriods, Stretch, first_periods, share_of
from billing_portal.calc.money import exact, round_money


def amounts(found: FirstPeriods, price: str) -> list[str]:
    """What each stretch costs, rounded once."""
    return [f"{round_money(exact(Decimal(price)) * one.share, 'EUR')}" for one in found.stretches]


@pytest.mark.parametrize(
    ("day", "day_of_month", "next_from", "months", "price", "charged", "next_due"),
    [
        ("2026-03-01", 1, 20, 1, "30.00", ["30.00"], "2026-04-01"),
        ("2026-03-10", 1, 20, 1, "30.00", ["21.29"], "2026-04-01"),
        ("2026-03-19", 1, 20, 1, "30.00", ["12.58"], "2026-04-01"),
        ("2026-03-20", 1, 20, 1, "30.00", ["11.61", "30.00"], "2026-05-01"),
        ("2026-03-31", 1, 20, 1, "30.00", ["0.97", "30.00"], "2026-05-01"),
        ("2024-02-20", 1, 20, 1, "30.00", ["10.34", "30.00"], "2024-04-01"),
        ("2026-03-10", 15, None, 1, "30.00", ["5.36"], "2026-03-15"),
        ("2026-03-10", 1, None, 12, "300.00", ["18.08"], "2026-04-01"),
        # The threshold is for monthly cycles only, and the day itself never has a stub.
        ("2026-03-20", 1, 20, 3, "90.00", ["12.00"], "2026-04-01"),
        ("2026-03-25", 25, 20, 1, "30.00", ["30.00"], "2026-04-25"),
        ("2026-12-20", 15, 20, 1, "31.00", ["26.00", "31.00"], "2027-02-15"),
    ],
)
def test_the_first_invoice_covers_the_days_up_to_the_day(
    day, day_of_month, next_from, months, price, charged, next_due
):
    found = first_periods(
        date.fromisoformat(day),
        cycle_months=months,
        prorata_day=day_of_month,
        next_from=next_from,
    )

    assert amounts(found, price) == charged
    assert found.billed_until.isoformat() == next_due
    assert found.stretches[0].start.isoformat() == day


def test_the_stub_and_the_following_month_are_stretches_of_their_own():
    found = first_periods(date(2026, 3, 20), cycle_months=1, prorata_day=1, next_from=20)

    assert found == FirstPeriods(
        (
            Stretch(date(2026, 3, 20), date(2026, 4, 1), Fraction(12, 31)),
            Stretch(date(2026, 4, 1), date(2026, 5, 1)),
        ),
        anchor=date(2026, 4, 1),
        usage_anchor=date(2026, 3, 1),
    )


def test_without_a_day_the_first_period_is_whole_and_starts_on_the_day():
    found = first_periods(date(2026, 1, 31), cycle_months=1)

    assert found == FirstPeriods(
        (Stretch(date(2026, 1, 31), date(2026, 2, 28)),), date(2026, 1, 31), date(2026, 1, 31)
    )


def test_what_is_paid_once_has_a_period_without_length_whatever_the_day():
    found = first_periods(date(2026, 3, 10), cycle_months=0, prorata_day=1, next_from=1)

    assert found.stretches == (Stretch(date(2026, 3, 10), date(2026, 3, 10)),)


@pytest.mark.parametrize(
    ("day", "months", "anchor", "starts"),
    [
        ("2026-02-10", 1, "2026-01-31", ["2026-02-28", "2026-03-31", "2026-04-30"]),
        ("2026-02-28", 1, "2026-01-31", ["2026-03-31", "2026-04-30", "2026-05-31"]),
        ("2026-04-10", 1, "2026-03-31", ["2026-04-30", "2026-05-31", "2026-06-30"]),
        ("2026-02-10", 3, "2025-08-31", ["2026-02-28", "2026-05-31", "2026-08-31"]),
        ("2026-02-10", 12, "2024-02-29", ["2026-02-28", "2027-02-28", "2028-02-29"]),
    ],
)
def test_the_31st_comes_back_after_a_first_period_in_a_short_month(day, months, anchor, starts):
    found = first_periods(date.fromisoformat(day), cycle_months=months, prorata_day=31)
    later = recurring_periods_due(
        anchor=found.anchor,
        cycle_months=months,
        billed_until=found.billed_until,
        today=date.fromisoformat(starts[-1]),
        lead_days=0,
    )

    assert found.anchor.isoformat() == anchor
    assert [start.isoformat() for start, _ in later] == starts


@pytest.mark.parametrize("seed", range(300))
def test_whole_periods_follow_the_first_ones_without_gap_or_overlap(seed):
    rng = Random(seed)
    day = date(2023, 1, 1) + timedelta(days=rng.randrange(2000))
    months = rng.choice([1, 3, 6, 12, 24, 36])
    found = first_periods(
        day,
        cycle_months=months,
        prorata_day=rng.randint(1, 31),
        next_from=rng.choice([None, rng.randint(1, 31)]),
    )
    later = recurring_periods_due(
        anchor=found.anchor,
        cycle_months=months,
        billed_until=found.billed_until,
        today=found.billed_until + timedelta(days=100 * months),
        lead_days=0,
    )

    periods = [(one.start, one.end) for one in found.stretches] + later
    assert [end for _, end in periods[:-1]] == [start for start, _ in periods[1:]]
    assert found.stretches[0].start == day
    assert 0 < found.stretches[0].share <= 1
    assert found.usage_anchor <= day


@pytest.mark.parametrize("seed", range(200))
def test_splitting_a_period_never_changes_what_is_owed(seed):
    rng = Random(seed)
    start = date(2024, 1, 1) + timedelta(days=rng.randrange(1500))
    end = start + timedelta(days=rng.choice([28, 29, 30, 31, 90, 365, 366]))
    cuts = sorted(rng.sample(range(1, (end - start).days), k=rng.randint(1, 8)))
    marks = [start, *(start + timedelta(days=cut) for cut in cuts), end]
    price = exact(Decimal(rng.randint(1, 99999)) / 100)

    parts = [
        price * share_of((marks[n], marks[n + 1]), (start, end)) for n in range(len(marks) - 1)
    ]

    assert sum(parts, Fraction()) == price


def test_ordering_on_any_day_of_a_month_or_the_one_before_it_adds_up_to_the_month():
    """The stub of a day is that of the next day and one day more."""
    stubs = [
        first_periods(date(2026, 3, day), cycle_months=1, prorata_day=1).stretches[0].share
        for day in range(1, 32)
    ]

    assert stubs[0] == 1
    assert {one - later for one, later in pairwise(stubs)} == {Fraction(1, 31)}
