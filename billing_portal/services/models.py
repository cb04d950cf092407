"""What a client has.  Where it lives remotely is a placement, in `provisioning`."""

from datetime import date
from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing_portal.clients.models import Client
from billing_portal.products.models import (
    CYCLE_MONTHS,
    Addon,
    Cycle,
    PriceScheme,
    Product,
)
from billing_portal.promotions.models import Promotion
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
    quantity = models.PositiveIntegerField(
        default=1, help_text="Units of a scaling product; its amounts are for all of them."
    )
    options = models.JSONField(
        default=list,
        blank=True,
        help_text="Chosen options with their prices on the day; part of the recurring amount.",
    )
    custom_fields = models.JSONField(default=dict, blank=True)
    payment_method = models.CharField(
        max_length=40, blank=True, help_text="Empty: as the client pays."
    )
    promotion = models.ForeignKey(
        Promotion, on_delete=models.PROTECT, null=True, blank=True, related_name="services"
    )
    discount_amount = models.DecimalField(
        max_digits=12,
        decimal_places=3,
        default=Decimal(0),
        help_text="What the promotion takes off each period.",
    )
    discounts_left = models.PositiveIntegerField(
        null=True, blank=True, help_text="Periods the promotion still applies to; empty: all."
    )
    periods_billed = models.PositiveIntegerField(default=0)
    periods_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="Completed after so many periods; empty: no limit."
    )
    ends_on = models.DateField(
        null=True,
        blank=True,
        help_text="Fixed term or trial: the day on which it ends by itself.",
    )
    usage_cap = models.DecimalField(
        max_digits=12,
        decimal_places=3,
        null=True,
        blank=True,
        help_text="The most its usage may cost per month; empty: no cap.",
    )
    spec = models.JSONField(default=dict, blank=True)
    anchor_date = models.DateField()
    usage_anchor_date = models.DateField(
        null=True,
        blank=True,
        help_text="Day one of every month of usage; empty: the anchor date.  It never moves.",
    )
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
            models.CheckConstraint(
                condition=Q(discount_amount__gte=0, quantity__gte=1), name="service_counts_forward"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} - {self.label}" if self.label else f"{self.product} #{self.pk}"

    @property
    def cycle_months(self) -> int:
        return CYCLE_MONTHS[self.cycle]

    @property
    def has_periods_left(self) -> bool:
        """Whether a period is left to invoice before its term is over."""
        return (self.ends_on is None or self.billed_until < self.ends_on) and (
            self.periods_limit is None or self.periods_billed < self.periods_limit
        )

    @property
    def usage_counted_from(self) -> date:
        """Day one of every month of usage."""
        return self.usage_anchor_date or self.anchor_date


class ServiceUsagePrice(models.Model):
    """A metered price as agreed with the order; the catalogue may move on without it."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="usage_prices")
    metric = models.CharField(max_length=40)
    price = models.DecimalField(
        max_digits=16, decimal_places=6, help_text="For storage: per 1000 GB and month."
    )
    scheme = models.CharField(max_length=10, choices=PriceScheme.choices, default=PriceScheme.FLAT)
    included = models.DecimalField(max_digits=16, decimal_places=6, default=Decimal(0))
    tiers = models.JSONField(default=list, blank=True)

    class Meta:
        ordering: ClassVar = ["service", "metric", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["service", "metric"], name="one_agreed_price"),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.metric} {self.price}"


class ServiceAddon(models.Model):
    """Something extra a client has with a service, on a cycle and due date of its own."""

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="addons")
    addon = models.ForeignKey(Addon, on_delete=models.PROTECT, related_name="service_addons")
    status = models.CharField(
        max_length=12, choices=ServiceStatus.choices, default=ServiceStatus.PENDING
    )
    quantity = models.PositiveIntegerField(default=1)
    cycle = models.CharField(max_length=12, choices=Cycle.choices)
    currency = models.CharField(max_length=3)
    recurring_amount = models.DecimalField(
        max_digits=12, decimal_places=3, default=Decimal(0), help_text="Per cycle, for all units."
    )
    setup_fee = models.DecimalField(
        max_digits=12, decimal_places=3, default=Decimal(0), help_text="Once."
    )
    anchor_date = models.DateField()
    billed_until = models.DateField(help_text="First day not yet invoiced in advance.")
    ends_on = models.DateField(
        null=True, blank=True, help_text="Cancelled: the first day without it."
    )
    request_key = models.CharField(
        max_length=80, unique=True, null=True, blank=True, help_text="Makes a form sent twice one."
    )
    created_at = models.DateTimeField()
    activated_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["service", "pk"]
        indexes: ClassVar = [models.Index(fields=["status", "billed_until"])]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(recurring_amount__gte=0, setup_fee__gte=0, quantity__gte=1),
                name="addon_costs_not_less_than_nothing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.addon} for {self.service}"

    @property
    def cycle_months(self) -> int:
        return CYCLE_MONTHS[self.cycle]


class Cancellation(models.Model):
    """A client's wish to end a service: at once, or with the period that is paid."""

    class When(models.TextChoices):
        NOW = "now", "As soon as possible"
        PERIOD_END = "period_end", "At the end of the paid period"

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"
        WITHDRAWN = "withdrawn", "Withdrawn"

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="cancellations")
    when = models.CharField(max_length=10, choices=When.choices)
    reason = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    requested_at = models.DateTimeField()
    ends_on = models.DateField(help_text="The first day without the service.")
    deletes_at = models.DateTimeField(
        null=True, blank=True, help_text="When its data is deleted for good; until then undoable."
    )
    suspension_cause = models.CharField(
        max_length=8,
        choices=SuspensionCause.choices,
        blank=True,
        help_text="How the service was suspended when it ended, so that it comes back as it was.",
    )
    suspension_reason = models.CharField(max_length=200, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-requested_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["service"], condition=Q(status="open"), name="one_open_cancellation"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service} ends {self.ends_on}"


class UsageAlert(models.Model):
    """That a client was told about the usage of a service in one month, once per step."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="usage_alerts")
    basis = models.CharField(max_length=40, help_text="A meter's included units, or the cap.")
    percent = models.PositiveSmallIntegerField()
    window_start = models.DateTimeField()
    sent_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["service", "window_start", "percent"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["service", "basis", "percent", "window_start"], name="told_once_a_month"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service}: {self.percent} % of {self.basis}"
