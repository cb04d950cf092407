"""What was ordered, at what price: a record that never changes with the services."""

from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing_portal.clients.models import Client
from billing_portal.invoices.models import MONEY, Invoice
from billing_portal.products.models import Cycle, Product
from billing_portal.services.models import Service


class Order(models.Model):
    """One checkout.  `submission_key` comes from the form, so sending it twice is one order."""

    class Status(models.TextChoices):
        PLACED = "placed", "Placed"
        CANCELLED = "cancelled", "Cancelled"

    number = models.CharField(max_length=20, unique=True, help_text="Random, says no volume.")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="orders")
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    submission_key = models.CharField(max_length=64, unique=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PLACED)
    payment_method = models.CharField(max_length=40, blank=True)
    promotion_code = models.CharField(max_length=40, blank=True)
    currency = models.CharField(max_length=3)
    total = models.DecimalField(**MONEY, help_text="Due now, as shown at checkout.")
    invoice = models.OneToOneField(
        Invoice, on_delete=models.PROTECT, null=True, blank=True, related_name="order"
    )
    placed_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-placed_at", "-pk"]

    def __str__(self) -> str:
        return f"order {self.number}"


class OrderItem(models.Model):
    """One ordered product with its price on that day."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="items")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    service = models.OneToOneField(Service, on_delete=models.PROTECT, related_name="order_item")
    label = models.CharField(max_length=120, blank=True)
    cycle = models.CharField(max_length=12, choices=Cycle.choices)
    setup_fee = models.DecimalField(**MONEY, default=Decimal(0))
    recurring_amount = models.DecimalField(**MONEY, default=Decimal(0))
    discount_amount = models.DecimalField(
        **MONEY, default=Decimal(0), help_text="Off what is due now."
    )
    quantity = models.PositiveIntegerField(default=1)
    options = models.JSONField(default=list, blank=True)
    addons = models.JSONField(default=list, blank=True)
    custom_fields = models.JSONField(default=dict, blank=True)
    spec = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.product} in {self.order}"


class ServiceChange(models.Model):
    """An upgrade or downgrade: what a service was, what it becomes, and what that costs now.

    `amount_due` without tax, negative when it gives credit.  `before` and `after` hold
    product, cycle, options, quantity, spec and recurring amount.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "Waiting for payment"
        APPLYING = "applying", "Being carried out"
        APPLIED = "applied", "Done"
        EXPIRED = "expired", "Withdrawn unpaid"
        CANCELLED = "cancelled", "Cancelled"

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="changes")
    request_key = models.CharField(max_length=120, unique=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    policy = models.CharField(max_length=14, choices=Product.ChangePolicy.choices)
    before = models.JSONField()
    after = models.JSONField()
    credit_part = models.DecimalField(**MONEY, help_text="Unused part of the old price.")
    debit_part = models.DecimalField(**MONEY, help_text="What the new price costs for the rest.")
    discount_part = models.DecimalField(**MONEY, default=Decimal(0))
    amount_due = models.DecimalField(**MONEY)
    currency = models.CharField(max_length=3)
    invoice = models.OneToOneField(
        Invoice, on_delete=models.PROTECT, null=True, blank=True, related_name="service_change"
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["-requested_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["service"],
                condition=Q(status__in=["pending", "applying"]),
                name="one_open_change_per_service",
            ),
        ]

    def __str__(self) -> str:
        return f"change of {self.service}"
