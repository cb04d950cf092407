"""Periods are due before they start, usage after its window has ended and settled."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_portal.calc.due import OffSchedule, recurring_periods_due, usage_windows_due
from billing_portal.calc.periods import Period


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


# --- recurring_periods_due ----------------------------------------------------------------


def periods_due(
    *, anchor: str, billed_until: str, today: str, cycle_months: int = 1, lead_days: int = 0
) -> list[str]:
    periods = recurring_periods_due(
        anchor=date.fromisoformat(anchor),
        cycle_months=cycle_months,
        billed_until=date.fromisoformat(billed_until),
        today=date.fromisoformat(today),
        lead_days=lead_days,
    )
    return [f"{start} {end}" for start, end in periods]


def test_a_period_is_due_on_the_day_it_starts():
    def due(today: str) -> list[str]:
        return periods_due(anchor="2026-01-31", billed_until="2026-03-31", today=today)

    assert due("2026-03-30") == []
    assert due("2026-03-31") == ["2026-03-31 2026-04-30"]
    assert due("2026-04-29") == ["2026-03-31 2026-04-30"]


def test_a_period_is_due_the_lead_days_earlier():
    def due(today: str) -> list[str]:
        return periods_due(
            anchor="2026-01-31", billed_until="2026-03-31", today=today, lead_days=14
        )

    assert due("2026-03-16") == []
    assert due("2026-03-17") == ["2026-03-31 2026-04-30"]


def test_a_late_run_catches_up_period_by_period():
    assert periods_due(anchor="2026-01-31", billed_until="2026-01-31", today="2026-05-01") == [
        "2026-01-31 2026-02-28",
        "2026-02-28 2026-03-31",
        "2026-03-31 2026-04-30",
        "2026-04-30 2026-05-31",
    ]


def test_nothing_is_due_while_billed_ahead():
    assert periods_due(anchor="2026-01-31", billed_until="2026-04-30", today="2026-03-31") == []


def test_a_service_never_billed_starts_at_its_anchor():
    assert periods_due(anchor="2026-02-10", billed_until="2026-01-01", today="2026-02-10") == [
        "2026-02-10 2026-03-10"
    ]


@pytest.mark.parametrize(
    ("cycle_months", "anchor", "billed_until", "expected"),
    [
        (3, "2025-11-30", "2026-02-28", "2026-02-28 2026-05-30"),
        (6, "2026-08-31", "2027-02-28", "2027-02-28 2027-08-31"),
        (12, "2024-02-29", "2027-02-28", "2027-02-28 2028-02-29"),
        (36, "2024-02-29", "2027-02-28", "2027-02-28 2030-02-28"),
    ],
)
def test_longer_cycles_keep_their_anchor(cycle_months, anchor, billed_until, expected):
    assert periods_due(
        anchor=anchor, billed_until=billed_until, today=billed_until, cycle_months=cycle_months
    ) == [expected]


@pytest.mark.parametrize(
    ("billed_until", "cycle_months"),
    [("2026-03-05", 1), ("2026-03-28", 1), ("2026-02-28", 3)],
)
def test_a_day_off_the_schedule_is_refused(billed_until, cycle_months):
    with pytest.raises(OffSchedule) as refusal:
        periods_due(
            anchor="2026-01-31",
            billed_until=billed_until,
            today="2026-06-01",
            cycle_months=cycle_months,
        )

    assert str(refusal.value) == (
        f"Billed until {billed_until}, but periods of {cycle_months} months from 2026-01-31 "
        "do not start on that day."
    )


def test_a_cycle_without_months_is_refused():
    with pytest.raises(ValueError, match="A cycle has at least one month, not 0"):
        periods_due(
            anchor="2026-01-31", billed_until="2026-01-31", today="2026-06-01", cycle_months=0
        )


@given(
    anchor=st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    cycle_months=st.sampled_from([1, 3, 6, 12, 24, 36]),
    days=st.lists(st.integers(0, 400), min_size=1, max_size=6),
    lead_days=st.integers(0, 30),
)
def test_many_runs_bill_what_one_late_run_would(anchor, cycle_months, days, lead_days):
    schedule = {"anchor": anchor, "cycle_months": cycle_months, "lead_days": lead_days}
    today, billed_until, seen = anchor, anchor, []
    for wait in days:
        today += timedelta(days=wait)
        due = recurring_periods_due(**schedule, billed_until=billed_until, today=today)
        billed_until = due[-1][1] if due else billed_until
        seen += due

    assert seen == recurring_periods_due(**schedule, billed_until=anchor, today=today)
    assert [end for _, end in seen[:-1]] == [start for start, _ in seen[1:]]


# --- usage_windows_due --------------------------------------------------------------------

JAN_31 = Period(utc(2026, 1, 31), utc(2026, 2, 28))
FEB_28 = Period(utc(2026, 2, 28), utc(2026, 3, 31))
MAR_31 = Period(utc(2026, 3, 31), utc(2026, 4, 30))


def windows_due(
    at: datetime,
    *,
    closed: tuple[Period, ...] = (),
    ended_at: datetime | None = None,
    timezone: str = "UTC",
) -> list[Period]:
    return usage_windows_due(
        anchor=date(2026, 1, 31),
        timezone=timezone,
        closed=frozenset(window.start for window in closed),
        at=at,
        settle=timedelta(hours=2),
        ended_at=ended_at,
    )


def test_a_window_is_due_once_late_records_are_in():
    assert windows_due(utc(2026, 2, 28, 1, 59, 59)) == []
    assert windows_due(utc(2026, 2, 28, 2)) == [JAN_31]
    assert windows_due(utc(2026, 3, 31, 1, 59, 59)) == [JAN_31]


def test_closed_windows_are_left_out_and_missed_ones_caught_up():
    assert windows_due(utc(2026, 5, 1), closed=(FEB_28,)) == [JAN_31, MAR_31]
    assert windows_due(utc(2026, 5, 1), closed=(JAN_31, FEB_28, MAR_31)) == []


def test_a_closed_window_is_known_by_its_moment_not_its_zone():
    due = usage_windows_due(
        anchor=date(2026, 1, 31),
        timezone="UTC",
        closed=frozenset({datetime.fromisoformat("2026-01-31T01:00:00+01:00")}),
        at=utc(2026, 3, 1),
        settle=timedelta(hours=2),
        ended_at=None,
    )

    assert due == []


def test_the_last_window_is_due_soon_after_the_service_ended_and_still_whole():
    ended_at = utc(2026, 3, 10, 12)

    assert windows_due(utc(2026, 3, 10, 13, 59), closed=(JAN_31,), ended_at=ended_at) == []
    assert windows_due(utc(2026, 3, 10, 14), closed=(JAN_31,), ended_at=ended_at) == [FEB_28]


def test_one_window_follows_the_end_for_what_came_late_and_is_due_when_over():
    ended_at = utc(2026, 3, 10, 12)
    closed = (JAN_31, FEB_28)

    assert windows_due(utc(2026, 4, 30, 1, 59), closed=closed, ended_at=ended_at) == []
    assert windows_due(utc(2026, 4, 30, 2), closed=closed, ended_at=ended_at) == [MAR_31]
    assert windows_due(utc(2027, 1, 1), closed=(*closed, MAR_31), ended_at=ended_at) == []


def test_a_window_that_starts_when_the_service_ends_is_the_late_one():
    assert windows_due(utc(2027, 1, 1), ended_at=FEB_28.start) == [JAN_31, FEB_28]
    assert windows_due(utc(2027, 1, 1), ended_at=FEB_28.start + timedelta(microseconds=1)) == [
        JAN_31,
        FEB_28,
        MAR_31,
    ]


def test_what_ended_before_it_began_has_no_window():
    assert windows_due(utc(2027, 1, 1), ended_at=utc(2026, 1, 31)) == []
    assert windows_due(utc(2027, 1, 1), ended_at=utc(2025, 6, 1)) == []


def test_a_service_that_will_end_later_is_billed_as_usual():
    assert windows_due(utc(2026, 3, 1), ended_at=utc(2026, 3, 10)) == [JAN_31]


def test_windows_are_months_of_the_sellers_zone():
    february = Period(utc(2026, 1, 30, 23), utc(2026, 2, 27, 23))

    assert windows_due(utc(2026, 2, 28, 0, 59), timezone="Europe/Berlin") == []
    assert windows_due(utc(2026, 2, 28, 1), timezone="Europe/Berlin") == [february]


def test_before_the_anchor_nothing_is_due():
    assert windows_due(utc(2026, 1, 1)) == []


@pytest.mark.parametrize("at", [datetime(2026, 5, 1)])
def test_a_moment_without_offset_is_refused(at):
    with pytest.raises(ValueError, match="2026-05-01 00:00:00 has no time zone"):
        windows_due(at)
    with pytest.raises(ValueError, match="2026-05-01 00:00:00 has no time zone"):
        windows_due(utc(2026, 6, 1), ended_at=at)
