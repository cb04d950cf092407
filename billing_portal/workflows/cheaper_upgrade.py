"""Whether a service would cost less as another product, with the same use.

Nothing is said where it cannot be known: a meter without a price list, options with a
price of their own, a product that would not take the size.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing_portal.calc.money import exact, round_money
from billing_portal.calc.pricing import ChosenOption
from billing_portal.calc.tiers import amount_of
from billing_portal.products.metering import pricing_of
from billing_portal.products.models import Product
from billing_portal.services.models import Service
from billing_portal.workflows import change_terms
from provisioning import registry
from provisioning.contract import ModuleError
from provisioning.contract import Usage as Used


@dataclass(frozen=True, slots=True)
class CheaperUpgrade:
    """A product, and what a month costs with it and without, in advance and by usage."""

    product: Product
    month: Decimal
    month_now: Decimal


def cheaper_upgrade(service: Service, month_of_use: Iterable[Used]) -> CheaperUpgrade | None:
    """The cheapest product a service could become, if it costs less than the service does.

    `month_of_use` is what a whole month uses and costs, a usage per meter.  A promotion that
    still runs counts for the present price only, since it may end with the change.
    """
    usages = list(month_of_use)
    if not service.cycle_months or _has_priced_options(service):
        return None
    now = round_money(_advance_now(service) + _total(usages), service.currency)
    targets = change_terms.targets_of(service)[1:]
    prices = change_terms.prices_of(service, targets)
    found = []
    for product in targets:
        price = next((one for one in prices[product.pk] if one.cycle == service.cycle), None)
        by_use = _usage_cost(product, service, {one.metric: one.quantity for one in usages})
        if price is None or by_use is None or not _would_take(product, service):
            continue
        advance = exact(price.recurring) * service.quantity * _kept_share(service)
        month = round_money(advance / service.cycle_months + by_use, service.currency)
        if month < now:
            found.append(CheaperUpgrade(product, month, now))
    return min(found, key=lambda one: (one.month, one.product.pk), default=None)


def _advance_now(service: Service) -> Fraction:
    """What a month costs in advance with the discounts of the present."""
    promised = service.discount_amount if service.discounts_left != 0 else Decimal(0)
    advance = exact(service.recurring_amount) - exact(promised)
    return max(advance, Fraction()) * _kept_share(service) / service.cycle_months


def _kept_share(service: Service) -> Fraction:
    """The part of a price in advance that the discount of the client's group leaves."""
    group = service.client.group
    return 1 - exact(group.discount_percent) / 100 if group else Fraction(1)


def _total(usages: Iterable[Used]) -> Fraction:
    return sum((exact(one.amount) for one in usages), Fraction())


def _usage_cost(product: Product, service: Service, used: Mapping[str, Decimal]) -> Fraction | None:
    """What the same use costs with the product; None if it has no price for some of it."""
    rows = {row.metric: row for row in product.usage_prices.filter(currency=service.currency)}
    agreed = {row.metric for row in service.usage_prices.all()}
    metrics = {metric.key: metric for metric in registry.module_class(product.module_key).metrics}
    cost = Fraction()
    for key, quantity in used.items():
        if key not in rows or key not in agreed or key not in metrics:
            return None
        cost += amount_of(quantity, pricing_of(rows[key], per=metrics[key].per))
    return cost


def _would_take(product: Product, service: Service) -> bool:
    if product.stock == 0:
        return False
    try:
        registry.module_class(product.module_key).check_spec(product.module_settings, service.spec)
    except ModuleError:
        return False
    return True


def _has_priced_options(service: Service) -> bool:
    chosen = [ChosenOption.read(one) for one in service.options]
    return any(one.units and one.recurring for one in chosen)
