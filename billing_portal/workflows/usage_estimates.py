"""What services will probably use in months to come: estimates, and said to be such.

What stands (a datastore) is taken to stand as it does now.  What is counted (calls) is
taken to go on as in the last closed month, or, where there is none, as it did so far.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

from django.conf import settings

from billing_portal.calc.money import exact, round_money, round_places
from billing_portal.calc.periods import Period, slices_from
from billing_portal.invoices.models import Charge, LineKind, UsageWindow
from billing_portal.services.models import Service
from provisioning import registry
from provisioning.contract import Usage

AS_IT_STANDS, AS_LAST_MONTH, AS_SO_FAR = "as it stands", "as last month", "as so far"
SHORTEST_BASIS = timedelta(days=1)
"""Nothing is foretold from less."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a month of one meter will cost; `first` is for the running month.

    `usage` is None if nothing is expected after that.
    """

    first: Usage
    usage: Usage | None


def estimates(services: Iterable[Service], *, at: datetime) -> dict[int, list[Estimate]]:
    """By service: an estimate per meter with something to go by.  Reads only."""
    found: dict[int, list[Estimate]] = {}
    by_module: dict[str, list[Service]] = {}
    for service in services:
        by_module.setdefault(service.product.module_key, []).append(service)
    for key, mine in by_module.items():
        found |= _of_module(key, mine, at=at)
    return found


def in_window(estimate: Estimate, window: Period) -> Usage | None:
    """The estimate for one month."""
    running = estimate.first.period.start == window.start
    found = estimate.first if running else estimate.usage
    return replace(found, period=window) if found else None


def _of_module(key: str, services: list[Service], *, at: datetime) -> dict[int, list[Estimate]]:
    source = registry.usage_source(key)
    assert source is not None  # only metered services have usage
    running = {service.pk: _running(service, at) for service in services}
    now = source.collect_usage({pk: windows[0] for pk, windows in running.items()})
    coming = source.collect_usage({pk: windows[1] for pk, windows in running.items()})
    last = _last_month([service.pk for service in services])
    standing = {metric.key for metric in registry.module_class(key).metrics if metric.stands}
    return {
        service.pk: [
            *_standing(now.get(service.pk, ()), coming.get(service.pk, ()), standing),
            *_counted(service, now.get(service.pk, ()), last, standing, at=at),
        ]
        for service in services
    }


def _running(service: Service, at: datetime) -> tuple[Period, Period]:
    """The month of usage `at` is in, and the one after it."""
    windows = slices_from(service.usage_counted_from, timezone=settings.SELLER_TIMEZONE)
    window = next(one for one in windows if at < one.end)
    return window, next(windows)


def _standing(
    now: Iterable[Usage], coming: Iterable[Usage], standing: set[str]
) -> Iterator[Estimate]:
    later = {usage.metric: _told(usage, AS_IT_STANDS) for usage in coming}
    for usage in now:
        if usage.metric in standing:
            yield Estimate(_told(usage, AS_IT_STANDS), later.get(usage.metric))


def _counted(
    service: Service,
    now: Iterable[Usage],
    last: Mapping[int, tuple[Period, list[Charge]]],
    standing: set[str],
    *,
    at: datetime,
) -> Iterator[Estimate]:
    if service.pk in last:
        window, charges = last[service.pk]
        share = _share(service, window, window.end)
        for charge in charges:
            if charge.metric not in standing and share:
                usage = _told(_scaled(_as_usage(charge, window), share), AS_LAST_MONTH)
                yield Estimate(usage, usage)
        return
    for usage in now:
        if usage.metric not in standing and (share := _share(service, usage.period, at)):
            told = _told(_scaled(usage, share), AS_SO_FAR)
            yield Estimate(told, told)


def _share(service: Service, window: Period, until: datetime) -> Fraction | None:
    """Which part of a month the service ran in; None if it is too little to go by."""
    begun = max(window.start, service.activated_at or window.start)
    if until - begun < SHORTEST_BASIS:
        return None
    return Fraction(Period(begun, until).microseconds, window.microseconds)


def _last_month(service_ids: list[int]) -> dict[int, tuple[Period, list[Charge]]]:
    """By service: its last closed month, and what was charged for it."""
    latest: dict[int, Period] = {}
    for closed in UsageWindow.objects.filter(service_id__in=service_ids).order_by("starts_at"):
        latest[closed.service_id] = Period(closed.starts_at, closed.ends_at)
    found: dict[int, tuple[Period, list[Charge]]] = {
        service_id: (window, []) for service_id, window in latest.items()
    }
    if latest:
        charges = Charge.objects.filter(
            service_id__in=latest,
            kind=LineKind.USAGE,
            starts_at__gte=min(window.start for window in latest.values()),
        )
        for charge in charges.order_by("pk"):
            assert charge.service_id is not None  # filtered by service
            window, mine = found[charge.service_id]
            if (charge.starts_at, charge.ends_at) == (window.start, window.end):
                mine.append(charge)
    return found


def _as_usage(charge: Charge, window: Period) -> Usage:
    return Usage(
        metric=charge.metric,
        period=window,
        quantity=charge.quantity,
        unit=charge.unit,
        unit_price=charge.unit_price,
        amount=charge.amount,
        currency=charge.currency,
        description=charge.description,
        evidence={},
    )


def _scaled(usage: Usage, share: Fraction) -> Usage:
    """The usage of a whole month, if this was a `share` of one."""
    return replace(
        usage,
        quantity=round_places(exact(usage.quantity) / share, 6),
        amount=round_money(exact(usage.amount) / share, usage.currency),
    )


def _told(usage: Usage, basis: str) -> Usage:
    metric = usage.metric.replace("_", " ").capitalize()
    return replace(usage, description=f"{metric}, estimate: {basis}", evidence={})
