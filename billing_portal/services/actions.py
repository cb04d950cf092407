"""Changing services.  Every change of state goes through `move`, under the row's lock."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.products.models import Price, Product
from billing_portal.services.models import Service, ServiceUsagePrice
from billing_portal.services.states import ENDED, TRANSITIONS, ServiceStatus


class TransitionRefused(PortalError):
    """The service is not in a state from which the asked one can be reached."""


def open_service(
    *,
    client: Client,
    product: Product,
    price: Price,
    label: str,
    spec: Mapping[str, Any],
    anchor_date: date,
    at: datetime,
) -> Service:
    """A pending service at today's prices, which are copied and no longer follow the catalogue."""
    service = Service.objects.create(
        client=client,
        product=product,
        label=label,
        cycle=price.cycle,
        currency=price.currency,
        recurring_amount=price.recurring,
        setup_fee=price.setup_fee,
        spec=dict(spec),
        anchor_date=anchor_date,
        billed_until=anchor_date,
        created_at=at,
    )
    ServiceUsagePrice.objects.bulk_create(
        ServiceUsagePrice(service=service, metric=usage.metric, price=usage.price)
        for usage in product.usage_prices.filter(currency=price.currency)
    )
    return service


def move(
    service_id: int,
    *,
    to: ServiceStatus,
    at: datetime,
    reason: str = "",
    actor: User | None = None,
) -> Service:
    """Bring a service into state `to`; one that is already there stays as it is.

    Activating sets `activated_at` once, ending sets `ended_at`.
    Raises TransitionRefused if the transition table does not allow it.
    """
    with transaction.atomic():
        service = Service.objects.select_for_update().get(pk=service_id)
        before = ServiceStatus(service.status)
        if before == to:
            return service
        if to not in TRANSITIONS[before]:
            raise TransitionRefused(
                f"{service} is {before.label.lower()} and cannot become {to.label.lower()}."
            )
        service.status = to
        service.suspension_reason = reason if to == ServiceStatus.SUSPENDED else ""
        if to == ServiceStatus.ACTIVE:
            service.activated_at = service.activated_at or at
        if to in ENDED:
            service.ended_at = at
        service.save(update_fields=["status", "suspension_reason", "activated_at", "ended_at"])
        audit.record(
            f"service.{to}",
            service,
            summary=f"{service} is now {to.label.lower()}" + (f": {reason}" if reason else ""),
            at=at,
            actor=actor,
            client_id=service.client_id,
            details={"before": before, "after": to},
        )
        return service


def set_spec(service_id: int, *, spec: Mapping[str, Any], at: datetime) -> None:
    """Remember what the service should now be."""
    service = Service.objects.select_for_update().get(pk=service_id)
    if service.spec == dict(spec):
        return
    before, service.spec = service.spec, dict(spec)
    service.save(update_fields=["spec"])
    audit.record(
        "service.changed",
        service,
        summary=f"{service} changed",
        at=at,
        client_id=service.client_id,
        details={"before": before, "after": service.spec},
    )


def advance_billing(service_id: int, *, billed_until: date) -> None:
    """Note that the service is invoiced in advance up to `billed_until` (excluded)."""
    Service.objects.filter(pk=service_id, billed_until__lt=billed_until).update(
        billed_until=billed_until
    )


def set_recurring_amount(
    service_id: int, *, amount: Decimal, at: datetime, actor: User | None = None
) -> None:
    """Change what the service costs per cycle from its next invoice on."""
    with transaction.atomic():
        service = Service.objects.select_for_update().get(pk=service_id)
        before, service.recurring_amount = service.recurring_amount, amount
        service.save(update_fields=["recurring_amount"])
        audit.record(
            "service.price_changed",
            service,
            summary=f"{service}: {before} becomes {amount} {service.currency}",
            at=at,
            actor=actor,
            client_id=service.client_id,
        )
