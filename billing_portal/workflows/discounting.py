"""Putting promotions and group discounts on what services owe in advance.

What the promotion takes off a period was agreed with the order and stands on the service
(`discount_amount`, for `discounts_left` more periods); later edits of the promotion change
nothing.  The group's percentage is today's.  `calc.discounts` has the rules.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from billing_portal.calc.discounts import ListPrice, discounts_of, promotion_share
from billing_portal.calc.invoice import Discount, RecurringItem
from billing_portal.clients.models import ClientGroup
from billing_portal.promotions import queries as promotions
from billing_portal.services.models import Service


def on_periods(
    items: Iterable[RecurringItem], service: Service, *, group: ClientGroup | None
) -> list[RecurringItem]:
    """Periods of a service, oldest first, each with its discounts.

    The promotion is on as many of them as it has left.
    """
    if not service.discount_amount and not (group and group.discount_percent):
        return list(items)
    left = service.discounts_left
    return [
        _discounted(item, service, group=group, promoted=left is None or number < left)
        for number, item in enumerate(items)
    ]


def on_first_periods(
    items: Iterable[RecurringItem], service: Service, *, group: ClientGroup | None
) -> list[RecurringItem]:
    """What a new service owes first, with its discounts.

    Days up to the first whole period, and that period, are one payment to the promotion.
    """
    promoted = service.discounts_left is None or service.discounts_left > 0
    return [_discounted(item, service, group=group, promoted=promoted) for item in items]


def on_setup(service: Service) -> tuple[Discount, ...]:
    """What the promotion takes off the set-up fee of a new service."""
    if service.promotion is None:
        return ()
    price = ListPrice(service.recurring_amount, service.setup_fee, unit_price=Decimal(0))
    off = promotions.effect(service.promotion, price, currency=service.currency).off_setup
    return (Discount(promotions.line_text(service.promotion), off),) if off else ()


def _discounted(
    item: RecurringItem, service: Service, *, group: ClientGroup | None, promoted: bool
) -> RecurringItem:
    found = discounts_of(
        item.amount,
        promotion=_promotion(item, service) if promoted else None,
        group_percent=group.discount_percent if group and service.cycle_months else Decimal(0),
        group_name=str(group or ""),
        currency=service.currency,
    )
    return replace(item, discounts=found) if found else item


def _promotion(item: RecurringItem, service: Service) -> Discount | None:
    if service.promotion is None or not service.discount_amount:
        return None
    amount = promotion_share(
        service.discount_amount,
        full=service.recurring_amount,
        billed=item.amount,
        currency=service.currency,
    )
    return Discount(promotions.line_text(service.promotion), amount)
