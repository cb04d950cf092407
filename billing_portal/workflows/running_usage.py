"""How much services have used in the month that runs, of what is included and of their cap.

What stands (a datastore) counts as it will have stood when the month is over, if it stays
as it is: that is what will be billed.  What is counted (calls) counts as used so far.
Only the portal's own rows are read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import takewhile

from django.conf import settings

from billing_portal.calc.money import exact, round_money
from billing_portal.calc.periods import Period, local_date, slices_from
from billing_portal.calc.tiers import UnitPricing, amount_of
from billing_portal.errors import PortalError
from billing_portal.invoices import queries as billed
from billing_portal.products.metering import pricing_of
from billing_portal.services.models import Service
from billing_portal.services.queries import billable_statuses
from billing_portal.workflows.usage_windows import is_metered
from provisioning import registry
from provisioning.contract import Metric, Usage

NOTHING = Decimal(0)
Windows = Mapping[int, Period]
Usages = Mapping[int, Sequence[Usage]]


@dataclass(frozen=True, slots=True)
class Reading:
    """One meter: what counts as used, and what that costs.

    `included` is 0 where nothing is.  `units_so_far` and `cost_so_far` are for the time up to
    now; of what stands, 500 GB for half of the month are 250 GB.  `pricing` is None for what
    is not priced by a list.
    """

    metric: Metric
    used: Decimal
    units_so_far: Fraction
    included: Decimal
    cost_so_far: Decimal
    cost: Decimal
    pricing: UnitPricing | None


@dataclass(frozen=True, slots=True)
class RunningUsage:
    """The running month of one service.  `cap` is None without one."""

    window: Period
    currency: str
    cap: Decimal | None
    readings: tuple[Reading, ...]

    @property
    def cost_so_far(self) -> Decimal:
        return sum((reading.cost_so_far for reading in self.readings), NOTHING)

    @property
    def cost(self) -> Decimal:
        """What the month comes to with what stands left as it is, and nothing more counted."""
        return sum((reading.cost for reading in self.readings), NOTHING)

    def days_left(self, at: datetime) -> int:
        """Days until the month is over, today among them; 1 on its last day."""
        today, end = (local_date(one, settings.SELLER_TIMEZONE) for one in (at, self.window.end))
        return (end - today).days


def running_usage(services: Iterable[Service], *, at: datetime) -> dict[int, RunningUsage]:
    """By service: its running month.  Services that do not run, or have no meter, are missing.

    A few statements for all of them, if `product` and `usage_prices` are fetched along.
    Raises as `UsageSource.collect_usage` does.
    """
    by_module: dict[str, list[Service]] = {}
    for service in services:
        if service.activated_at and service.status in billable_statuses() and is_metered(service):
            by_module.setdefault(service.product.module_key, []).append(service)
    found: dict[int, RunningUsage] = {}
    for key, mine in by_module.items():
        found |= _of_module(key, mine, at=at)
    return found


def month_of(service: Service, *, at: datetime) -> RunningUsage | None:
    """One service's running month for its page; None if there is none or it cannot be read."""
    try:
        return running_usage([service], at=at).get(service.pk)
    except PortalError:
        return None


def running_window(service: Service, *, at: datetime) -> Period:
    """The month of usage `at` is in; the first one before it has begun."""
    windows = slices_from(service.usage_counted_from, timezone=settings.SELLER_TIMEZONE)
    return next(window for window in windows if at < window.end)


def _of_module(key: str, services: list[Service], *, at: datetime) -> dict[int, RunningUsage]:
    source = registry.usage_source(key)
    assert source is not None  # only metered services have usage
    metrics = registry.module_class(key).metrics
    windows = {service.pk: running_window(service, at=at) for service in services}
    whole: Usages = source.collect_usage(windows)
    begun = {pk: Period(window.start, at) for pk, window in windows.items() if window.start < at}
    stands = any(metric.stands for metric in metrics)
    so_far: Usages = source.collect_usage(begun) if stands and begun else whole
    mixed = _with_last_month(services, windows)
    return {
        service.pk: RunningUsage(
            window=windows[service.pk],
            currency=service.currency,
            cap=service.usage_cap,
            readings=tuple(
                _readings(
                    service,
                    metrics,
                    whole.get(service.pk, ()),
                    so_far.get(service.pk, ()) if service.pk in begun else (),
                    counts=service.pk not in mixed,
                )
            ),
        )
        for service in services
    }


def _with_last_month(services: Iterable[Service], windows: Windows) -> frozenset[int]:
    """Services whose last month is not charged yet: what is counted is still that month's too."""
    found = {}
    for service in services:
        last = _month_before(service, windows[service.pk])
        assert service.activated_at is not None  # only running services are asked about
        if last and service.activated_at < last.end:
            found[service.pk] = last.start
    closed = billed.closed_windows(list(found))
    return frozenset(pk for pk, start in found.items() if start not in closed[pk])


def _month_before(service: Service, window: Period) -> Period | None:
    slices = slices_from(service.usage_counted_from, timezone=settings.SELLER_TIMEZONE)
    months = takewhile(lambda one: one.start < window.start, slices)
    return max(months, key=lambda one: one.start, default=None)


def _readings(
    service: Service,
    metrics: Sequence[Metric],
    whole: Sequence[Usage],
    so_far: Sequence[Usage],
    *,
    counts: bool,
) -> Iterator[Reading]:
    """A reading per meter of the module, then what else is charged with the month."""
    agreed = {price.metric: price for price in service.usage_prices.all()}
    used = {usage.metric: usage for usage in whole}
    yet = {usage.metric: usage for usage in so_far}
    for metric in metrics:
        usage = used.pop(metric.key, None) if metric.stands or counts else None
        price = agreed.get(metric.key)
        if usage is None and price is None:
            continue
        units = _units_so_far(metric, usage, yet.get(metric.key))
        pricing = pricing_of(price, per=metric.per) if price else None
        yield Reading(
            metric,
            used=usage.quantity if usage else NOTHING,
            units_so_far=units,
            included=price.included if price else NOTHING,
            cost_so_far=round_money(amount_of(units, pricing), service.currency)
            if metric.stands and pricing
            else (usage.amount if usage else NOTHING),
            cost=usage.amount if usage else NOTHING,
            pricing=pricing,
        )
    known = {metric.key for metric in metrics}
    for key, usage in used.items():
        if key not in known and counts:
            other = Metric(key, key.replace("_", " ").capitalize(), usage.unit)
            used_up, amount = usage.quantity, usage.amount
            yield Reading(other, used_up, exact(used_up), NOTHING, amount, amount, None)


def _units_so_far(metric: Metric, whole: Usage | None, so_far: Usage | None) -> Fraction:
    if whole is None:
        return Fraction()
    if not metric.stands:
        return exact(whole.quantity)
    if so_far is None:
        return Fraction()
    share = Fraction(so_far.period.microseconds, whole.period.microseconds)
    return exact(so_far.quantity) * share
