"""Whether a code may be used, and what it does.  Every refusal is a sentence for its user."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing_portal.calc.discounts import (
    NO_EFFECT,
    ListPrice,
    PromotionEffect,
    PromotionKind,
    PromotionRule,
    effect_of,
)
from billing_portal.calc.money import round_money
from billing_portal.errors import PortalError
from billing_portal.products.models import Cycle
from billing_portal.promotions.models import Promotion

IN_AMOUNTS = (Promotion.Kind.FIXED, Promotion.Kind.PRICE_OVERRIDE)


class PromotionRefused(PortalError):
    """The code does not hold for this client and this order."""


@dataclass(frozen=True, slots=True)
class Customer:
    """What promotions ask about a client.

    `owned` are the products it has services of, `used` the promotions it has used before.
    """

    currency: str
    is_new: bool = True
    owned: frozenset[int] = frozenset()
    used: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Wanted:
    """One position of an order, or what a service is to become."""

    product_id: int
    cycle: str


def find(code: str) -> Promotion:
    """The promotion with this code, however it is typed.  Raises PromotionRefused."""
    typed = code.strip().upper()
    if not typed:
        raise PromotionRefused("Please enter a code.")
    promotion = Promotion.objects.filter(code=typed).first()
    if promotion is None:
        raise PromotionRefused(f"There is no code {typed[:40]}. Please check how it is spelled.")
    return promotion


def positions(
    promotion: Promotion,
    wanted: Sequence[Wanted],
    *,
    customer: Customer,
    at: datetime,
    for_change: bool = False,
) -> list[int]:
    """Which positions of `wanted` the promotion makes cheaper, at least one.

    `for_change` asks for the change of a service instead of an order.
    Raises PromotionRefused with the first reason why it does not hold.
    """
    refused = (
        _not_now(promotion, at)
        or _not_for_this(promotion, for_change)
        or _not_for_client(promotion, customer)
        or _missing_product(promotion, wanted, customer)
    )
    if refused:
        raise PromotionRefused(refused)
    products = {product.pk for product in promotion.products.all()}
    fitting = [n for n, one in enumerate(wanted) if not products or one.product_id in products]
    if not fitting:
        raise PromotionRefused(f"{promotion} is not for this product, but for {_names(promotion)}.")
    timely = [n for n in fitting if not promotion.cycles or wanted[n].cycle in promotion.cycles]
    if not timely:
        named = " or ".join(str(Cycle(cycle).label).lower() for cycle in promotion.cycles)
        raise PromotionRefused(f"{promotion} is only for this billing cycle: {named}.")
    return timely[:1] if promotion.once_per_order else timely


def effect(promotion: Promotion, price: ListPrice, *, currency: str) -> PromotionEffect:
    """What the promotion takes off an item; nothing if its amount is in another currency."""
    if promotion.kind in IN_AMOUNTS and promotion.currency != currency:
        return NO_EFFECT
    rule = PromotionRule(
        PromotionKind(promotion.kind),
        promotion.value,
        recurring=promotion.recurring,
        recurs_for=promotion.recurs_for,
    )
    return effect_of(rule, price, currency=currency)


def explained(promotion: Promotion) -> str:
    """What it does in a few words: "20 % off", "5.00 EUR off", "9.90 EUR instead"."""
    if promotion.kind == Promotion.Kind.PERCENT:
        return f"{promotion.value.normalize():f} % off"
    if promotion.kind == Promotion.Kind.FREE_SETUP:
        return "free set-up"
    amount = f"{round_money(promotion.value, promotion.currency)} {promotion.currency}"
    return f"{amount} off" if promotion.kind == Promotion.Kind.FIXED else f"{amount} instead"


def duration(promotion: Promotion) -> str:
    """How long it lasts, in words for an order page."""
    if promotion.kind == Promotion.Kind.FREE_SETUP or not promotion.recurring:
        return "on the first payment"
    if promotion.recurs_for is None:
        return "on every payment"
    more = promotion.recurs_for
    if not more:
        return "on the first payment"
    return f"on the first payment and the next {more if more > 1 else 'one'}"


def line_text(promotion: Promotion) -> str:
    """What its line on an invoice says."""
    return f"Promotion {promotion.code}: {explained(promotion)}"


def _not_now(promotion: Promotion, at: datetime) -> str:
    if promotion.starts_at and at < promotion.starts_at:
        return f"{promotion} cannot be used yet."
    if promotion.ends_at and at >= promotion.ends_at:
        return f"{promotion} has ended."
    if promotion.maximum_uses is not None and promotion.uses >= promotion.maximum_uses:
        return f"{promotion} has been used up."
    return ""


def _not_for_this(promotion: Promotion, for_change: bool) -> str:
    if for_change and not promotion.for_upgrades:
        return f"{promotion} is for new orders, not for changes of a service."
    if promotion.for_upgrades and not for_change:
        return f"{promotion} is only for the upgrade of a service you have."
    return ""


def _not_for_client(promotion: Promotion, customer: Customer) -> str:
    if promotion.kind in IN_AMOUNTS and promotion.currency != customer.currency:
        return f"{promotion} is in {promotion.currency}, but you pay in {customer.currency}."
    if promotion.new_clients_only and not customer.is_new:
        return f"{promotion} is for new clients only."
    if promotion.existing_clients_only and customer.is_new:
        return f"{promotion} is only for clients who already have something."
    if promotion.once_per_client and promotion.pk in customer.used:
        return f"You have already used {promotion}; it holds once."
    return ""


def _missing_product(promotion: Promotion, wanted: Sequence[Wanted], customer: Customer) -> str:
    required = list(promotion.requires.all())
    at_hand = customer.owned | {one.product_id for one in wanted}
    if required and not at_hand & {product.pk for product in required}:
        names = " or ".join(product.name for product in required)
        return f"{promotion} holds only together with {names}."
    return ""


def _names(promotion: Promotion) -> str:
    return " or ".join(product.name for product in promotion.products.all())
