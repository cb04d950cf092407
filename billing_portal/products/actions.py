"""Changing the catalogue.  Nothing here touches a service that exists."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import F

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.errors import PortalError
from billing_portal.products.models import Choice, ChoicePrice, Price, Product
from billing_portal.products.queries import Cell, Rate

MAX_NAME = Product._meta.get_field("name").max_length or 0
MAX_SLUG = Product._meta.get_field("slug").max_length or 0
ROOM_FOR_NUMBER = 8


class OutOfStock(PortalError):
    """Fewer are left than were asked for."""


def take_stock(product_id: int, units: int) -> None:
    """Take `units` of a product whose stock is counted, in the caller's transaction.

    The row stays locked until the transaction ends, so two clients never get the last one.
    Raises OutOfStock if fewer are left.
    """
    counted = Product.objects.filter(pk=product_id, stock__isnull=False)
    if counted.filter(stock__gte=units).update(stock=F("stock") - units):
        return
    if product := counted.first():
        raise OutOfStock(left(product))


def return_stock(product_id: int, units: int) -> None:
    """Put `units` back, where stock is counted."""
    counted = Product.objects.filter(pk=product_id, stock__isnull=False)
    counted.update(stock=F("stock") + units)


def left(product: Product) -> str:
    """How many are left, as the reason for a refusal."""
    if not product.stock:
        return f"{product} is out of stock."
    return f"Only {product.stock} of {product} {'is' if product.stock == 1 else 'are'} left."


def set_prices(
    of: Product | Choice, rates: Mapping[Cell, Rate | None], *, at: datetime, actor: User | None
) -> list[str]:
    """Bring the prices of a product, or of an option's choice, to `rates`; None: no price.

    Cells that are not named stay as they are.  What changed, one sentence each; the same
    again changes nothing.
    """
    said = []
    with transaction.atomic():
        before = {(price.currency, price.cycle): price for price in of.prices.all()}
        for cell, wanted in rates.items():
            present = before.get(cell)
            was = Rate(present.setup_fee, present.recurring) if present else None
            if was == wanted:
                continue
            _set_price(of, cell, present, wanted)
            said.append(f"{' '.join(cell)}: {_words(was)} becomes {_words(wanted)}")
        if said:
            audit.record(
                "product.prices_changed",
                of,
                summary=f"Prices of {of}: {'; '.join(said)}",
                at=at,
                actor=actor,
            )
    return said


def retire(product: Product, *, at: datetime, actor: User | None) -> None:
    """Take a product off sale.  Its services live on; doing it again changes nothing."""
    with transaction.atomic():
        locked = Product.objects.select_for_update(no_key=True).get(pk=product.pk)
        if locked.retired:
            return
        locked.retired = True
        locked.save(update_fields=["retired"])
        audit.record(
            "product.retired", locked, summary=f"{locked} is no longer for sale", at=at, actor=actor
        )


def duplicate(product: Product, *, at: datetime, actor: User | None) -> Product:
    """A copy with everything that belongs to the product, hidden until somebody shows it."""
    with transaction.atomic():
        copy = Product.objects.get(pk=product.pk)
        copy.pk, copy._state.adding = None, True
        copy.name = f"Copy of {product.name}"[:MAX_NAME]
        copy.slug, copy.hidden, copy.retired = _free_slug(product.slug), True, False
        copy.save()
        for rows in (product.prices, product.usage_prices, product.fields):
            for row in rows.all():
                row.pk, row._state.adding, row.product = None, True, copy
                row.save()
        copy.option_groups.set(product.option_groups.all())
        copy.addons.set(product.addons.all())
        copy.upgrades_to.set(product.upgrades_to.all())
        audit.record(
            "product.duplicated", copy, summary=f"{copy} made from {product}", at=at, actor=actor
        )
    return copy


def _set_price(
    of: Product | Choice, cell: Cell, present: Price | ChoicePrice | None, wanted: Rate | None
) -> None:
    if wanted is None:
        if present:
            present.delete()
        return
    if present is None:
        of.prices.create(
            currency=cell[0],
            cycle=cell[1],
            setup_fee=wanted.setup_fee,
            recurring=wanted.recurring,
        )
        return
    present.setup_fee, present.recurring = wanted.setup_fee, wanted.recurring
    present.save()


def _words(rate: Rate | None) -> str:
    if rate is None:
        return "not offered"
    return f"{rate.recurring:f}" + (f" and {rate.setup_fee:f} set-up" if rate.setup_fee else "")


def _free_slug(slug: str) -> str:
    stem = slug[: MAX_SLUG - ROOM_FOR_NUMBER]
    taken = set(Product.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    number = 2
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"
