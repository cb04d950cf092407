"""Calls by the calendar days of the seller, for the chart and the table beneath it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate

from billing_portal.calc.periods import Period
from pbx.models import MICRO, Call


@dataclass(frozen=True, slots=True)
class DayOfCalls:
    """The calls of one day that cost something; `amount` has 6 decimals."""

    date: date
    calls: int
    amount: Decimal


def calls_by_day(service_id: int, period: Period, *, timezone: str) -> list[DayOfCalls]:
    """The days of `period` on which the service made rated calls, oldest first."""
    rows = (
        Call.objects.filter(
            service_id=service_id,
            rating=Call.Rating.RATED,
            started_at__gte=period.start,
            started_at__lt=period.end,
        )
        .order_by()
        .annotate(day=TruncDate("started_at", tzinfo=ZoneInfo(timezone)))
        .values("day")
        .annotate(number=Count("pk"), micros=Sum("amount_micros"))
        .order_by("day")
    )
    return [DayOfCalls(row["day"], row["number"], row["micros"] * MICRO) for row in rows]
