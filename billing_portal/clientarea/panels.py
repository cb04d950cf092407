"""The part of a service's page that depends on what it is: a datastore or a PBX.

Pages know no module by name except here, by `product.module_key`.  A panel is data; the
template it names prints it.  Everything is read from the portal's own rows, so the page
works while the vendor is down.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.conf import settings

from backups import queries as backups
from backups.models import Datastore
from backups.queries import SizeStep
from billing_portal.calc.money import exact, round_money
from billing_portal.calc.periods import Period
from billing_portal.calc.proration import SizeChange, average_gb, in_time_order, prorate_sizes
from billing_portal.calc.tiers import amount_of
from billing_portal.clientarea import charts, credentials, offers
from billing_portal.clientarea.credentials import Row
from billing_portal.clientarea.days import DayOfCalls, calls_by_day
from billing_portal.clientarea.outlook import current_window
from billing_portal.services.models import Service
from pbx import queries as pbx
from pbx.models import Call
from provisioning import registry
from provisioning.contract import Capability
from provisioning.models import Placement

HISTORY = timedelta(days=60)
DAY = timedelta(days=1)
LATEST_CALLS = 5
SHORTEST_CHART = timedelta(hours=1)
"""Before the first hourly reading there is no history to draw."""


@dataclass(frozen=True, slots=True)
class DatastorePanel:
    """A datastore: how to connect, what it costs, how its size went.

    `cost_so_far` and `forecast` are None without a price or a size.
    """

    rows: list[Row]
    command: str
    repository: str
    period: Period
    datastore: Datastore | None
    cost_so_far: Decimal | None
    forecast: Decimal | None
    steps: list[SizeStep]
    gaps: list[Period]
    chart: dict[str, Any] | None
    next_reading: datetime
    keeps_running: bool
    template: str = "clientarea/panels/datastore.html"


@dataclass(frozen=True, slots=True)
class PbxPanel:
    """A PBX: its phones, what the calls of this period cost, the latest ones."""

    rows: list[Row]
    extensions: list[Row]
    period: Period
    calls_made: int
    minutes: Decimal
    cost_so_far: Decimal
    forecast: Decimal | None
    unrated: int
    days: list[DayOfCalls]
    chart: dict[str, Any] | None
    calls: list[Call]
    keeps_running: bool
    template: str = "clientarea/panels/pbx.html"


Panel = DatastorePanel | PbxPanel


def panel(service: Service, placement: Placement | None, *, at: datetime) -> Panel | None:
    """The panel of a service's family; None for other modules and before it is set up."""
    make = PANELS.get(service.product.module_key)
    if make is None or service.activated_at is None:
        return None
    return make(service, placement, at)


def _datastore(service: Service, placement: Placement | None, at: datetime) -> DatastorePanel:
    window = current_window(service, at)
    history = Period(max(service.created_at, at - HISTORY), at + timedelta(seconds=1))
    datastore = backups.datastore_of(service.pk)
    stands = datastore is not None and not (datastore.deleted_at or datastore.missing_at)
    steps = backups.size_steps(service.pk, history)
    if datastore and stands:
        steps = _up_to(at, steps, datastore)
    long_enough = bool(steps) and at - steps[0].starts_at >= SHORTEST_CHART
    costs = _Costs(service, window, steps)
    return DatastorePanel(
        rows=credentials.datastore_rows(placement) if placement else [],
        command=credentials.commands(placement) if placement else "",
        repository=credentials.repository(placement) if placement else "",
        period=window,
        datastore=datastore,
        cost_so_far=costs.until(at, stands=stands),
        forecast=costs.until(window.end, stands=stands),
        steps=steps[::-1],
        gaps=backups.recording_gaps(service.pk, history),
        chart=charts.size_chart(steps, history, timezone=settings.SELLER_TIMEZONE)
        if long_enough
        else None,
        next_reading=at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1),
        keeps_running=_keeps_running(service),
    )


def _up_to(at: datetime, steps: list[SizeStep], datastore: Datastore) -> list[SizeStep]:
    """The steps with the present size drawn on to `at`, as it stands until something else is seen.

    steps       |--500--|--1000--|
    last seen                    |
    up to at    |--500--|--1000------|
    """
    now = SizeStep(datastore.last_seen_at, at, datastore.size_gb, "poll")
    if not steps or steps[-1].size_gb != now.size_gb:
        return [*steps, now]
    return [*steps[:-1], replace(steps[-1], ends_at=at)]


@dataclass(frozen=True, slots=True)
class _Costs:
    """What the sizes cost in one month's window, up to a moment."""

    service: Service
    window: Period
    steps: list[SizeStep]

    def until(self, end: datetime, *, stands: bool) -> Decimal | None:
        """The cost of the window's hours before `end`; what stands is taken to stand until then.

        None if there is no agreed price or nothing was seen yet.
        """
        agreed = offers.meters(self.service.product, self.service.usage_prices.all())
        meter = next((one for one in agreed if one.is_monthly), None)
        if meter is None or not self.steps:
            return None
        ordered_at = self.service.created_at
        changes = [SizeChange(max(step.starts_at, ordered_at), step.size_gb) for step in self.steps]
        ends_at = end if stands else min(end, self.steps[-1].ends_at)
        changes.append(SizeChange(max(ends_at, ordered_at), 0))
        segments = prorate_sizes(
            in_time_order(changes),
            period=self.window,
            price_per_gb=exact(meter.price) / meter.metric.per,
        )
        if not segments:
            return round_money(0, self.service.currency)
        average = average_gb(segments, self.window)
        return round_money(amount_of(average, meter.pricing), self.service.currency)


def _pbx(service: Service, placement: Placement | None, at: datetime) -> PbxPanel:
    window = current_window(service, at)
    totals = pbx.call_totals(service.pk, period=window, direction=Call.Direction.OUTBOUND)
    timezone, currency = settings.SELLER_TIMEZONE, service.currency
    days = calls_by_day(service.pk, window, timezone=timezone)
    chart = charts.call_chart(days, window, currency=currency, timezone=timezone)
    return PbxPanel(
        rows=credentials.phone_rows(placement) if placement else [],
        extensions=credentials.extension_rows(placement) if placement else [],
        period=window,
        calls_made=totals.calls,
        minutes=Decimal(totals.billed_s) / 60,
        cost_so_far=round_money(totals.amount, currency),
        forecast=_projected(totals.amount, window, since=service.activated_at, at=at, to=currency),
        unrated=totals.unrated,
        days=days[::-1],
        chart=chart if days else None,
        calls=list(pbx.call_page(service.pk, limit=LATEST_CALLS).calls),
        keeps_running=_keeps_running(service),
    )


def _projected(
    amount: Decimal, window: Period, *, since: datetime | None, at: datetime, to: str
) -> Decimal | None:
    """The cost of the whole window if calls go on as they did; None in the first day."""
    begun = max(window.start, since or window.start)
    if at - begun < DAY:
        return None
    rest = Fraction((window.end - begun) // timedelta(seconds=1))
    return round_money(exact(amount) * rest / ((at - begun) // timedelta(seconds=1)), to)


def _keeps_running(service: Service) -> bool:
    """Whether a suspension leaves the remote side as it is, because the vendor has none."""
    module = registry.module_class(service.product.module_key)
    return Capability.SUSPEND not in module.capabilities


PANELS: Mapping[str, Callable[[Service, Placement | None, datetime], Panel]] = {
    "remote_backups": _datastore,
    "fusionpbx": _pbx,
}
