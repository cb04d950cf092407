"""When periods and usage windows are due to be invoiced."""

from datetime import date, datetime, timedelta

from billing_portal.errors import PortalError

from .periods import Period, add_months, in_utc, local_midnight, slices_from


class OffSchedule(PortalError):
    """A service is billed until a day on which none of its periods starts."""


def recurring_periods_due(
    *, anchor: date, cycle_months: int, billed_until: date, today: date, lead_days: int
) -> list[tuple[date, date]]:
    """The periods `[start, end)` to invoice by `today`, oldest first.

    A period is due `lead_days` before it starts.  Periods are counted from `anchor`, and
    those before `billed_until` (the end of the last one invoiced) are done.  A run that
    comes late returns all it missed.
    Raises OffSchedule if no period starts on `billed_until`, ValueError for a cycle
    without months.
    """
    if cycle_months < 1:
        raise ValueError(f"A cycle has at least one month, not {cycle_months}.")
    last_start = today + timedelta(days=lead_days)
    index = _period_index(anchor, billed_until, cycle_months=cycle_months)
    due = []
    start = max(anchor, billed_until)
    while start <= last_start:
        index += 1
        end = add_months(anchor, index * cycle_months, anchor_day=anchor.day)
        due.append((start, end))
        start = end
    return due


def is_period_start(day: date, *, anchor: date, cycle_months: int) -> bool:
    """Whether a period counted from `anchor` begins on `day`."""
    if day < anchor:
        return False
    try:
        _period_index(anchor, day, cycle_months=cycle_months)
    except OffSchedule:
        return False
    return True


def usage_windows_due(
    *,
    anchor: date,
    timezone: str,
    closed: frozenset[datetime],
    at: datetime,
    settle: timedelta,
    ended_at: datetime | None,
) -> list[Period]:
    """The monthly windows whose usage may be charged at `at`, oldest first.

    A window is due `settle` after it ends, so that late records are in; if the service
    ended inside it, `settle` after that.  It is always the whole month, because the
    monthly price is spread over all of it.  `closed` holds the starts of windows already
    charged.  One more window follows the one of the end, for records that came late; it
    is due when it is over, and none starts after it.

        window   |-------------------------|-------------------------|
        ended              x
        due                   x + settle                               end + settle
    """
    at, ended_at = in_utc(at), ended_at and in_utc(ended_at)
    due: list[Period] = []
    for window in slices_from(anchor, timezone=timezone):
        is_late = ended_at is not None and ended_at <= window.start
        if is_late and window.start == local_midnight(anchor, timezone):
            return []  # it ended before it began
        complete_at = min(window.end, ended_at) if ended_at and not is_late else window.end
        if complete_at + settle > at:
            break
        if window.start not in closed:
            due.append(window)
        if is_late:
            break
    return due


def _period_index(anchor: date, start: date, *, cycle_months: int) -> int:
    """Which period of the schedule starts on `start`; 0 for any day up to the anchor."""
    if start <= anchor:
        return 0
    months = (start.year - anchor.year) * 12 + start.month - anchor.month
    index, rest = divmod(months, cycle_months)
    if rest or add_months(anchor, months, anchor_day=anchor.day) != start:
        raise OffSchedule(
            f"Billed until {start}, but periods of {cycle_months} months from {anchor} "
            "do not start on that day."
        )
    return index
