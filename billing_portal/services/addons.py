"""Add-ons of services: opening, starting and ending them.

Every change holds the row lock of the service the add-on belongs to, as the bill run does.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet, Sum

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.first_period import FirstPeriods, first_periods
from billing_portal.calc.money import exact, round_money
from billing_portal.calc.periods import add_months
from billing_portal.errors import PortalError
from billing_portal.products.models import CYCLE_MONTHS, Addon, AddonPrice, Cycle, Product
from billing_portal.services.models import Service, ServiceAddon
from billing_portal.services.states import ENDED, ServiceStatus

LIVE = (ServiceStatus.PENDING, ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)
BILLABLE = (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)


class AddonRefused(PortalError):
    """The add-on cannot be had, or not like this."""


@dataclass(frozen=True, slots=True)
class AddonTerms:
    """An add-on somebody wants, its price that day, and how many of it."""

    addon: Addon
    price: AddonPrice
    quantity: int = 1

    @property
    def recurring(self) -> Decimal:
        """Per cycle, for all units."""
        return round_money(exact(self.price.recurring) * self.quantity, self.price.currency)

    @property
    def setup_fee(self) -> Decimal:
        """Once, for all units."""
        return round_money(exact(self.price.setup_fee) * self.quantity, self.price.currency)

    def as_json(self) -> dict[str, Any]:
        """What an order remembers of it; amounts become text."""
        return {
            "addon": self.addon.pk,
            "name": self.addon.name,
            "cycle": self.price.cycle,
            "quantity": self.quantity,
            "setup_fee": str(self.setup_fee),
            "recurring": str(self.recurring),
        }


# --- What is offered ----------------------------------------------------------------------


def offered(product: Product, *, currency: str, staff: bool = False) -> list[Addon]:
    """Add-ons for a product with a price in `currency`, each with those prices at hand.

    `prices_of` reads them.  Staff also add hidden ones.
    """
    shown = Q() if staff else Q(hidden=False)
    prices = AddonPrice.objects.filter(currency=currency)
    addons = Addon.objects.filter(shown, retired=False, products=product)
    rows = addons.prefetch_related(Prefetch("prices", queryset=prices))
    return [addon for addon in rows if addon.prices.all()]


def available(service: Service, *, staff: bool = False) -> list[Addon]:
    """What is offered to a service, without what it has as many of as it may."""
    live = ServiceAddon.objects.filter(service=service, status__in=LIVE).order_by()
    units = live.values_list("addon_id").annotate(units=Sum("quantity"))
    has = dict(units)
    found = offered(service.product, currency=service.currency, staff=staff)
    return [addon for addon in found if has.get(addon.pk, 0) < addon.maximum_quantity]


def prices_of(addon: Addon, currency: str) -> list[AddonPrice]:
    """What an add-on costs in `currency`, the shortest cycle first, one-time prices before."""
    rows = (price for price in addon.prices.all() if price.currency == currency)
    return sorted(rows, key=lambda price: CYCLE_MONTHS[price.cycle])


def default_price(addon: Addon, *, currency: str, cycle: str) -> AddonPrice | None:
    """The price for the service's own `cycle` if there is one, else for the shortest."""
    prices = prices_of(addon, currency)
    return next((price for price in prices if price.cycle == cycle), prices[0] if prices else None)


def terms(
    product: Product,
    *,
    addon_id: int,
    currency: str,
    cycle: str,
    quantity: int = 1,
    exactly: bool = False,
    staff: bool = False,
) -> AddonTerms:
    """The terms of an add-on for a service of `product` with that `cycle`.

    Without a price for the cycle its shortest one counts, unless it is to be `exactly` it.
    Raises AddonRefused with a sentence.
    """
    there = {addon.pk: addon for addon in offered(product, currency=currency, staff=staff)}
    addon = there.get(addon_id)
    price = default_price(addon, currency=currency, cycle=cycle) if addon else None
    if addon is None or price is None:
        raise AddonRefused(f"This add-on is not offered with {product} in {currency}.")
    if exactly and price.cycle != cycle:
        raise AddonRefused(f"{addon} is not offered with that billing cycle.")
    if not 1 <= quantity <= addon.maximum_quantity:
        most = addon.maximum_quantity
        raise AddonRefused(f"You can have 1 to {most} of {addon}, not {quantity}.")
    return AddonTerms(addon, price, quantity)


