"""What a client has.  Where it lives remotely is a placement, in `provisioning`."""

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import Q

from billing_portal.clients.models import Client
from billing_portal.products.models import CYCLE_MONTHS, Cycle, Product
from billing_portal.services.states import ServiceStatus, SuspensionCause


class Service(models.Model):
    """One thing a client has, at the price agreed when it was ordered.

    `anchor_date` is day one of every billing period, in the seller's time zone; periods
    are computed from it and never drift.  `billed_until` is the first day not yet
    invoiced in advance.  `spec` is what the service should be, in the module's words.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="services")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="services")
    label = models.CharField(max_length=120, blank=True, help_text="The client's name for it.")
    status = models.CharField(
        max_length=12, choices=ServiceStatus.choices, default=ServiceStatus.PENDING
    )
    suspension_reason = models.CharField(max_length=200, blank=True)
    suspension_cause = models.CharField(
        max_length=8, choices=SuspensionCause.choices, blank=True, editable=False
    )
    never_suspend_until = models.DateField(
        null=True,
        blank=True,
        help_text="Until this day overdue invoices neither suspend nor delete the service.",
    )
    cycle = models.CharField(max_length=12, choices=Cycle.choices)
    currency = models.CharField(max_length=3)
    recurring_amount = models.DecimalField(
        max_digits=12, decimal_places=3, default=Decimal(0), help_text="Per cycle, in advance."
    )
    setup_fee = models.DecimalField(
        max_digits=12, decimal_places=3, default=Decimal(0), help_text="Once."
    )
    spec = models.JSONField(default=dict, blank=True)
    anchor_date = models.DateField()
    billed_until = models.DateField(help_text="First day not yet invoiced in advance.")
    created_at = models.DateTimeField()
    activated_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [
            models.Index(fields=["client", "status"]),
            models.Index(fields=["status", "billed_until"]),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(billed_until__gte=models.F("anchor_date")),
                name="billed_until_not_before_anchor",
            ),
            models.CheckConstraint(
                condition=~Q(status=ServiceStatus.ACTIVE) | Q(activated_at__isnull=False),
                name="active_service_was_activated",
            ),
            models.CheckConstraint(
                condition=Q(recurring_amount__gte=0, setup_fee__gte=0),
                name="service_costs_not_less_than_nothing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} - {self.label}" if self.label else f"{self.product} #{self.pk}"

    @property
    def cycle_months(self) -> int:
        return CYCLE_MONTHS[self.cycle]


class ServiceUsagePrice(models.Model):
    """A metered price as agreed with the order; the catalogue may move on without it."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="usage_prices")
    metric = models.CharField(max_length=40)
    price = models.DecimalField(
        max_digits=16, decimal_places=6, help_text="For storage: per 1000 GB and month."
    )

    class Meta:
        ordering: ClassVar = ["service", "metric", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["service", "metric"], name="one_agreed_price"),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.metric} {self.price}"
