"""Promotion codes for the change of a service: a part of what is payable now, or an amount."""

from dataclasses import replace
from datetime import datetime

from billing_portal.clients.models import Client
from billing_portal.orders import changes
from billing_portal.orders.models import ServiceChange
from billing_portal.promotions import actions, queries
from billing_portal.promotions.models import Promotion
from billing_portal.promotions.queries import Customer, PromotionRefused, Wanted
from billing_portal.workflows.use_promotion import customer_of

_KINDS = (Promotion.Kind.PERCENT, Promotion.Kind.FIXED)
_COUNTED = (*changes.OPEN, changes.Status.APPLIED)


def judged(code: str, client: Client, wanted: Wanted, *, at: datetime) -> Promotion:
    """The promotion with that code, which holds for this change.

    Raises PromotionRefused with a sentence.
    """
    promotion = queries.find(code)
    customer = _customer(client)
    queries.positions(promotion, [wanted], customer=customer, at=at, for_change=True)
    if promotion.kind not in _KINDS:
        raise PromotionRefused(f"{promotion} takes nothing off a change.")
    return promotion


def lock(code: str) -> None:
    """Lock the promotion, so that its last use is had by one change.

    Raises PromotionRefused if there is none.
    """
    actions.locked(queries.find(code))


def give_back(change: ServiceChange) -> None:
    """A change that did not come about has not used its code."""
    if code := change.after.get("promotion_code"):
        actions.give_back(code)


def _customer(client: Client) -> Customer:
    """As for an order, with the codes that changes have used."""
    customer = customer_of(client)
    made = ServiceChange.objects.filter(service__client=client, status__in=_COUNTED)
    codes = {after.get("promotion_code") for after in made.values_list("after", flat=True)}
    used = Promotion.objects.filter(code__in=codes - {None, ""})
    return replace(customer, used=customer.used | set(used.values_list("pk", flat=True)))
