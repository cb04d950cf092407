"""Changing the catalogue.  Nothing here touches a service that exists."""

from django.db.models import F

from billing_portal.errors import PortalError
from billing_portal.products.models import Product


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
