"""Every size costs exactly as long as it stood."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_portal.calc.money import round_money, round_places
from billing_portal.calc.periods import Period
from billing_portal.calc.proration import (
    Segment,
    SizeChange,
    average_gb,
    in_time_order,
    prorate_sizes,
    total_amount,
)

PRICE = Decimal("0.01")
NOVEMBER = Period(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


def hours(count: int | Fraction) -> datetime:
    """So many hours into November."""
    return NOVEMBER.start + timedelta(microseconds=int(count * 3600 * 10**6))


def segments_of(*sizes: tuple[int, int | Decimal]) -> list[tuple[int | Decimal, Fraction]]:
    """(hour, size) pairs -> (size, hours it stood in November)."""
    changes = [SizeChange(hours(hour), size_gb) for hour, size_gb in sizes]
    segments = prorate_sizes(changes, period=NOVEMBER, price_per_gb=PRICE)
    return [(segment.size_gb, segment.period.hours) for segment in segments]


def owed(changes: list[SizeChange], period: Period = NOVEMBER) -> Fraction:
    return total_amount(prorate_sizes(changes, period=period, price_per_gb=PRICE))


def test_growth_mid_period_bills_each_size_for_its_hours():
    changes = [SizeChange(hours(0), 500), SizeChange(hours(200), 1000)]

    segments = prorate_sizes(changes, period=NOVEMBER, price_per_gb=PRICE)

    assert segments == [
        Segment(Period(hours(0), hours(200)), 500, Fraction(25, 18)),
        Segment(Period(hours(200), hours(720)), 1000, Fraction(65, 9)),
    ]
    assert total_amount(segments) == Fraction(155, 18)
    assert average_gb(segments, NOVEMBER) == Fraction(7750, 9)
    assert round_money(total_amount(segments), "EUR") == Decimal("8.61")


def test_minutes_count():
    start, end = (
        datetime(2026, 1, 18, 13, 31, tzinfo=UTC),
        datetime(2026, 2, 18, 13, 31, tzinfo=UTC),
    )
    changes = [SizeChange(start, 500), SizeChange(datetime(2026, 1, 19, 1, tzinfo=UTC), 600)]
    period = Period(start, end)

    segments = prorate_sizes(changes, period=period, price_per_gb=PRICE)

    assert average_gb(segments, period) == Fraction(1335755, 2232)
    assert round_places(average_gb(segments, period), 6) == Decimal("598.456541")
    assert round_money(total_amount(segments), "EUR") == Decimal("5.98")


def test_nothing_is_owed_before_the_first_change():
    assert segments_of((360, 500)) == [(500, 360)]


def test_size_0_ends_the_charge():
    assert segments_of((0, 500), (36, 0)) == [(500, 36)]


def test_a_size_may_come_back_after_0():
    assert segments_of((0, 500), (100, 0), (700, 600)) == [(500, 100), (600, 20)]


def test_a_size_from_before_the_period_is_carried_in():
    assert segments_of((-900, 400), (-100, 500), (20, 600)) == [(500, 20), (600, 700)]


def test_a_change_at_the_start_counts_and_one_at_the_end_does_not():
    assert segments_of((-1, 500), (0, 800), (720, 9000), (800, 100)) == [(800, 720)]


def test_the_later_of_two_changes_at_one_moment_counts():
    assert segments_of((0, 500), (360, 900), (360, 1000)) == [(500, 360), (1000, 360)]


def test_without_changes_nothing_is_owed():
    assert segments_of() == []
    assert total_amount([]) == 0
    assert average_gb([], NOVEMBER) == 0


def test_what_was_gone_before_the_period_costs_nothing():
    assert segments_of((-900, 500), (-100, 0)) == []


def test_bytes_off_the_grid_are_billed_exactly():
    # 500 GiB for all of November at 10.00 per 1000 GB.
    assert owed([SizeChange(hours(0), Decimal("536.870912"))]) == Fraction(536870912, 10**8)


def test_a_month_costs_the_same_however_long_it_is():
    february = Period(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))

    assert owed([SizeChange(february.start, 500)], february) == 5
    assert owed([SizeChange(NOVEMBER.start, 500)]) == 5


def test_changes_out_of_order_are_refused():
    changes = [SizeChange(hours(5), 500), SizeChange(hours(4), 600)]

    with pytest.raises(ValueError, match="Size changes must be in time order"):
        prorate_sizes(changes, period=NOVEMBER, price_per_gb=PRICE)


def test_a_change_must_say_its_offset():
    with pytest.raises(ValueError, match="2026-11-01 00:00:00 has no time zone"):
        SizeChange(datetime(2026, 11, 1), 500)


@pytest.mark.parametrize("size_gb", [-1, Decimal("-0.5")])
def test_a_negative_size_is_refused(size_gb):
    with pytest.raises(ValueError, match=f"A size cannot be negative: {size_gb} GB"):
        SizeChange(hours(0), size_gb)


def test_a_float_is_refused_as_size_and_as_price():
    with pytest.raises(TypeError, match=r"500\.0 is not exact"):
        SizeChange(hours(0), 500.0)
    with pytest.raises(TypeError, match=r"0\.01 is not exact"):
        prorate_sizes([], period=NOVEMBER, price_per_gb=0.01)


VECTORS = json.loads((Path(__file__).parents[1] / "backups/vectors.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_known_histories_have_their_known_averages_as_fractions(vector):
    changes = in_time_order(
        SizeChange(datetime.fromisoformat(at), Decimal(size_gb))
        for at, size_gb in vector["history"]
    )
    slices = [
        Period(datetime.fromisoformat(one["start"]), datetime.fromisoformat(one["end"]))
        for one in vector["slices"]
    ]

    averages = [
        average_gb(prorate_sizes(changes, period=one, price_per_gb=PRICE), one) for one in slices
    ]

    assert averages == [Fraction(one["average_gb"]) for one in vector["slices"]]
    assert [one.hours for one in slices] == [Fraction(one["hours"]) for one in vector["slices"]]


# --- in_time_order ------------------------------------------------------------------------


def test_records_in_any_order_become_a_history():
    records = [
        SizeChange(hours(300), 1000),
        SizeChange(hours(0), 500),
        SizeChange(hours(200), 800),
    ]

    assert in_time_order(records) == [
        SizeChange(hours(0), 500),
        SizeChange(hours(200), 800),
        SizeChange(hours(300), 1000),
    ]


def test_of_two_records_at_one_moment_the_last_given_wins():
    same_moment = hours(200).astimezone(ZoneInfo("Europe/Berlin"))
    records = [
        SizeChange(hours(200), 900),
        SizeChange(hours(0), 500),
        SizeChange(same_moment, 1000),
    ]

    assert in_time_order(records) == [SizeChange(hours(0), 500), SizeChange(hours(200), 1000)]


def test_hourly_records_of_one_size_are_one_change():
    records = [SizeChange(hours(h), 500 if h < 200 else 1000) for h in range(720)]

    assert in_time_order(records) == [SizeChange(hours(0), 500), SizeChange(hours(200), 1000)]


# --- Whatever happens ---------------------------------------------------------------------

moments = st.integers(-400 * 3600, 1100 * 3600).map(lambda s: NOVEMBER.start + timedelta(seconds=s))
sizes = st.one_of(
    st.integers(0, 20_000),
    st.decimals(0, 20_000, places=6, allow_nan=False, allow_infinity=False),
)
records = st.lists(st.builds(SizeChange, moments, sizes), max_size=12)
within = st.integers(1, 720 * 3600 - 1).map(lambda s: NOVEMBER.start + timedelta(seconds=s))


@given(records, within)
def test_splitting_a_period_never_changes_what_is_owed(history, cut):
    changes = in_time_order(history)
    halves = [Period(NOVEMBER.start, cut), Period(cut, NOVEMBER.end)]

    first, second = (owed(changes, half) * half.seconds / NOVEMBER.seconds for half in halves)

    assert first + second == owed(changes)


@given(records.flatmap(lambda drawn: st.tuples(st.just(drawn), st.permutations(drawn))))
def test_the_order_of_records_at_different_moments_does_not_matter(drawn):
    history, shuffled = drawn
    if len({record.at for record in history}) == len(history):
        assert in_time_order(shuffled) == in_time_order(history)


@given(records, st.lists(st.integers(0, 11), max_size=5))
def test_records_given_again_change_nothing(history, again):
    repeated = [history[index % len(history)] for index in again] if history else []

    assert in_time_order([*repeated, *history]) == in_time_order(history)


@given(records)
def test_unchanged_sizes_seen_again_change_nothing(history):
    changes = in_time_order(history)
    seen_again = [SizeChange(c.at + timedelta(microseconds=1), c.size_gb) for c in changes]

    assert in_time_order([*changes, *seen_again]) == changes


@given(records, st.timedeltas(timedelta(-2000), timedelta(2000)))
def test_moving_everything_in_time_changes_nothing(history, by):
    moved = [SizeChange(change.at + by, change.size_gb) for change in history]
    period = Period(NOVEMBER.start + by, NOVEMBER.end + by)

    assert owed(in_time_order(moved), period) == owed(in_time_order(history))


@given(records)
def test_segments_lie_in_the_period_in_order_and_without_overlap(history):
    segments = prorate_sizes(in_time_order(history), period=NOVEMBER, price_per_gb=PRICE)

    ends = [
        NOVEMBER.start,
        *(moment for s in segments for moment in (s.period.start, s.period.end)),
    ]
    assert [*ends, NOVEMBER.end] == sorted([*ends, NOVEMBER.end])
    assert all(segment.size_gb > 0 for segment in segments)
    assert average_gb(segments, NOVEMBER) * Fraction(PRICE) == total_amount(segments)


@given(records, st.integers(1, 9))
def test_what_is_owed_grows_with_the_sizes(history, factor):
    larger = [SizeChange(change.at, change.size_gb * factor) for change in history]

    assert owed(in_time_order(larger)) == factor * owed(in_time_order(history))
