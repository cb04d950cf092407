"""Usage windows: the months of a metered service whose usage is collected and charged once.

A window is due some time after it ended, so that late records are in.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from django.conf import settings

from billing_portal.calc.due import usage_windows_due
from billing_portal.calc.periods import Period
from billing_portal.invoices import actions as invoices
from billing_portal.invoices import queries as billed
from billing_portal.invoices.actions import NewCharge
from billing_portal.invoices.models import Charge
from billing_portal.services.models import Service
from provisioning import registry
from provisioning.contract import ChargedUsage, Usage, UsageSource


def charge(services: Iterable[Service], *, at: datetime) -> list[Charge]:
    """Write the charges of every window that is due, stamp the records behind them, close it.

    One window of each service at a time, oldest first: some modules charge in the next
    what came too late for this one.
    """
    written = list[Charge]()
    for windows in _rounds_due(services, at=at):
        for meter, measured in _by_meter(windows):
            written += _charge(meter, measured, at=at)
        invoices.close_windows([(service.pk, window) for service, window in windows], at=at)
    return written


def resume(service: Service, *, ended_at: datetime, at: datetime) -> None:
    """A service that had ended goes on: what its closed months left out is billed later.

    Its last month was closed with what was used until `ended_at`; the rest of it comes with
    the next one.  In the transaction that brings it back.
    """
    if not is_metered(service):
        return
    closed = billed.closed_until(service.pk)
    if closed and ended_at < closed:
        _meter(service).usage_resumed(service.pk, Period(ended_at, closed), at=at)


def _charge(
    meter: type[UsageSource], windows: Sequence[tuple[Service, Period]], *, at: datetime
) -> list[Charge]:
    usages = meter.collect_usage({service.pk: window for service, window in windows})
    found = [
        (service, window, usage)
        for service, window in windows
        for usage in usages.get(service.pk, ())
    ]
    if not found:
        return []
    charges = invoices.add_charges([new_charge(*one) for one in found], at=at)
    meter.usage_charged(
        [
            ChargedUsage(service.pk, usage, charge.pk)
            for (service, _, usage), charge in zip(found, charges, strict=True)
        ]
    )
    return charges


def _by_meter(
    windows: Iterable[tuple[Service, Period]],
) -> Iterable[tuple[type[UsageSource], list[tuple[Service, Period]]]]:
    found: dict[type[UsageSource], list[tuple[Service, Period]]] = {}
    for service, window in windows:
        found.setdefault(_meter(service), []).append((service, window))
    return found.items()


def settle_time() -> timedelta:
    """How long after its end a usage window is left open for late records."""
    return timedelta(minutes=settings.USAGE_SETTLE_MINUTES)


def is_metered(service: Service) -> bool:
    return registry.usage_source(service.product.module_key) is not None


def _rounds_due(
    services: Iterable[Service], *, at: datetime
) -> Iterator[list[tuple[Service, Period]]]:
    """The first due window of every metered service, then the second ones, and so on."""
    metered = [service for service in services if service.activated_at and is_metered(service)]
    closed = billed.closed_windows([service.pk for service in metered])
    due = [(service, windows_due(service, closed[service.pk], at=at)) for service in metered]
    for number in range(max((len(windows) for _, windows in due), default=0)):
        yield [(service, windows[number]) for service, windows in due if number < len(windows)]


def windows_due(service: Service, closed: frozenset[datetime], *, at: datetime) -> list[Period]:
    """The months of a service to charge at `at`, oldest first; `closed`: starts of those done."""
    return usage_windows_due(
        anchor=service.usage_counted_from,
        timezone=settings.SELLER_TIMEZONE,
        closed=closed,
        at=at,
        settle=settle_time(),
        ended_at=service.ended_at,
    )


def new_charge(service: Service, window: Period, usage: Usage) -> NewCharge:
    """What a service owes for a month, as it is written down."""
    return NewCharge(
        key=f"{usage.metric}:{service.pk}:{window.start.isoformat()}",
        client_id=service.client_id,
        service_id=service.pk,
        metric=usage.metric,
        taxable=service.product.taxable,
        description=_with_label(usage.description, service),
        period=usage.period,
        quantity=usage.quantity,
        unit=usage.unit,
        unit_price=usage.unit_price,
        amount=usage.amount,
        currency=usage.currency,
        evidence=usage.evidence,
    )


def _with_label(description: str, service: Service) -> str:
    return f"{description} ({service.label})" if service.label else description


def _meter(service: Service) -> type[UsageSource]:
    source = registry.usage_source(service.product.module_key)
    assert source is not None  # only metered services have windows
    return source
