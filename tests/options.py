"""Rows of options for tests, in few words."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from billing_portal.products.models import (
    Choice,
    ChoicePrice,
    Cycle,
    Option,
    OptionGroup,
    Product,
)


def make_option(
    product: Product,
    key: str = "location",
    kind: str = Option.Kind.DROPDOWN,
    prices: Mapping[str, str] | None = None,
    *,
    setup: Mapping[str, str] | None = None,
    cycle: str = Cycle.MONTHLY,
    currency: str = "EUR",
    **fields: Any,
) -> Option:
    """An option of a product; `prices` and `setup` give the amounts of its choices by key."""
    group, _ = OptionGroup.objects.get_or_create(name=f"Options of {product.slug}")
    group.products.add(product)
    values: dict[str, Any] = {"name": key.title(), "kind": kind, "maximum": 10}
    option = Option.objects.create(group=group, key=key, **values | fields)
    for position, name in enumerate({**(prices or {}), **(setup or {})} or {"unit": "0"}):
        choice = Choice.objects.create(
            option=option, key=name, name=name.title(), position=position
        )
        ChoicePrice.objects.create(
            choice=choice,
            currency=currency,
            cycle=cycle,
            recurring=Decimal((prices or {}).get(name, "0")),
            setup_fee=Decimal((setup or {}).get(name, "0")),
        )
    return option
