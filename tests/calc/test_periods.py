"""Periods are half-open and in real time; months are counted from the anchor."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_portal.calc.periods import (
    Period,
    UnknownTimezone,
    add_months,
    local_date,
    local_midnight,
    month_slice,
    slices_until,
)

BERLIN = ZoneInfo("Europe/Berlin")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


NOVEMBER = Period(utc(2026, 11, 1), utc(2026, 12, 1))


# --- Period -------------------------------------------------------------------------------


def test_a_period_knows_its_length_exactly():
    period = Period(utc(2026, 1, 18, 13, 31), utc(2026, 1, 19, 1, 0, 0, 500_000))

    assert period.microseconds == 41_340_500_000
    assert period.seconds == Fraction(82681, 2)
    assert period.hours == Fraction(82681, 7200)


def test_a_period_across_a_clock_change_has_its_real_length():
    march = Period(datetime(2026, 3, 1, tzinfo=BERLIN), datetime(2026, 4, 1, tzinfo=BERLIN))

    assert march.hours == 743
    assert march == Period(utc(2026, 2, 28, 23), utc(2026, 3, 31, 22))
    assert (march.start.tzinfo, march.end.tzinfo) == (UTC, UTC)


def test_the_repeated_hour_is_a_period():
    # 02:30 summer time to 02:30 winter time: equal on the wall clock.
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)

    assert Period(first, first.replace(fold=1)).hours == 1


@pytest.mark.parametrize("end", [utc(2026, 11, 1), utc(2026, 10, 31)])
def test_a_period_must_end_after_it_starts(end):
    with pytest.raises(ValueError, match="A period must end after it starts"):
        Period(utc(2026, 11, 1), end)


def test_a_moment_without_offset_is_refused():
    with pytest.raises(ValueError, match="2026-11-01 00:00:00 has no time zone"):
        Period(datetime(2026, 11, 1), utc(2026, 12, 1))
    with pytest.raises(ValueError, match="2026-12-01 00:00:00 has no time zone"):
        Period(utc(2026, 11, 1), datetime(2026, 12, 1))
    with pytest.raises(ValueError, match="2026-11-02 00:00:00 has no time zone"):
        NOVEMBER.contains(datetime(2026, 11, 2))


def test_the_start_belongs_to_a_period_and_the_end_does_not():
    assert NOVEMBER.contains(utc(2026, 11, 1))
    assert NOVEMBER.contains(utc(2026, 11, 30, 23, 59, 59, 999_999))
    assert not NOVEMBER.contains(utc(2026, 12, 1))
    assert not NOVEMBER.contains(utc(2026, 10, 31, 23, 59, 59, 999_999))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (utc(2026, 10, 1), utc(2027, 1, 1), NOVEMBER),
        (utc(2026, 10, 1), utc(2026, 11, 5), Period(utc(2026, 11, 1), utc(2026, 11, 5))),
        (utc(2026, 11, 5), utc(2026, 11, 7), Period(utc(2026, 11, 5), utc(2026, 11, 7))),
        (utc(2026, 11, 20), utc(2027, 1, 1), Period(utc(2026, 11, 20), utc(2026, 12, 1))),
        (utc(2026, 10, 1), utc(2026, 11, 1), None),
        (utc(2026, 12, 1), utc(2027, 1, 1), None),
        (utc(2026, 11, 7), utc(2026, 11, 7), None),
        (utc(2026, 11, 7), utc(2026, 11, 5), None),
    ],
)
def test_the_overlap_is_what_both_have(start, end, expected):
    assert NOVEMBER.overlap(start, end) == expected


# --- Months -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("anchor", "months", "expected"),
    [
        (
            date(2026, 1, 31),
            1,
            ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"],
        ),
        (date(2026, 1, 30), 1, ["2026-02-28", "2026-03-30", "2026-04-30"]),
        (date(2024, 2, 29), 12, ["2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]),
        (date(2026, 8, 31), 6, ["2027-02-28", "2027-08-31", "2028-02-29"]),
        (date(2026, 12, 15), 1, ["2027-01-15", "2027-02-15"]),
    ],
)
def test_month_ends_never_drift(anchor, months, expected):
    """Step by step, as a next due date is advanced, and straight from the anchor."""
    day, steps = anchor, []
    for _ in expected:
        day = add_months(day, months, anchor_day=anchor.day)
        steps.append(day.isoformat())

    jumps = [
        add_months(anchor, months * n, anchor_day=anchor.day).isoformat()
        for n in range(1, len(expected) + 1)
    ]
    assert steps == expected
    assert jumps == expected


def test_months_can_be_taken_away():
    assert add_months(date(2026, 3, 31), -1, anchor_day=31) == date(2026, 2, 28)
    assert add_months(date(2026, 1, 15), -13, anchor_day=15) == date(2024, 12, 15)
    assert add_months(date(2026, 2, 28), 0, anchor_day=31) == date(2026, 2, 28)


@pytest.mark.parametrize("anchor_day", [0, -1, 32])
def test_an_anchor_day_is_a_day_of_a_month(anchor_day):
    with pytest.raises(ValueError, match=f"{anchor_day} is not a day of a month"):
        add_months(date(2026, 1, 1), 1, anchor_day=anchor_day)


@pytest.mark.parametrize(
    ("day", "timezone", "moment"),
    [
        (date(2026, 1, 18), "UTC", utc(2026, 1, 18)),
        (date(2026, 1, 18), "Europe/Berlin", utc(2026, 1, 17, 23)),
        (date(2026, 7, 18), "Europe/Berlin", utc(2026, 7, 17, 22)),
        (date(2026, 1, 18), "Asia/Kathmandu", utc(2026, 1, 17, 18, 15)),
        # Clocks go from 00:00 to 01:00: the day starts at 01:00 (-03:00).
        (date(2018, 11, 4), "America/Sao_Paulo", utc(2018, 11, 4, 3)),
        # Clocks go from 01:00 back to 00:00: the day starts at the first 00:00 (-04:00).
        (date(2026, 11, 1), "America/Havana", utc(2026, 11, 1, 4)),
    ],
)
def test_a_day_starts_at_local_midnight(day, timezone, moment):
    assert local_midnight(day, timezone) == moment
    assert local_date(moment, timezone) == day
    assert local_date(moment - timedelta(microseconds=1), timezone) < day


@pytest.mark.parametrize("timezone", ["", "Mars/Olympus", "../etc/passwd", "Europe", "/etc/hosts"])
def test_an_unknown_time_zone_is_refused_by_name(timezone):
    with pytest.raises(UnknownTimezone) as refusal:
        local_midnight(date(2026, 1, 1), timezone)

    assert str(refusal.value) == f"{timezone!r} is not a time zone such as Europe/Berlin."


def test_slices_are_counted_from_the_anchor():
    slices = [month_slice(date(2026, 1, 31), index, timezone="UTC") for index in range(3)]

    assert slices == [
        Period(utc(2026, 1, 31), utc(2026, 2, 28)),
        Period(utc(2026, 2, 28), utc(2026, 3, 31)),
        Period(utc(2026, 3, 31), utc(2026, 4, 30)),
    ]


def test_a_slice_can_have_several_months():
    assert month_slice(date(2026, 8, 31), 1, timezone="UTC", months=6) == Period(
        utc(2027, 2, 28), utc(2027, 8, 31)
    )


def test_slices_run_from_local_midnight_to_local_midnight():
    march, october = (
        month_slice(date(2026, 3, 1), index, timezone="Europe/Berlin") for index in (0, 7)
    )

    assert (march.hours, october.hours) == (743, 745)
    assert october == Period(utc(2026, 9, 30, 22), utc(2026, 10, 31, 23))


def test_a_slice_has_ended_at_its_end_and_not_before():
    anchor = date(2026, 1, 31)
    february = Period(utc(2026, 1, 31), utc(2026, 2, 28))
    march = Period(utc(2026, 2, 28), utc(2026, 3, 31))

    assert slices_until(anchor, utc(2026, 1, 1), timezone="UTC") == []
    assert slices_until(anchor, utc(2026, 2, 27, 23, 59, 59), timezone="UTC") == []
    assert slices_until(anchor, utc(2026, 2, 28), timezone="UTC") == [february]
    assert slices_until(anchor, utc(2026, 4, 1), timezone="UTC") == [february, march]
    assert slices_until(anchor, utc(2027, 1, 30), timezone="UTC", months=12) == []


@given(
    anchor=st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    count=st.integers(1, 40),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_slices_follow_each_other_without_gap(anchor, count, timezone):
    slices = [month_slice(anchor, index, timezone=timezone) for index in range(count)]

    assert slices[0].start == local_midnight(anchor, timezone)
    assert [one.end for one in slices[:-1]] == [one.start for one in slices[1:]]
