"""Offers in writing: what a client or a prospect would pay, until when."""

from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from billing_portal.clients.models import Client
from billing_portal.invoices.models import MONEY, Invoice


class Quote(models.Model):
    """An offer.  It is for a client, or for a prospect who becomes one by accepting."""

    class Stage(models.TextChoices):
        DRAFT = "draft", "Draft"
        DELIVERED = "delivered", "Delivered"
        ON_HOLD = "on_hold", "On hold"
        ACCEPTED = "accepted", "Accepted"
        LOST = "lost", "Lost"
        DEAD = "dead", "Dead"

    number = models.CharField(max_length=30, unique=True)
    subject = models.CharField(max_length=150)
    stage = models.CharField(max_length=10, choices=Stage.choices, default=Stage.DRAFT)
    client = models.ForeignKey(
        Client, on_delete=models.PROTECT, null=True, blank=True, related_name="quotes"
    )
    prospect = models.JSONField(
        default=dict, blank=True, help_text="Name, company, e-mail and address, without a client."
    )
    currency = models.CharField(max_length=3)
    proposal = models.TextField(blank=True, help_text="Printed above the lines.")
    customer_notes = models.TextField(blank=True, help_text="Printed below the lines.")
    staff_notes = models.TextField(blank=True, help_text="Only staff see this.")
    valid_until = models.DateField()
    deposit_percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        default=Decimal(0),
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="Invoiced on acceptance; the rest when staff say so.",
    )
    net_total = models.DecimalField(**MONEY, default=Decimal(0))
    tax_total = models.DecimalField(**MONEY, default=Decimal(0))
    total = models.DecimalField(**MONEY, default=Decimal(0))
    taxes = models.JSONField(default=list, blank=True)
    access_key = models.CharField(
        max_length=43, unique=True, help_text="Lets a prospect without a log-in read the offer."
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    invoices = models.ManyToManyField(Invoice, blank=True, related_name="quotes")

    class Meta:
        ordering: ClassVar = ["-created_at", "-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(deposit_percent__range=(0, 100)), name="a_deposit_is_a_part"
            ),
        ]

    def __str__(self) -> str:
        return self.number


class QuoteLine(models.Model):
    """One position of an offer; `amount` is after its discount, rounded."""

    quote = models.ForeignKey(Quote, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveSmallIntegerField()
    description = models.CharField(max_length=300)
    quantity = models.DecimalField(max_digits=12, decimal_places=3, default=Decimal(1))
    unit_price = models.DecimalField(max_digits=16, decimal_places=6)
    discount_percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        default=Decimal(0),
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    taxable = models.BooleanField(default=True)
    amount = models.DecimalField(**MONEY)

    class Meta:
        ordering: ClassVar = ["quote", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["quote", "position"], name="one_quote_line_per_place"),
        ]

    def __str__(self) -> str:
        return self.description
