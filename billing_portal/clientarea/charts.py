"""What the charts draw, computed here: numbers as texts, labels in the page's language.

The script only places points.  Moments are milliseconds, because a browser counts them so.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from backups.queries import SizeStep
from billing_portal.calc.periods import Period, local_midnight
from billing_portal.clientarea import printing
from billing_portal.clientarea.days import DayOfCalls

TICKS = 8
HOUR = timedelta(hours=1)
SHORT = timedelta(days=2)


def size_chart(steps: Sequence[SizeStep], period: Period, *, timezone: str) -> dict[str, Any]:
    """A step line: every size until the next one."""
    points = []
    for step in steps:
        text = f"{printing.quantity(step.size_gb)} GB"
        for at in (step.starts_at, step.ends_at):
            point = {"x": _ms(at), "y": str(step.size_gb), "when": printing.moment(at)}
            points.append({**point, "text": text})
    largest = max(Decimal(step.size_gb) for step in steps)
    return {
        "kind": "line",
        "unit": "GB",
        "start": _ms(period.start),
        "end": _ms(period.end),
        "top": str(largest * Decimal("1.1")),
        "ticks": _ticks(period, timezone),
        "series": [{"name": "Size", "step": True, "points": points}],
    }


def use_chart(
    points: Sequence[tuple[datetime, Decimal, Decimal]], period: Period, *, timezone: str
) -> dict[str, Any]:
    """Use as an area under the step line of the size: moments with used and provisioned GB."""

    def drawn(values: Iterable[tuple[datetime, Decimal]]) -> list[dict[str, Any]]:
        return [
            {
                "x": _ms(at),
                "y": str(gb),
                "when": printing.moment(at),
                "text": f"{printing.quantity(gb, places=1)} GB",
            }
            for at, gb in values
        ]

    return {
        "kind": "line",
        "unit": "GB",
        "start": _ms(period.start),
        "end": _ms(period.end),
        "top": str(max(total for _, _, total in points) * Decimal("1.1")),
        "ticks": _ticks(period, timezone),
        "series": [
            {"name": "Used", "area": True, "points": drawn((at, used) for at, used, _ in points)},
            {"name": "Size", "step": True, "points": drawn((at, total) for at, _, total in points)},
        ],
    }


def call_chart(
    days: Iterable[DayOfCalls], period: Period, *, currency: str, timezone: str
) -> dict[str, Any]:
    """Bars: what the calls of each day cost."""
    points = [
        {
            "x": _ms(local_midnight(day.date, timezone) + timedelta(hours=12)),
            "y": str(day.amount),
            "when": printing.day(day.date),
            "text": f"{printing.call_cost(day.amount, currency)}, {day.calls} calls",
        }
        for day in days
    ]
    return {
        "kind": "bars",
        "unit": currency,
        "start": _ms(period.start),
        "end": _ms(period.end),
        "top": "0",
        "ticks": _ticks(period, timezone),
        "series": [{"name": "Cost", "points": points}],
    }


def _ticks(period: Period, timezone: str) -> list[dict[str, Any]]:
    """Evenly spaced moments inside the period, at most `TICKS`: midnights, or hours of a day."""
    if period.end - period.start < SHORT:
        label, moments = printing.short_time, _hours(period)
    else:
        label, moments = printing.short_day, _midnights(period, timezone)
    spacing = -(-len(moments) // TICKS) or 1
    return [{"at": _ms(at), "label": label(at)} for at in moments[::spacing]]


def _hours(period: Period) -> list[datetime]:
    first = period.start.replace(minute=0, second=0, microsecond=0) + HOUR
    return [first + HOUR * n for n in range((period.end - first) // HOUR + 1)]


def _midnights(period: Period, timezone: str) -> list[datetime]:
    first, last = printing.local_day(period.start), printing.local_day(period.end)
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    midnights = [local_midnight(day, timezone) for day in days]
    return [at for at in midnights if period.start <= at < period.end]


def _ms(at: datetime) -> int:
    return int(at.timestamp()) * 1000
