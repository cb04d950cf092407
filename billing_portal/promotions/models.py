"""Codes that make something cheaper, and within which limits."""

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from billing_portal.products.models import AMOUNT, Product


class Promotion(models.Model):
    """A code that makes something cheaper, with its limits."""

    class Kind(models.TextChoices):
        PERCENT = "percent", "Percent off"
        FIXED = "fixed", "Fixed amount off"
        PRICE_OVERRIDE = "price_override", "Fixed price instead"
        FREE_SETUP = "free_setup", "Free set-up"

    code = models.CharField(
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"^[A-Z0-9_-]+$", "Capital letters, digits, - and _.")],
    )
    kind = models.CharField(max_length=14, choices=Kind.choices)
    value = models.DecimalField(**AMOUNT, help_text="Percent, or an amount in the currency.")
    currency = models.CharField(max_length=3, blank=True, help_text="Of an amount.")
    recurring = models.BooleanField(default=False, help_text="On renewals too.")
    recurs_for = models.PositiveIntegerField(
        null=True, blank=True, help_text="How many renewals; empty: every one."
    )
    survives_changes = models.BooleanField(
        default=False, help_text="For life: stays with the service through upgrades."
    )
    products = models.ManyToManyField(Product, blank=True, related_name="promotions")
    cycles = models.JSONField(default=list, blank=True, help_text="Empty: every cycle.")
    requires = models.ManyToManyField(
        Product,
        blank=True,
        related_name="+",
        help_text="Only together with one of these, in the order or already owned.",
    )
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    maximum_uses = models.PositiveIntegerField(null=True, blank=True)
    uses = models.PositiveIntegerField(default=0, editable=False)
    new_clients_only = models.BooleanField(default=False)
    existing_clients_only = models.BooleanField(default=False)
    once_per_client = models.BooleanField(default=False)
    once_per_order = models.BooleanField(default=False, help_text="For one item of an order only.")
    for_upgrades = models.BooleanField(default=False, help_text="Valid for upgrades, not orders.")
    notes = models.TextField(blank=True)
    history = HistoricalRecords(excluded_fields=["uses"])

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(maximum_uses__isnull=True) | Q(uses__lte=F("maximum_uses")),
                name="a_promotion_is_not_overused",
            ),
            models.CheckConstraint(
                condition=~Q(kind="percent") | Q(value__lte=100), name="a_percentage_is_a_part"
            ),
        ]

    def __str__(self) -> str:
        return self.code