# --- Reading ------------------------------------------------------------------------------


def addons_of(service: Service) -> QuerySet[ServiceAddon]:
    """All add-ons a service has or had, live ones first."""
    rows = ServiceAddon.objects.filter(service=service).select_related("addon")
    return rows.order_by("ended_at", "pk")


def running_of(service_ids: Collection[int]) -> dict[int, list[ServiceAddon]]:
    """By service: the add-ons to bill in advance.  One statement for all."""
    found: dict[int, list[ServiceAddon]] = {}
    rows = ServiceAddon.objects.filter(service__in=service_ids, status__in=BILLABLE)
    for row in rows.select_related("addon").order_by("pk"):
        found.setdefault(row.service_id, []).append(row)
    return found


def first_schedule(product: Product, *, cycle: str, day: date) -> FirstPeriods:
    """What an add-on ordered on `day` pays first: up to the product's day, if it has one."""
    return first_periods(
        day,
        cycle_months=CYCLE_MONTHS[cycle],
        prorata_day=product.prorata_day,
        next_from=product.prorata_next_from,
    )


# --- Writing ------------------------------------------------------------------------------


def new_addon(service: Service, wanted: AddonTerms, *, day: date, at: datetime) -> ServiceAddon:
    """A pending add-on from `day` at today's prices, not stored yet."""
    schedule = first_schedule(service.product, cycle=wanted.price.cycle, day=day)
    return ServiceAddon(
        service=service,
        addon=wanted.addon,
        quantity=wanted.quantity,
        cycle=wanted.price.cycle,
        currency=wanted.price.currency,
        recurring_amount=wanted.recurring,
        setup_fee=wanted.setup_fee,
        anchor_date=schedule.anchor,
        billed_until=schedule.billed_until,
        created_at=at,
    )


def open_addon(addon: ServiceAddon, *, at: datetime, actor: User | None) -> ServiceAddon:
    """Store a new add-on.  The caller holds the lock of its service and invoices its start.

    Raises AddonRefused if the service has ended or has as many as it may.
    """
    service = addon.service
    if service.status in ENDED:
        raise AddonRefused(f"{service} has ended.")
    live = ServiceAddon.objects.filter(service=service, addon=addon.addon, status__in=LIVE)
    there = live.aggregate(units=Sum("quantity"))["units"] or 0
    most = addon.addon.maximum_quantity
    if there + addon.quantity > most:
        raise AddonRefused(
            f"{service} already has {addon.addon}."
            if most == 1
            else f"{service} can have {most} of {addon.addon} and already has {there}."
        )
    addon.save(force_insert=True)
    _record("ordered", addon, f"{addon.addon} ordered for {service}", at=at, actor=actor)
    return addon


def move_schedules(service_id: int, *, to: date) -> None:
    """Let the first periods of add-ons that did not start yet begin on day `to` instead.

    The caller moves their service, which starts with them.
    """
    waiting = ServiceAddon.objects.select_for_update(no_key=True).filter(
        service=service_id, status=ServiceStatus.PENDING
    )
    for addon in waiting.exclude(cycle=Cycle.ONE_TIME).order_by("pk"):
        addon.anchor_date = to
        addon.billed_until = add_months(to, addon.cycle_months, anchor_day=to.day)
        addon.save(update_fields=["anchor_date", "billed_until"])


