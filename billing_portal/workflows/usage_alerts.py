"""Telling clients how much of what is included, and of their cap, the running month has used.

Once at each of 50, 80 and 100 % and month, and only of the highest that is new.  A row per
step says that it was told; a cap or an included amount that changes counts anew.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet

from billing_portal.calc.alerts import step_to_tell, whole_percent
from billing_portal.clients.notices import Notice, notify_all
from billing_portal.errors import PortalError
from billing_portal.invoices.amounts import format_amount, format_quantity
from billing_portal.mail import actions as mail
from billing_portal.mail.actions import Letter
from billing_portal.services.models import Service, UsageAlert
from billing_portal.services.queries import billable_statuses
from billing_portal.workflows import usage_estimates
from billing_portal.workflows.cheaper_upgrade import cheaper_upgrade
from billing_portal.workflows.running_usage import RunningUsage, running_usage
from provisioning.contract import Metric, Usage

logger = logging.getLogger(__name__)

CHUNK = 500
CAP = "cap"
ALL = 100


@dataclass(frozen=True, slots=True)
class Limit:
    """Something a client is warned about: the included units of a meter, or (None) the cap."""

    metric: Metric | None
    used: Decimal
    limit: Decimal

    @property
    def basis(self) -> str:
        """What the steps told belong to; with the limit in it, so that another counts anew."""
        if self.metric is None:
            return cap_basis(self.limit)
        return f"included:{self.metric.key}:{self.limit.normalize():f}"[-40:]

    @property
    def percent(self) -> int:
        return whole_percent(self.used, self.limit)


@dataclass(frozen=True, slots=True)
class Warned:
    """One step a client is told of now."""

    service: Service
    running: RunningUsage
    limit: Limit
    step: int

    @property
    def key(self) -> str:
        """Names the mail: the same step of the same month is mailed once."""
        start = f"{self.running.window.start:%Y-%m-%d}"
        return f"{self.service.pk}:{start}:{self.limit.basis}:{self.step}"


def cap_basis(cap: Decimal) -> str:
    """What the steps told of a cap belong to: "cap:10" for 10.00."""
    return f"{CAP}:{cap.normalize():f}"


def tell_all(at: datetime) -> list[str]:
    """Mail everybody who reached a step since it was last looked; say what, by service.

    Safe to repeat, also by several at once.  Services that cannot be read are left out.
    """
    told = []
    ids = list(_watched().values_list("pk", flat=True))
    for first in range(0, len(ids), CHUNK):
        told += [
            f"{one.service}: {one.limit.percent} % of {_name_of(one)}"
            for one in _tell(_readable(ids[first : first + CHUNK], at=at), at=at)
        ]
    return told


def limits_of(running: RunningUsage) -> Iterator[Limit]:
    """Everything that is limited in a service's month: included units by meter, then the cap."""
    for reading in running.readings:
        if reading.included > 0:
            yield Limit(reading.metric, reading.used, reading.included)
    if running.cap:
        yield Limit(None, running.cost, running.cap)


def _watched() -> QuerySet[Service]:
    """Running services with included units or a cap."""
    limited = Q(usage_cap__gt=0) | Q(usage_prices__included__gt=0)
    running = Service.objects.filter(status__in=billable_statuses(), activated_at__isnull=False)
    return running.filter(limited).order_by("pk").distinct()


def _readable(service_ids: Sequence[int], *, at: datetime) -> list[tuple[Service, RunningUsage]]:
    """The services with their running month; if one cannot be read, the others all the same."""
    services = list(
        Service.objects.filter(pk__in=service_ids)
        .select_related("client__group", "product")
        .prefetch_related(
            "usage_prices", Prefetch("usage_alerts", UsageAlert.objects.filter(sent_at__lte=at))
        )
        .order_by("pk")
    )
    try:
        found = running_usage(services, at=at)
    except PortalError:
        found = {}
        for service in services:
            try:
                found |= running_usage([service], at=at)
            except PortalError as error:
                logger.warning("The use of service %s cannot be read: %s", service.pk, error)
    return [(service, found[service.pk]) for service in services if service.pk in found]


