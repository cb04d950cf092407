"""What a service's page says about ending and changing it: what is under way, what is possible."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings

from billing_portal.calc.periods import local_date
from billing_portal.clientarea.standing import standing_spec
from billing_portal.orders import changes
from billing_portal.orders.models import ServiceChange
from billing_portal.services.models import Cancellation, Service
from billing_portal.services.queries import billable_statuses, open_cancellation
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import cancel_service
from billing_portal.workflows.change_choice import ChangeChoice
from provisioning.models import Placement


@dataclass(frozen=True, slots=True)
class Wishes:
    """`deletes_on` is when the data of an ended service goes; None while it runs."""

    change: ServiceChange | None
    cancellation: Cancellation | None
    deletes_on: date | None
    may_change: bool
    may_cancel: bool

    @property
    def waits_for_money(self) -> bool:
        return self.change is not None and self.change.status == changes.Status.PENDING


@dataclass(frozen=True, slots=True)
class Leaving:
    """What cancelling would mean.  `deletes_on` follows the end that is chosen, by its key.

    `has_data`: something stands at a vendor.  `at_once`: it is deleted without a grace.
    """

    today: date
    period_end: date
    grace_days: int
    has_data: bool

    @property
    def at_once(self) -> bool:
        return self.has_data and not self.grace_days

    @property
    def deleted_if_now(self) -> date:
        return self.today + timedelta(days=self.grace_days)

    @property
    def deleted_if_later(self) -> date:
        return self.period_end + timedelta(days=self.grace_days)


def wishes(service: Service, *, at: datetime) -> Wishes:
    cancellation = open_cancellation(service.pk)
    change = changes.open_change(service.pk)
    kept = cancellation and service.status == ServiceStatus.CANCELLED and cancellation.deletes_at
    is_free = cancellation is None and change is None
    return Wishes(
        change=change,
        cancellation=cancellation,
        deletes_on=local_date(kept, settings.SELLER_TIMEZONE) if kept else None,
        may_change=is_free
        and service.status == ServiceStatus.ACTIVE
        and choice(service, {}, at=at).is_offered,
        may_cancel=cancellation is None and service.status in billable_statuses(),
    )


def choice(service: Service, asked: Mapping[str, Any], *, at: datetime) -> ChangeChoice:
    return ChangeChoice(service, asked, standing=standing_spec(service), at=at)


def leaving(service: Service, *, at: datetime) -> Leaving:
    today = local_date(at, settings.SELLER_TIMEZONE)
    standing = Placement.objects.filter(service=service, removed_at__isnull=True)
    return Leaving(
        today=today,
        period_end=cancel_service.end_of_paid_period(service, today=today),
        grace_days=service.product.deletion_grace_days,
        has_data=standing.exclude(remote_id="").exists(),
    )