def activate(
    addons: Iterable[ServiceAddon], *, at: datetime, actor: User | None = None
) -> list[ServiceAddon]:
    """Let pending add-ons begin; those that were started by this call."""
    started = []
    for addon in addons:
        with transaction.atomic():
            row = _locked(addon.pk)
            if row.status != ServiceStatus.PENDING:
                continue
            row.status, row.activated_at = ServiceStatus.ACTIVE, at
            row.save(update_fields=["status", "activated_at"])
            _record("active", row, f"{row} is now active", at=at, actor=actor)
            started.append(row)
    return started


def end_on(addon_id: int, *, day: date, at: datetime, actor: User | None) -> ServiceAddon:
    """Note the first day without the add-on; no period from then on is billed.

    Raises AddonRefused unless it runs.
    """
    with transaction.atomic():
        row = _locked(addon_id)
        if row.status not in BILLABLE:
            raise AddonRefused(f"{row} is {row.get_status_display().lower()}.")
        if row.ends_on != day:
            row.ends_on = day
            row.save(update_fields=["ends_on"])
            _record("ends", row, f"{row} ends on {day}", at=at, actor=actor)
        return row


def keep(addon_id: int, *, at: datetime, actor: User | None) -> ServiceAddon:
    """Take back that an add-on ends; one that ended already stays so."""
    with transaction.atomic():
        row = _locked(addon_id)
        if row.ends_on and row.status in BILLABLE:
            row.ends_on = None
            row.save(update_fields=["ends_on"])
            _record("kept", row, f"{row} no longer ends", at=at, actor=actor)
        return row


def end(
    addon_id: int, *, at: datetime, actor: User | None = None, reason: str = ""
) -> ServiceAddon:
    """End an add-on now; one that has ended stays as it is."""
    with transaction.atomic():
        row = _locked(addon_id)
        if row.status not in ENDED:
            _end(row, ServiceStatus.CANCELLED, at=at, actor=actor, reason=reason)
        return row


def end_all_of(
    service: Service, *, to: ServiceStatus, at: datetime, actor: User | None = None
) -> None:
    """End the add-ons of a service that ends; the caller holds its lock."""
    live = ServiceAddon.objects.filter(service=service, status__in=LIVE)
    for row in live.select_related("addon", "service__product").order_by("pk"):
        ran = row.status in BILLABLE and to != ServiceStatus.FRAUD
        ended = to if ran else ServiceStatus.CANCELLED
        _end(row, ended, at=at, actor=actor, reason="its service ended")


def advance_billing(billed_until: Mapping[int, date]) -> None:
    """Note until which day (excluded) each add-on is invoiced; it never goes back."""
    for day in sorted(set(billed_until.values())):
        ids = [addon_id for addon_id, until in billed_until.items() if until == day]
        ServiceAddon.objects.filter(pk__in=ids, billed_until__lt=day).update(billed_until=day)


def _locked(addon_id: int) -> ServiceAddon:
    """The add-on, its service locked."""
    service_id = ServiceAddon.objects.values_list("service_id", flat=True).get(pk=addon_id)
    Service.objects.select_for_update(no_key=True).get(pk=service_id)
    return ServiceAddon.objects.select_related("addon", "service__product", "service__client").get(
        pk=addon_id
    )


def _end(
    row: ServiceAddon, status: ServiceStatus, *, at: datetime, actor: User | None, reason: str
) -> None:
    row.status, row.ended_at = status, at
    row.save(update_fields=["status", "ended_at"])
    why = f": {reason}" if reason else ""
    _record("ended", row, f"{row} ended{why}", at=at, actor=actor)


def _record(
    what: str, addon: ServiceAddon, summary: str, *, at: datetime, actor: User | None
) -> None:
    """In the history of the service, which the add-on is a part of."""
    audit.record(
        f"addon.{what}",
        addon.service,
        summary=summary,
        at=at,
        actor=actor,
        client_id=addon.service.client_id,
        details={"addon": addon.pk, "units": addon.quantity},
    )
