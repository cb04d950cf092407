"""The catalogue as a client sees it: what is for sale, and at which prices."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch, QuerySet

from billing_portal.calc.money import round_money
from billing_portal.calc.tiers import Scheme, Tier, UnitPricing, amount_of
from billing_portal.products.metering import PricedMeter, pricing_of
from billing_portal.products.models import (
    CYCLE_MONTHS,
    Cycle,
    Price,
    Product,
    ProductGroup,
    UsagePrice,
)
from provisioning import registry
from provisioning.contract import Metric

PER_CYCLE = {
    Cycle.ONE_TIME: "once",
    Cycle.MONTHLY: "per month",
    Cycle.QUARTERLY: "per quarter",
    Cycle.SEMI_ANNUAL: "per half-year",
    Cycle.ANNUAL: "per year",
    Cycle.BIENNIAL: "per two years",
    Cycle.TRIENNIAL: "per three years",
}


@dataclass(frozen=True, slots=True)
class Meter:
    """A metered price: `price` buys `metric.per` units, for storage per month."""

    metric: Metric
    pricing: UnitPricing

    @property
    def price(self) -> Decimal:
        return self.pricing.price

    @property
    def brackets(self) -> Sequence[Tier]:
        """The prices of larger and larger amounts; none if every unit costs the same."""
        return self.pricing.tiers

    @property
    def is_by_volume(self) -> bool:
        return self.pricing.scheme == Scheme.VOLUME

    @property
    def is_monthly(self) -> bool:
        return self.metric.key == "storage"


@dataclass(frozen=True, slots=True)
class Offer:
    """A product with its prices in one currency, the shortest cycle first."""

    product: Product
    prices: list[Price]
    meters: list[Meter]

    @property
    def features(self) -> list[str]:
        return [line.strip() for line in self.product.description.splitlines() if line.strip()]

    @property
    def is_out_of_stock(self) -> bool:
        return self.product.stock == 0

    @property
    def bills_calls(self) -> bool:
        return any(metric.key == "calls" for metric in metrics_of(self.product))

    @property
    def first_price(self) -> Price:
        return self.prices[0]

    @property
    def per_first_cycle(self) -> str:
        return PER_CYCLE[Cycle(self.first_price.cycle)]

    def price_for(self, cycle: str) -> Price | None:
        return next((price for price in self.prices if price.cycle == cycle), None)


@dataclass(frozen=True, slots=True)
class Shelf:
    group: ProductGroup
    offers: list[Offer]


def shelves(currency: str) -> list[Shelf]:
    """What is for sale in `currency`, in the order staff arranged it; no empty shelf."""
    products = _for_sale(currency).filter(hidden=False)
    groups = ProductGroup.objects.filter(hidden=False).prefetch_related(
        Prefetch("products", queryset=products)
    )
    found = [Shelf(group, list(_offers(group.products.all()))) for group in groups]
    return [shelf for shelf in found if shelf.offers]


def offer(slug: str, currency: str) -> Offer | None:
    """One product, also a hidden one; None if it is not for sale in `currency`."""
    return next(_offers(_for_sale(currency).filter(slug=slug)), None)


def priced_elsewhere(slug: str) -> Product | None:
    """A product for sale in other currencies than the asked one, once `offer` found nothing."""
    return Product.objects.filter(slug=slug, retired=False, prices__isnull=False).first()


def monthly_storage(
    meters: Iterable[Meter], spec: Mapping[str, Any], *, currency: str
) -> Decimal | None:
    """What `spec["size_gb"]` costs if it stands for a month; None without size or meter.

    500 GB at 10.00 per 1000 GB and month: 5.00
    """
    meter = next((meter for meter in meters if meter.is_monthly), None)
    size_gb = spec.get("size_gb")
    if meter is None or not isinstance(size_gb, int):
        return None
    return round_money(amount_of(size_gb, meter.pricing), currency)


def summary(product: Product, spec: Mapping[str, Any]) -> str:
    """The spec in a few words: "500 GB"; empty without a module that knows it."""
    module = registry.modules().get(product.module_key)
    return module.summarise(spec) if module and spec else ""


def metrics_of(product: Product) -> list[Metric]:
    module = registry.modules().get(product.module_key)
    return list(module.metrics) if module else []


def meters(product: Product, prices: Iterable[PricedMeter]) -> list[Meter]:
    """The product's meters that have a price among `prices`."""
    rows = {row.metric: row for row in prices}
    return [
        Meter(metric, pricing_of(rows[metric.key], per=metric.per))
        for metric in metrics_of(product)
        if metric.key in rows
    ]


def _for_sale(currency: str) -> QuerySet[Product]:
    return (
        Product.objects.filter(retired=False)
        .select_related("group")
        .prefetch_related(
            Prefetch("prices", queryset=Price.objects.filter(currency=currency)),
            Prefetch("usage_prices", queryset=UsagePrice.objects.filter(currency=currency)),
        )
    )


def _offers(products: Iterable[Product]) -> Iterator[Offer]:
    for product in products:
        prices = sorted(product.prices.all(), key=lambda price: CYCLE_MONTHS[price.cycle])
        # A module may be uninstalled while its products are still listed.
        deliverable = not product.module_key or product.module_key in registry.modules()
        if prices and deliverable:
            yield Offer(product, prices, meters(product, product.usage_prices.all()))
