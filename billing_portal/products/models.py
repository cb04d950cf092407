"""What is for sale: groups, products, and prices per currency and cycle."""

from decimal import Decimal
from typing import Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from billing_portal.custom_fields import CustomField

AMOUNT: dict[str, Any] = {
    "max_digits": 12,
    "decimal_places": 3,
    "default": Decimal(0),
    "validators": [MinValueValidator(Decimal(0))],
}
"""A catalogue price: not below zero, in the smallest unit of any currency."""


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


class PriceScheme(models.TextChoices):
    """How units beyond the included ones are priced."""

    FLAT = "flat", "One price for every unit"
    GRADUATED = "graduated", "Each bracket prices its own units"
    VOLUME = "volume", "The bracket of the total prices all units"


class ExchangeRate(models.Model):
    """How many units of a currency one unit of the seller's currency buys."""

    currency = models.CharField(max_length=3, unique=True)
    rate = models.DecimalField(
        max_digits=18, decimal_places=8, validators=[MinValueValidator(Decimal("0.00000001"))]
    )
    as_of = models.DateTimeField()
    source = models.CharField(max_length=40, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar = ["currency"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(rate__gt=0), name="a_rate_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.rate}"


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

    class QuantityMode(models.TextChoices):
        ONE = "one", "One per order"
        SERVICES = "services", "As many services as ordered"
        SCALING = "scaling", "One service of so many units"

    class ChangePolicy(models.TextChoices):
        AUTO = "auto", "Keep the due date; start anew when the cycle changes"
        KEEP_DUE_DATE = "keep_due_date", "Keep the due date"
        RESTART_CYCLE = "restart_cycle", "Start a new period on the day of the change"

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
    taxable = models.BooleanField(default=True, help_text="Tax rules apply to it.")
    stock = models.PositiveIntegerField(
        null=True, blank=True, help_text="How many are left to order; empty: no limit."
    )
    quantity_mode = models.CharField(
        max_length=10, choices=QuantityMode.choices, default=QuantityMode.ONE
    )
    maximum_quantity = models.PositiveIntegerField(
        default=1, validators=[MinValueValidator(1)], help_text="Per order."
    )
    periods_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="Completed after so many periods; empty: no limit."
    )
    term_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Trial or fixed term: ends so many days after the order; empty: runs on.",
    )
    prorata_day = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text="Bill the first period up to this day of the month; empty: from the order's day.",
    )
    prorata_next_from = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text="Orders from this day of the month on also pay the whole following month.",
    )
    upgrades_to = models.ManyToManyField(
        "self", symmetrical=False, blank=True, related_name="upgraded_from"
    )
    change_policy = models.CharField(
        max_length=14, choices=ChangePolicy.choices, default=ChangePolicy.AUTO
    )
    deletion_grace_days = models.PositiveSmallIntegerField(
        default=7,
        help_text="Days a cancelled service's data is kept before it is deleted for good.",
    )
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
        **AMOUNT, help_text="Per cycle, in advance; 0 for services billed by usage alone."
    )
    setup_fee = models.DecimalField(**AMOUNT, help_text="Once, on the first invoice.")
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
    scheme = models.CharField(max_length=10, choices=PriceScheme.choices, default=PriceScheme.FLAT)
    included = models.DecimalField(
        max_digits=16,
        decimal_places=6,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text="Units per month that cost nothing.",
    )
    tiers = models.JSONField(
        default=list,
        blank=True,
        help_text='Brackets from the lowest: [{"up_to": "1000", "price": "0.02"}, ...]; '
        "the last has no up_to.",
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


class OptionGroup(models.Model):
    """Options that are offered together, for some products."""

    name = models.CharField(max_length=80)
    products = models.ManyToManyField(Product, blank=True, related_name="option_groups")

    class Meta:
        ordering: ClassVar = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


class Option(models.Model):
    """A choice that belongs to the product: it has its cycle and is in its line."""

    class Kind(models.TextChoices):
        DROPDOWN = "dropdown", "Drop-down"
        RADIO = "radio", "Radio buttons"
        YES_NO = "yes_no", "Yes or no"
        QUANTITY = "quantity", "Quantity"

    group = models.ForeignKey(OptionGroup, on_delete=models.CASCADE, related_name="options")
    key = models.SlugField(max_length=40, help_text="The stable name that modules read.")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    minimum = models.PositiveIntegerField(default=0, help_text="Of a quantity.")
    maximum = models.PositiveIntegerField(default=1, help_text="Of a quantity.")
    position = models.PositiveSmallIntegerField(default=0)
    hidden = models.BooleanField(default=False, help_text="No longer offered.")

    class Meta:
        ordering: ClassVar = ["group", "position", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["group", "key"], name="one_option_per_key"),
            models.CheckConstraint(
                condition=Q(maximum__gte=F("minimum")), name="option_range_runs_forward"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Choice(models.Model):
    """One value of an option; yes/no and quantity options have exactly one, which is priced."""

    option = models.ForeignKey(Option, on_delete=models.CASCADE, related_name="choices")
    key = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    position = models.PositiveSmallIntegerField(default=0)
    hidden = models.BooleanField(default=False, help_text="No longer offered.")

    class Meta:
        ordering: ClassVar = ["option", "position", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["option", "key"], name="one_choice_per_key"),
        ]

    def __str__(self) -> str:
        return self.name


class ChoicePrice(models.Model):
    """What a choice adds in one currency and cycle.  No row: it costs nothing."""

    choice = models.ForeignKey(Choice, on_delete=models.CASCADE, related_name="prices")
    currency = models.CharField(max_length=3)
    cycle = models.CharField(max_length=12, choices=Cycle.choices)
    recurring = models.DecimalField(**AMOUNT, help_text="Per cycle, and per unit of a quantity.")
    setup_fee = models.DecimalField(**AMOUNT, help_text="Once, and per unit of a quantity.")

    class Meta:
        ordering: ClassVar = ["choice", "currency", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["choice", "currency", "cycle"], name="one_choice_price_per_cycle"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.choice} {self.recurring} {self.currency}"


class Addon(models.Model):
    """Something extra for services of some products, billed on a cycle of its own."""

    name = models.CharField(max_length=80)
    slug = models.SlugField(unique=True)
    description = models.TextField(blank=True)
    products = models.ManyToManyField(Product, blank=True, related_name="addons")
    taxable = models.BooleanField(default=True, help_text="Tax rules apply to it.")
    maximum_quantity = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1)])
    suspends_service = models.BooleanField(
        default=False, help_text="While it is overdue, its service may be suspended."
    )
    hidden = models.BooleanField(default=False, help_text="Only staff add it.")
    retired = models.BooleanField(default=False, help_text="No longer for sale.")
    position = models.PositiveSmallIntegerField(default=0)
    history = HistoricalRecords()

    class Meta:
        verbose_name = "add-on"
        ordering: ClassVar = ["position", "name", "pk"]

    def __str__(self) -> str:
        return self.name


class AddonPrice(models.Model):
    """What an add-on costs in one currency and cycle.  No row: not offered."""

    addon = models.ForeignKey(Addon, on_delete=models.CASCADE, related_name="prices")
    currency = models.CharField(max_length=3)
    cycle = models.CharField(max_length=12, choices=Cycle.choices)
    recurring = models.DecimalField(**AMOUNT, help_text="Per cycle, in advance.")
    setup_fee = models.DecimalField(**AMOUNT, help_text="Once.")

    class Meta:
        ordering: ClassVar = ["addon", "currency", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["addon", "currency", "cycle"], name="one_addon_price_per_cycle"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.addon} {self.recurring} {self.currency}"


class ProductField(CustomField):
    """A further question put with an order of a product."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="fields")

    class Meta(CustomField.Meta):
        ordering: ClassVar = ["product", "position", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "key"], name="one_product_field_per_key"),
        ]
