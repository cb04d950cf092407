"""Reading the rules, and which days are due or done."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Max, QuerySet

from billing_portal.automation.models import AutomationSettings, PlannedTermination, TaskRun
from billing_portal.calc.periods import local_date

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BusinessDay:
    """The day whose work is done, the moment at which it really is, and the rules.

    While a portal catches up, `today` is later than `day`; in a rehearsal of a day to
    come it is that day.
    """

    day: date
    at: datetime
    rules: AutomationSettings

    @property
    def today(self) -> date:
        return max(self.day, local_date(self.at, settings.SELLER_TIMEZONE))


def rules() -> AutomationSettings:
    """The settings row; the defaults as long as nobody changed them."""
    return AutomationSettings.objects.filter(pk=1).first() or AutomationSettings(pk=1)


def days_due(at: datetime, *, daily_hour: int) -> list[date]:
    """Business days nobody has begun, in order; the last is today once its hour has come.

    A portal that never ran starts with today: what was before it is not caught up.
    """
    local = at.astimezone(ZoneInfo(settings.SELLER_TIMEZONE))
    last = local.date() if local.hour >= daily_hour else local.date() - DAY
    latest = TaskRun.objects.aggregate(day=Max("business_day"))["day"]
    if latest is None:
        return [last] if last == local.date() else []
    return [latest + number * DAY for number in range(1, (last - latest).days + 1)]


def runs_between(first: date, last: date) -> QuerySet[TaskRun]:
    """The runs of these days, both included, in the order of the work."""
    return TaskRun.objects.filter(business_day__range=(first, last))


def planned_termination(service_id: int) -> PlannedTermination | None:
    """The deletion that awaits a service, if one does."""
    return PlannedTermination.objects.filter(
        service_id=service_id, carried_out_at__isnull=True, withdrawn_at__isnull=True
    ).first()
