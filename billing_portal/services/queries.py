"""Reading services."""

from decimal import Decimal

from django.db.models import QuerySet

from billing_portal.services.models import Service, ServiceUsagePrice
from billing_portal.services.states import ServiceStatus


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


def billable_statuses() -> tuple[ServiceStatus, ...]:
    """States in which new periods are billed in advance."""
    return (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)
