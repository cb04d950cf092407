"""What was ordered, at what price: a record that never changes with the services."""

from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.db import models

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
    spec = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.product} in {self.order}"
