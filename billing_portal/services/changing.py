"""Giving a running service other terms: product, cycle, price, options, schedule."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.errors import PortalError
from billing_portal.services.models import Service, ServiceUsagePrice
from billing_portal.services.states import ENDED


class CapRefused(PortalError):
    """The usage of the service cannot have that cap."""


@dataclass(frozen=True, slots=True)
class ServiceTerms:
    """All that a change of product sets; amounts are per cycle and for all units.

    `discounts_left` is None for a promotion without end, 0 for none.
    """

    product_id: int
    cycle: str
    recurring_amount: Decimal
    quantity: int
    options: tuple[Mapping[str, Any], ...]
    promotion_id: int | None
    discount_amount: Decimal
    discounts_left: int | None
    anchor_date: date
    billed_until: date

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "ServiceTerms":
        """The terms as `as_json` wrote them."""
        values = dict(stored)
        for name in ("recurring_amount", "discount_amount"):
            values[name] = Decimal(values[name])
        for name in ("anchor_date", "billed_until"):
            values[name] = date.fromisoformat(values[name])
        return cls(**{**values, "options": tuple(values["options"])})

    def as_json(self) -> dict[str, Any]:
        return {name: _plain(getattr(self, name)) for name in _NAMES}


_NAMES = tuple(one.name for one in fields(ServiceTerms))


def terms_of(service: Service) -> ServiceTerms:
    """What `set_terms` would overwrite."""
    values = {name: getattr(service, name) for name in _NAMES}
    return ServiceTerms(**{**values, "options": tuple(service.options)})


def set_terms(
    service_id: int, terms: ServiceTerms, *, at: datetime, actor: User | None = None
) -> Service:
    """Give a service its new terms.  Its months of usage keep their first day.

    It may be billed again from `billed_until` on, which can lie before what was billed.
    """
    with transaction.atomic():
        service = Service.objects.select_for_update(no_key=True).get(pk=service_id)
        before = terms_of(service)
        if terms.anchor_date != service.anchor_date:
            service.usage_anchor_date = service.usage_anchor_date or service.anchor_date
        for name in _NAMES:
            setattr(service, name, getattr(terms, name))
        service.options = list(terms.options)
        service.save(update_fields=[*_NAMES, "usage_anchor_date"])
        audit.record(
            "service.terms_changed",
            service,
            summary=f"{service} changed: {terms.recurring_amount} {service.currency}"
            f" {service.get_cycle_display().lower()}, invoiced until {terms.billed_until}",
            at=at,
            actor=actor,
            client_id=service.client_id,
            details={"before": before.as_json(), "after": terms.as_json()},
        )
        return service


def set_usage_prices(service_id: int, prices: Iterable[Mapping[str, Any]]) -> None:
    """Replace the metered prices a service was ordered with, in the caller's transaction."""
    ServiceUsagePrice.objects.filter(service_id=service_id).delete()
    ServiceUsagePrice.objects.bulk_create(
        ServiceUsagePrice(service_id=service_id, **price) for price in prices
    )


def set_usage_cap(
    service_id: int, *, cap: Decimal | None, at: datetime, actor: User | None
) -> Service:
    """Say what the usage of a service may cost per month at most; None takes the cap away.

    Raises CapRefused for a cap of nothing and for a service that has ended.
    """
    with transaction.atomic():
        service = Service.objects.select_for_update(no_key=True).get(pk=service_id)
        before = service.usage_cap
        if before == cap:
            return service
        if service.status in ENDED:
            raise CapRefused(f"{service} has ended already.")
        if cap is not None and cap <= 0:
            raise CapRefused("A cap is more than nothing. Leave it empty for none.")
        service.usage_cap = cap
        service.save(update_fields=["usage_cap"])
        said = f"capped at {cap} {service.currency} a month" if cap else "no longer capped"
        audit.record(
            "service.usage_cap_changed",
            service,
            summary=f"The usage of {service} is {said}",
            at=at,
            actor=actor,
            client_id=service.client_id,
            details={"before": _text(before), "after": _text(cap)},
        )
        return service


def take_back_billing(service_id: int, *, until: date) -> None:
    """Note that a service is invoiced only up to a day before what was noted.

    The lines of the periods after it must have been taken back.
    """
    Service.objects.filter(pk=service_id, billed_until__gt=until).update(billed_until=until)


def _text(amount: Decimal | None) -> str:
    return "" if amount is None else str(amount)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal | date):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
