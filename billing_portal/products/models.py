"""What is for sale: groups, products, and prices per currency and cycle."""

from decimal import Decimal
from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords


class Cycle(models.TextChoices):
    ONE_TIME = "one_time", "One time"
    MONTHLY = "monthly", "Monthly"
    QUARTERLY = "quarterly", "Quarterly"
    SEMI_ANNUAL = "semi_annual", "Every six months"
    ANNUAL = "annual", "Yearly"
    BIENNIAL = "biennial", "Every two years"
    TRIENNIAL = "triennial", "Every three years"


CYCLE_MONTHS: dict[str, int] = {
    Cycle.ONE_TIME: 0,
    Cycle.MONTHLY: 1,
    Cycle.QUARTERLY: 3,
    Cycle.SEMI_ANNUAL: 6,
    Cycle.ANNUAL: 12,
    Cycle.BIENNIAL: 24,
    Cycle.TRIENNIAL: 36,
}


class ProductGroup(models.Model):
    """A shelf of the order page."""

    name = models.CharField(max_length=80)
    slug = models.SlugField(unique=True)
    headline = models.CharField(max_length=200, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    hidden = models.BooleanField(default=False, help_text="Not shown on the order page.")

    class Meta:
        ordering: ClassVar = ["position", "name", "pk"]

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    """Something a client can order, and the module that delivers it."""

    class SetUp(models.TextChoices):
        ON_ORDER = "on_order", "As soon as it is ordered"
        ON_PAYMENT = "on_payment", "When the first invoice is paid"
        MANUALLY = "manually", "When staff say so"

    group = models.ForeignKey(ProductGroup, on_delete=models.PROTECT, related_name="products")
    name = models.CharField(max_length=80)
    slug = models.SlugField(unique=True)
    tagline = models.CharField(max_length=160, blank=True)
    description = models.TextField(blank=True, help_text="One feature per line.")
    module_key = models.CharField(max_length=40, blank=True, help_text="Which module delivers it.")
    module_settings = models.JSONField(default=dict, blank=True)
    set_up = models.CharField(max_length=12, choices=SetUp.choices, default=SetUp.ON_PAYMENT)
    position = models.PositiveSmallIntegerField(default=0)
    hidden = models.BooleanField(default=False, help_text="Orderable only by direct link.")
    retired = models.BooleanField(default=False, help_text="No longer for sale; services live on.")
    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar = ["group__position", "position", "name", "pk"]

    def __str__(self) -> str:
        return self.name


class Price(models.Model):
    """What a product costs in one currency and cycle.  No row: not offered."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="prices")
    currency = models.CharField(max_length=3)
    cycle = models.CharField(max_length=12, choices=Cycle.choices)
    recurring = models.DecimalField(
        max_digits=12,
        decimal_places=3,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text="Per cycle, in advance; 0 for services billed by usage alone.",
    )
    setup_fee = models.DecimalField(
        max_digits=12,
        decimal_places=3,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text="Once, on the first invoice.",
    )
    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar = ["product", "currency", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["product", "currency", "cycle"], name="one_price_per_currency_and_cycle"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} {self.get_cycle_display().lower()} {self.recurring} {self.currency}"


class UsagePrice(models.Model):
    """What one metered unit of a product costs: 10.00 per 1000 GB and month."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="usage_prices")
    currency = models.CharField(max_length=3)
    metric = models.CharField(max_length=40, help_text="The module's name of the meter.")
    price = models.DecimalField(
        max_digits=16,
        decimal_places=6,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Per `per` units; for storage, per 1000 GB and month.",
    )
    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar = ["product", "currency", "metric", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["product", "currency", "metric"], name="one_usage_price_per_metric"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} {self.metric} {self.price} {self.currency}"
