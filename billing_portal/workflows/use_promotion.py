"""Using a promotion's code in an order: what the checkout shows and the order does.

`judged` only looks; `taken` locks the promotion, looks again and counts the use, so of two
orders for the last use one is refused.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from billing_portal.calc.discounts import ListPrice
from billing_portal.clients.models import Client
from billing_portal.orders.actions import ItemTerms
from billing_portal.orders.models import Order
from billing_portal.promotions import actions, queries
from billing_portal.promotions.models import Promotion
from billing_portal.promotions.queries import Customer, Wanted
from billing_portal.services.models import Service
from billing_portal.services.states import ENDED, ServiceStatus


def judged(
    code: str, client: Client, terms: Sequence[ItemTerms], *, at: datetime
) -> list[ItemTerms]:
    """The terms of an order with what the code takes off them.

    Raises PromotionRefused with a sentence.
    """
    return _applied(queries.find(code), client, terms, at=at)


def taken(
    code: str, client: Client, terms: Sequence[ItemTerms], *, at: datetime
) -> list[ItemTerms]:
    """As `judged`, and one use is counted, in the transaction that places the order."""
    promotion = actions.locked(queries.find(code))
    applied = _applied(promotion, client, terms, at=at)
    actions.count_use(promotion)
    return applied


def customer_of(client: Client) -> Customer:
    """What promotions ask about a client; one without an account yet is new.

    Orders that were cancelled unpaid do not count.
    """
    if client._state.adding:
        return Customer(client.currency)
    mine = Service.objects.filter(client=client)
    came_to_nothing = mine.filter(
        status__in=(ServiceStatus.CANCELLED, ServiceStatus.FRAUD), activated_at__isnull=True
    )
    placed = Order.objects.filter(client=client, status=Order.Status.PLACED)
    codes = placed.exclude(promotion_code="").values("promotion_code")
    return Customer(
        client.currency,
        is_new=not mine.exclude(pk__in=came_to_nothing.values("pk")).exists(),
        owned=frozenset(mine.exclude(status__in=ENDED).values_list("product_id", flat=True)),
        used=frozenset(Promotion.objects.filter(code__in=codes).values_list("pk", flat=True)),
    )


def _applied(
    promotion: Promotion, client: Client, terms: Sequence[ItemTerms], *, at: datetime
) -> list[ItemTerms]:
    wanted = [Wanted(item.product.pk, item.price.cycle) for item in terms]
    chosen = queries.positions(promotion, wanted, customer=customer_of(client), at=at)
    applied = list(terms)
    for position in chosen:
        item = terms[position]
        effect = queries.effect(promotion, _list_price(item), currency=client.currency)
        applied[position] = replace(item, promotion=promotion, effect=effect)
    return applied


def _list_price(item: ItemTerms) -> ListPrice:
    return ListPrice(
        recurring=item.priced.recurring,
        setup_fee=item.priced.setup_fee,
        unit_price=item.price.recurring,
        quantity=item.quantity,
    )