def _tell(running: Iterable[tuple[Service, RunningUsage]], *, at: datetime) -> list[Warned]:
    warned = [
        Warned(service, month, limit, step)
        for service, month in running
        for limit in limits_of(month)
        if (step := step_to_tell(limit.used, limit.limit, told=_told(service, month, limit)))
    ]
    if not warned:
        return []
    estimates = usage_estimates.estimates(dict.fromkeys(one.service for one in warned), at=at)
    with transaction.atomic():
        # Whoever comes second waits here for the first, and then finds the mails sent.
        UsageAlert.objects.bulk_create((_row(one, at) for one in warned), ignore_conflicts=True)
        notices = [
            Notice(one.service.client, one.key, _context(one, estimates, at=at)) for one in warned
        ]
        notify_all("usage_alert", notices, at=at)
        spent = [one for one in warned if one.limit.metric is None and one.step == ALL]
        mail.send_all("usage_cap_staff", [_to_staff(one, at=at) for one in spent], at=at)
    return warned


def _told(service: Service, running: RunningUsage, limit: Limit) -> list[int]:
    return [
        row.percent
        for row in service.usage_alerts.all()
        if (row.window_start, row.basis) == (running.window.start, limit.basis)
    ]


def _row(one: Warned, at: datetime) -> UsageAlert:
    return UsageAlert(
        service=one.service,
        basis=one.limit.basis,
        percent=one.step,
        window_start=one.running.window.start,
        sent_at=at,
    )


def _context(
    one: Warned, estimates: dict[int, list[usage_estimates.Estimate]], *, at: datetime
) -> dict[str, Any]:
    month = [estimate.first for estimate in estimates.get(one.service.pk, [])]
    currency = one.running.currency
    limit, metric = one.limit, one.limit.metric
    expected = _expected(one.running, month)
    return {
        "service": str(one.service),
        "percent": limit.percent,
        "limit": _name_of(one),
        "is_cap": metric is None,
        "is_spent": limit.percent >= ALL,
        "stands": bool(metric and metric.stands),
        "used": _in_words(limit.used, metric, currency),
        "so_far": format_amount(one.running.cost_so_far, currency),
        "expected": format_amount(expected, currency),
        "days_left": one.running.days_left(at),
        "cheaper": _cheaper(one.service, month),
        "path": f"/services/{one.service.pk}/",
    }


def _expected(running: RunningUsage, month: Iterable[Usage]) -> Decimal:
    """What the whole month will come to; a meter without an estimate as it stands."""
    foretold = {usage.metric: usage.amount for usage in month}
    return sum(
        (
            max(reading.cost, foretold.get(reading.metric.key, reading.cost))
            for reading in running.readings
        ),
        Decimal(0),
    )


def _cheaper(service: Service, month: Iterable[Usage]) -> str:
    found = cheaper_upgrade(service, month)
    if found is None:
        return ""
    now, then = (format_amount(one, service.currency) for one in (found.month_now, found.month))
    return f"With {found.product} the same month would cost {then} instead of {now}."


def _name_of(one: Warned) -> str:
    """What the limit is, for people: "the 500 GB included", "your cap of €10.00"."""
    metric = one.limit.metric
    words = _in_words(one.limit.limit, metric, one.running.currency)
    return f"the {words} included" if metric else f"your cap of {words}"


def _in_words(value: Decimal, metric: Metric | None, currency: str) -> str:
    if metric is None:
        return format_amount(value, currency)
    return f"{format_quantity(value, places=2)} {metric.unit}"


def _to_staff(one: Warned, *, at: datetime) -> Letter:
    context = {
        "service": str(one.service),
        "client": str(one.service.client),
        "cap": format_amount(one.limit.limit, one.running.currency),
        "cost": format_amount(one.running.cost, one.running.currency),
        "days_left": one.running.days_left(at),
        "path": f"/staff/services/service/{one.service.pk}/",
    }
    return Letter(to=settings.SELLER_EMAIL, key=one.key, context=context)
