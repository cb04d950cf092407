"""What is owed: charges, invoices, their lines and their numbers.

A charge is usage turned into an amount.  An invoice is issued once and then never
changes, except for its status and what was paid.
"""

from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q

from billing_portal.clients.models import Client
from billing_portal.services.models import Service

MONEY: dict[str, Any] = {"max_digits": 14, "decimal_places": 3}
"""Three places hold every currency's minor unit; amounts are rounded before they are stored."""


class InvoiceStatus(models.TextChoices):
    UNPAID = "unpaid", "Unpaid"
    PAID = "paid", "Paid"
    CANCELLED = "cancelled", "Cancelled"


class NumberSeries(models.Model):
    """The next number of a series in a year.  Locked while an invoice takes it: no gaps."""

    prefix = models.CharField(max_length=12)
    year = models.PositiveSmallIntegerField()
    next_number = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name_plural = "number series"
        ordering: ClassVar = ["prefix", "year"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["prefix", "year"], name="one_series_per_year"),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}-{self.year}-{self.next_number:05d}"


class Invoice(models.Model):
    """An issued demand for payment, with seller and client as they were on that day.

    `total` is the sum of the lines.  `paid_amount` is the sum of the allocations of
    payments to it.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="invoices")
    number = models.CharField(max_length=30, unique=True)
    status = models.CharField(
        max_length=10, choices=InvoiceStatus.choices, default=InvoiceStatus.UNPAID
    )
    currency = models.CharField(max_length=3)
    issued_at = models.DateTimeField()
    issue_date = models.DateField(help_text="In the seller's time zone.")
    due_date = models.DateField()
    paid_at = models.DateTimeField(null=True, blank=True)
    total = models.DecimalField(**MONEY)
    paid_amount = models.DecimalField(**MONEY, default=Decimal(0))
    seller = models.JSONField(help_text="Name, address, tax id and bank account on issue.")
    buyer = models.JSONField(help_text="Name, address and tax id on issue.")

    class Meta:
        ordering: ClassVar = ["-issued_at", "-pk"]
        indexes: ClassVar = [
            models.Index(fields=["client", "status"]),
            models.Index(fields=["status", "due_date"]),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(paid_amount__gte=0), name="paid_not_negative"),
            models.CheckConstraint(
                condition=Q(paid_amount__lte=F("total")), name="paid_not_above_total"
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def balance(self) -> Decimal:
        return self.total - self.paid_amount


class Charge(models.Model):
    """Usage of one service in one period, priced, waiting for an invoice.

    `key` makes it once.  `evidence` explains the amount: segments of a datastore, or
    the totals of rated calls.
    """

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="charges")
    key = models.CharField(max_length=120, unique=True)
    metric = models.CharField(max_length=40)
    description = models.CharField(max_length=300)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    quantity = models.DecimalField(max_digits=20, decimal_places=6, help_text="For display.")
    unit = models.CharField(max_length=20)
    unit_price = models.DecimalField(max_digits=16, decimal_places=6, null=True, blank=True)
    amount = models.DecimalField(**MONEY)
    currency = models.CharField(max_length=3)
    evidence = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["starts_at", "pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="charge_period_runs_forward"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.description}: {self.amount} {self.currency}"


class InvoiceLine(models.Model):
    """One line of an issued invoice."""

    class Kind(models.TextChoices):
        SETUP = "setup", "Set-up"
        RECURRING = "recurring", "Recurring"
        USAGE = "usage", "Usage"

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="invoice_lines")
    charge = models.OneToOneField(
        Charge, on_delete=models.PROTECT, null=True, blank=True, related_name="line"
    )
    description = models.CharField(max_length=300)
    period_start = models.DateField()
    period_end = models.DateField(help_text="Excluded.")
    quantity = models.DecimalField(max_digits=20, decimal_places=6, default=Decimal(1))
    unit = models.CharField(max_length=20, blank=True)
    unit_price = models.DecimalField(max_digits=16, decimal_places=6, null=True, blank=True)
    amount = models.DecimalField(**MONEY)
    billed = models.BooleanField(
        default=True,
        help_text="False once the invoice is cancelled, so that the period may be billed again.",
    )

    class Meta:
        ordering: ClassVar = ["invoice", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "position"], name="one_line_per_position"),
            models.UniqueConstraint(
                fields=["service", "kind", "period_start"],
                condition=Q(billed=True) & ~Q(kind="usage"),
                name="a_period_is_billed_once",
            ),
        ]

    def __str__(self) -> str:
        return self.description


class UsageWindow(models.Model):
    """That the usage of a service in a period was collected, whether it owed anything or not."""

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="usage_windows")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    closed_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["service", "starts_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["service", "starts_at"], name="a_window_is_closed_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.starts_at:%Y-%m-%d} to {self.ends_at:%Y-%m-%d}"
