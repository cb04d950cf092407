"""Changing services.  Every change of state goes through `move`, under the row's lock."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, When

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.first_period import FirstPeriods
from billing_portal.calc.periods import add_months, local_date
from billing_portal.calc.pricing import ChosenOption, PricedItem
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.products.models import Price, Product
from billing_portal.services import addons
from billing_portal.services.models import Service, ServiceUsagePrice
from billing_portal.services.states import ENDED, TRANSITIONS, ServiceStatus, SuspensionCause


class TransitionRefused(PortalError):
    """The service is not in a state from which the asked one can be reached."""


class PriceRefused(PortalError):
    """Nothing costs less than nothing."""


def new_service(
    *,
    client: Client,
    product: Product,
    price: Price,
    label: str,
    spec: Mapping[str, Any],
    anchor_date: date,
    at: datetime,
    priced: PricedItem | None = None,
    quantity: int = 1,
    options: Sequence[ChosenOption] = (),
    custom_fields: Mapping[str, Any] | None = None,
) -> Service:
    """A pending service at today's prices, not stored yet.

    `priced` is for all of `quantity` with `options`; without it the product's price counts.
    A fixed term is counted from the seller's day of the order.
    """
    today = local_date(at, settings.SELLER_TIMEZONE)
    return Service(
        client=client,
        product=product,
        label=label,
        cycle=price.cycle,
        currency=price.currency,
        recurring_amount=priced.recurring if priced else price.recurring,
        setup_fee=priced.setup_fee if priced else price.setup_fee,
        quantity=quantity,
        options=[option.as_json() for option in options],
        custom_fields=dict(custom_fields or {}),
        periods_limit=product.periods_limit,
        ends_on=today + timedelta(days=product.term_days) if product.term_days else None,
        spec=dict(spec),
        anchor_date=anchor_date,
        billed_until=anchor_date,
        created_at=at,
    )


def open_service(service: Service) -> Service:
    """Store a new service with the metered prices of the day, which then are its own."""
    service.save(force_insert=True)
    ServiceUsagePrice.objects.bulk_create(
        ServiceUsagePrice(
            service=service,
            metric=usage.metric,
            price=usage.price,
            scheme=usage.scheme,
            included=usage.included,
            tiers=usage.tiers,
        )
        for usage in service.product.usage_prices.filter(currency=service.currency)
    )
    return service


def move(
    service_id: int,
    *,
    to: ServiceStatus,
    at: datetime,
    reason: str = "",
    cause: SuspensionCause = SuspensionCause.OTHER,
    actor: User | None = None,
) -> Service:
    """Bring a service into state `to`; one that is already there stays as it is.

    Activating sets `activated_at` once; ending sets `ended_at`, coming back clears it.
    `cause` says who wants a suspension: one wished by people outranks an overdue invoice,
    also when it comes second, so that payment does not lift it.
    Raises TransitionRefused if the transition table does not allow it.
    """
    with transaction.atomic():
        service = Service.objects.select_for_update(no_key=True).get(pk=service_id)
        before = ServiceStatus(service.status)
        if before == to and not _outranks(cause, service):
            return service
        if before != to and to not in TRANSITIONS[before]:
            raise TransitionRefused(
                f"{service} is {before.label.lower()} and cannot become {to.label.lower()}."
            )
        service.status = to
        service.suspension_reason = reason[:200] if to == ServiceStatus.SUSPENDED else ""
        service.suspension_cause = cause if to == ServiceStatus.SUSPENDED else ""
        if to == ServiceStatus.ACTIVE:
            service.activated_at = service.activated_at or at
        service.ended_at = at if to in ENDED else None
        service.save(
            update_fields=[
                *("status", "suspension_reason", "suspension_cause"),
                *("activated_at", "ended_at"),
            ]
        )
        if to in ENDED:
            addons.end_all_of(service, to=to, at=at, actor=actor)
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


def _outranks(cause: SuspensionCause, service: Service) -> bool:
    """Whether people suspend what is suspended for an overdue invoice only."""
    return (
        service.status == ServiceStatus.SUSPENDED
        and service.suspension_cause == SuspensionCause.OVERDUE
        and cause != SuspensionCause.OVERDUE
    )


def set_never_suspend_until(
    service_id: int, *, day: date | None, at: datetime, actor: User | None
) -> None:
    """Keep overdue invoices from suspending a service before `day`; None ends that."""
    with transaction.atomic():
        service = Service.objects.select_for_update(no_key=True).get(pk=service_id)
        if service.never_suspend_until == day:
            return
        service.never_suspend_until = day
        service.save(update_fields=["never_suspend_until"])
        until = f"not suspended before {day}" if day else "suspended like any other"
        audit.record(
            "service.suspension_put_off",
            service,
            summary=f"{service} is {until}, if an invoice is overdue",
            at=at,
            actor=actor,
            client_id=service.client_id,
        )


def set_spec(service_id: int, *, spec: Mapping[str, Any], at: datetime) -> None:
    """Remember what the service should now be."""
    with transaction.atomic():
        service = Service.objects.select_for_update(no_key=True).get(pk=service_id)
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


def advance_billing(
    billed_until: Mapping[int, date], *, periods: Mapping[int, int] | None = None
) -> None:
    """Note until which day (excluded) each service is invoiced in advance; never goes back.

    `periods` says how many periods that were, for each; one unless it does.  So many of
    the periods left to its promotion are used up.
    """
    counts = periods or {}
    steps = {key: (until, counts.get(key, 1)) for key, until in billed_until.items()}
    for until, count in sorted(set(steps.values())):
        ids = [key for key, step in steps.items() if step == (until, count)]
        Service.objects.filter(pk__in=ids, billed_until__lt=until).update(
            billed_until=until,
            periods_billed=F("periods_billed") + count,
            discounts_left=_discounts_left_after(count),
        )


def _discounts_left_after(periods: int) -> Case:
    """None, for ever, stays None; 0 is the end."""
    return Case(
        When(discounts_left__gt=periods, then=F("discounts_left") - periods),
        When(discounts_left__isnull=False, then=0),
    )


def start_schedule(service: Service, schedule: FirstPeriods) -> None:
    """Count the periods of a new service as its first ones say, which are invoiced now.

    In the transaction that opened the service.
    """
    service.anchor_date = schedule.anchor
    service.usage_anchor_date = schedule.usage_anchor
    service.billed_until = schedule.billed_until
    service.periods_billed = len(schedule.stretches)
    if service.discounts_left:
        service.discounts_left -= 1  # all of the first payment is one to a promotion
    service.save(
        update_fields=[
            *("anchor_date", "usage_anchor_date", "billed_until", "periods_billed"),
            "discounts_left",
        ]
    )


def move_schedule(service_id: int, *, to: date, at: datetime) -> None:
    """Let the first period of a service that did not start yet begin on day `to` instead.

    Its term, if it has one, ends as much later.
    """
    with transaction.atomic():
        service = Service.objects.select_for_update(no_key=True).get(pk=service_id)
        if service.status != ServiceStatus.PENDING or service.anchor_date == to:
            return
        before = service.anchor_date
        service.anchor_date = service.usage_anchor_date = to
        service.billed_until = add_months(to, service.cycle_months, anchor_day=to.day)
        if service.ends_on:
            service.ends_on += to - before
        service.save(update_fields=["anchor_date", "usage_anchor_date", "billed_until", "ends_on"])
        audit.record(
            "service.first_day_moved",
            service,
            summary=f"{service} begins on {to}, when it was paid, not on {before}",
            at=at,
            client_id=service.client_id,
        )


def set_recurring_amount(
    service_id: int, *, amount: Decimal, at: datetime, actor: User | None = None
) -> None:
    """Change what the service costs per cycle from its next invoice on.

    One that was free costs from its next period on; what is past stays free.
    Raises PriceRefused for an amount below zero.
    """
    if amount < 0:
        raise PriceRefused(f"A service cannot cost {amount}.")
    with transaction.atomic():
        service = Service.objects.select_for_update(no_key=True).get(pk=service_id)
        before, service.recurring_amount = service.recurring_amount, amount
        if before == amount:
            return
        if not before:
            service.billed_until = _next_period(service, local_date(at, settings.SELLER_TIMEZONE))
        service.save(update_fields=["recurring_amount", "billed_until"])
        audit.record(
            "service.price_changed",
            service,
            summary=f"{service}: {before} becomes {amount} {service.currency}",
            at=at,
            actor=actor,
            client_id=service.client_id,
        )


def _next_period(service: Service, today: date) -> date:
    """The first day from today on with which a period not yet invoiced begins."""
    start, number = service.billed_until, 0
    while service.cycle_months and start < today:
        number += service.cycle_months
        start = max(
            start, add_months(service.anchor_date, number, anchor_day=service.anchor_date.day)
        )
    return start
