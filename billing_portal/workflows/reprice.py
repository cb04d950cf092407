"""Bringing services to today's catalogue prices: only when staff say so, after a look.

Changing the catalogue never touches a service by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.calc.discounts import ListPrice
from billing_portal.calc.pricing import ChosenOption, price_item
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.orders.models import ServiceChange
from billing_portal.products.models import Price, Product
from billing_portal.products.queries import OfferedChoice, rates_by_choice
from billing_portal.promotions.queries import effect
from billing_portal.services import actions as services
from billing_portal.services import changing
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus

RUNNING = (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)


class PlanMoved(PortalError):
    """Services or prices changed since staff looked."""


@dataclass(frozen=True, slots=True)
class Repricing:
    """One service and what it would cost per cycle, with its options at today's prices."""

    service: Service
    before: Decimal
    after: Decimal
    discount: Decimal
    options: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which services of a product would cost something else, and which are left alone and why."""

    changes: tuple[Repricing, ...]
    left_alone: tuple[tuple[Service, str], ...]

    @property
    def fingerprint(self) -> str:
        """Names exactly these changes: applying asks for it, so nobody applies others."""
        text = ";".join(f"{one.service.pk}:{one.before}:{one.after}" for one in self.changes)
        return sha256(text.encode()).hexdigest()


def plan(product: Product) -> Plan:
    """What bringing the running services of a product to today's prices would do."""
    prices = {(one.currency, one.cycle): one for one in product.prices.all()}
    choices = {
        currency: rates_by_choice(product, currency=currency)
        for currency in {currency for currency, _ in prices}
    }
    changing_now = set(
        ServiceChange.objects.filter(
            service__product=product,
            status__in=(ServiceChange.Status.PENDING, ServiceChange.Status.APPLYING),
        ).values_list("service_id", flat=True)
    )
    changes: list[Repricing] = []
    left_alone: list[tuple[Service, str]] = []
    running = product.services.filter(status__in=RUNNING).select_related("client", "promotion")
    for service in running.order_by("client__company_name", "client", "pk"):
        price = prices.get((service.currency, service.cycle))
        if price is None:
            cycle = service.get_cycle_display().lower()
            left_alone.append((service, f"there is no price {cycle} in {service.currency}"))
        elif service.pk in changing_now:
            left_alone.append((service, "a change of it is under way"))
        else:
            changes.append(_repriced(service, product, price, choices[service.currency]))
    return Plan(tuple(one for one in changes if one.after != one.before), tuple(left_alone))


def apply(product: Product, *, expected: str, at: datetime, actor: User | None) -> Plan:
    """Do what was shown: the services cost the new prices from their next invoice on.

    All or nothing.  Raises PlanMoved if it is not the plan of fingerprint `expected` any more.
    """
    with transaction.atomic():
        clients = product.services.filter(status__in=RUNNING).values("client")
        list(Client.objects.filter(pk__in=clients).order_by("pk").select_for_update(no_key=True))
        planned = plan(product)
        if planned.fingerprint != expected:
            raise PlanMoved("Prices or services changed meanwhile. Please look again.")
        for one in planned.changes:
            _apply(one, at=at, actor=actor)
    return planned


def _apply(one: Repricing, *, at: datetime, actor: User | None) -> None:
    pk = one.service.pk
    services.set_recurring_amount(pk, amount=one.after, at=at, actor=actor)
    before = changing.terms_of(Service.objects.get(pk=pk))
    terms = replace(before, options=one.options, discount_amount=one.discount)
    if terms != before:
        changing.set_terms(pk, terms, at=at, actor=actor)


def _repriced(
    service: Service,
    product: Product,
    price: Price,
    choices: Mapping[tuple[str, str], OfferedChoice],
) -> Repricing:
    chosen = [_at_todays_price(one, service.cycle, choices) for one in service.options]
    priced = price_item(
        name=product.name,
        setup_fee=price.setup_fee,
        recurring=price.recurring,
        options=chosen,
        quantity=service.quantity,
        currency=service.currency,
    )
    listed = ListPrice(
        recurring=priced.recurring,
        setup_fee=priced.setup_fee,
        unit_price=price.recurring,
        quantity=service.quantity,
    )
    discount = service.discount_amount
    if service.promotion and discount:
        discount = effect(service.promotion, listed, currency=service.currency).off_period
    return Repricing(
        service,
        service.recurring_amount,
        priced.recurring,
        min(discount, priced.recurring),
        tuple(option.as_json() for option in chosen),
    )


def _at_todays_price(
    kept: Mapping[str, Any],
    cycle: str,
    choices: Mapping[tuple[str, str], OfferedChoice],
) -> ChosenOption:
    """A kept choice at today's price; at its own where the catalogue has it no more."""
    found = choices.get((kept["key"], kept["value"])) if isinstance(kept["value"], str) else None
    found = found or choices.get((kept["key"], ""))
    rate = found.rate(cycle) if found else None
    return ChosenOption(
        kept["key"],
        kept["name"],
        kept["value"],
        kept["text"],
        kept["units"],
        rate.setup_fee if rate else Decimal(kept["setup_fee"]),
        rate.recurring if rate else Decimal(kept["recurring"]),
    )
