"""Reading services."""

from collections.abc import Collection
from decimal import Decimal

from django.db.models import QuerySet

from billing_portal.services.models import Cancellation, Service, ServiceUsagePrice
from billing_portal.services.states import ServiceStatus

_OPEN = Cancellation.Status.OPEN


def services_of(client_id: int) -> QuerySet[Service]:
    """A client's services, newest first."""
    return Service.objects.filter(client_id=client_id).select_related("product").order_by("-pk")


def agreed_price(service_id: int, metric: str) -> Decimal | None:
    """The metered price agreed with the order; None if nothing was agreed."""
    return (
        ServiceUsagePrice.objects.filter(service_id=service_id, metric=metric)
        .values_list("price", flat=True)
        .first()
    )


def monthly_recurring(service: Service) -> Decimal:
    """What the service brings per month in advance, unrounded; one-time services bring none."""
    months = service.cycle_months
    return service.recurring_amount / months if months else Decimal(0)


def open_cancellation(service_id: int) -> Cancellation | None:
    """The wish to end a service that is not over: it still runs, or its data is still there."""
    return Cancellation.objects.filter(service_id=service_id, status=_OPEN).first()


def leaving(service_ids: Collection[int]) -> frozenset[int]:
    """Which of these services are cancelled, so that no new period of them is billed."""
    found = Cancellation.objects.filter(service_id__in=service_ids, status=_OPEN).order_by()
    return frozenset(found.values_list("service_id", flat=True))


def billable_statuses() -> tuple[ServiceStatus, ...]:
    """States in which new periods are billed in advance."""
    return (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)
