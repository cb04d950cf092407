"""Money that came in, and which invoices it paid."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from billing_portal.clients.models import Client
from billing_portal.invoices.models import MONEY, Invoice


class Transaction(models.Model):
    """One movement of money at a gateway.  Unique there, so it counts once."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="transactions")
    gateway = models.CharField(max_length=40)
    external_id = models.CharField(max_length=120, help_text="The gateway's or bank's reference.")
    amount = models.DecimalField(**MONEY)
    currency = models.CharField(max_length=3)
    received_at = models.DateTimeField()
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["-received_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["gateway", "external_id"], name="a_payment_counts_once"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} by {self.gateway} ({self.external_id})"


class Allocation(models.Model):
    """The part of a transaction that paid one invoice."""

    transaction = models.ForeignKey(
        Transaction, on_delete=models.PROTECT, related_name="allocations"
    )
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="allocations")
    amount = models.DecimalField(**MONEY)
    allocated_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["transaction", "invoice"], name="one_allocation_per_invoice"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="allocation_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} to {self.invoice}"


class WebhookEvent(models.Model):
    """What a gateway told us, stored before anything is done about it."""

    gateway = models.CharField(max_length=40)
    event_id = models.CharField(max_length=120)
    body = models.JSONField()
    received_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["-received_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gateway", "event_id"], name="an_event_counts_once"),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.event_id}"
