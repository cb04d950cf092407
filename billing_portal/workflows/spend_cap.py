"""What a cap on usage does besides warning: the client cannot make the month cost more than it.

It stops nothing that runs.  Staff are not held to it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing_portal.calc.money import exact, round_money
from billing_portal.calc.periods import Period
from billing_portal.calc.tiers import amount_of
from billing_portal.errors import PortalError
from billing_portal.invoices.amounts import format_amount
from billing_portal.services.models import Service, UsageAlert
from billing_portal.services.queries import billable_statuses
from billing_portal.workflows.running_usage import RunningUsage, month_of, running_window
from billing_portal.workflows.usage_alerts import ALL, CAP, cap_basis

SIZE = "size_gb"
"""What a spec calls the size of something that stands."""
LONGEST_MONTH = timedelta(days=32)


class CapReached(PortalError):
    """The change would make the month's usage cost more than the client wants it to."""


def check_size(service: Service, spec: Mapping[str, Any], *, at: datetime, change: str) -> None:
    """Refuse a size that, from now to the end of the month, costs more than the cap allows.

    `change` begins the sentence: "With 1000 GB".  A smaller size is never refused.
    Raises CapReached.
    """
    size_gb = spec.get(SIZE)
    if not service.usage_cap or not isinstance(size_gb, int | Decimal):
        return
    month = month_of(service, at=at)
    if month is None:
        return
    cost = cost_with(month, size_gb, at=at)
    if cost > max(service.usage_cap, month.cost):
        would, cap = (format_amount(one, service.currency) for one in (cost, service.usage_cap))
        raise CapReached(
            f"{change} the usage of this month would come to {would}, which is more than your"
            f" cap of {cap}. Raise the cap or remove it, or choose a smaller size."
        )


def cost_with(month: RunningUsage, size_gb: int | Decimal, *, at: datetime) -> Decimal:
    """What the month comes to if what stands has `size_gb` from `at` on.

    500 GB up to the middle of the month and 1000 GB from then on are 750 GB.
    """
    rest = Fraction()
    if at < month.window.end:
        left = Period(max(at, month.window.start), month.window.end)
        rest = Fraction(left.microseconds, month.window.microseconds)
    total = Decimal(0)
    for reading in month.readings:
        if reading.metric.stands and reading.pricing:
            units = reading.units_so_far + exact(size_gb) * rest
            total += round_money(amount_of(units, reading.pricing), month.currency)
        else:
            total += reading.cost
    return total


def spent_caps(at: datetime) -> Iterator[Service]:
    """Running services that were told in their running month that their cap is reached."""
    told = UsageAlert.objects.filter(
        percent=ALL,
        basis__startswith=f"{CAP}:",
        window_start__gt=at - LONGEST_MONTH,
        service__usage_cap__isnull=False,
        service__status__in=billable_statuses(),
    )
    related = ("service__client", "service__product")
    for row in told.select_related(*related).order_by("sent_at", "pk").iterator():
        service = row.service
        assert service.usage_cap is not None  # asked for by it
        is_present = row.window_start == running_window(service, at=at).start
        if is_present and row.basis == cap_basis(service.usage_cap):
            yield service
