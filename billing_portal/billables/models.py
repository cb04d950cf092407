"""What staff charge by hand, once or again and again."""

from decimal import Decimal
from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models

from billing_portal.clients.models import Client
from billing_portal.services.models import Service


class BillableItem(models.Model):
    """Something to charge by hand: once, with the next invoice, on a day, or again and again."""

    class Billing(models.TextChoices):
        NOT_YET = "not_yet", "Not until told"
        NEXT_RUN = "next_run", "With the next bill run"
        NEXT_INVOICE = "next_invoice", "With the client's next invoice"
        ON_DAY = "on_day", "On its due day"
        RECURRING = "recurring", "Again and again"

    class Every(models.TextChoices):
        DAYS = "days", "Days"
        WEEKS = "weeks", "Weeks"
        MONTHS = "months", "Months"
        YEARS = "years", "Years"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="billable_items")
    service = models.ForeignKey(
        Service, on_delete=models.PROTECT, null=True, blank=True, related_name="billable_items"
    )
    description = models.CharField(max_length=250)
    quantity = models.DecimalField(max_digits=12, decimal_places=3, default=Decimal(1))
    unit = models.CharField(max_length=20, blank=True, help_text="Such as hours.")
    unit_price = models.DecimalField(max_digits=16, decimal_places=6)
    taxable = models.BooleanField(default=True)
    billing = models.CharField(max_length=12, choices=Billing.choices, default=Billing.NEXT_RUN)
    due_date = models.DateField(null=True, blank=True, help_text="When it is due next.")
    first_due_date = models.DateField(
        null=True, blank=True, editable=False, help_text="Recurring days are counted from it."
    )
    every = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    every_unit = models.CharField(max_length=6, choices=Every.choices, default=Every.MONTHS)
    times_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="How often; empty: for ever."
    )
    times_billed = models.PositiveIntegerField(default=0)
    closed_at = models.DateTimeField(null=True, blank=True, help_text="Nothing more comes of it.")
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["client", "due_date", "pk"]
        indexes: ClassVar = [models.Index(fields=["closed_at", "due_date"])]

    def __str__(self) -> str:
        return self.description
