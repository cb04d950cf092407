"""Money that came in or went back, which invoices it paid, and the clients' credit."""

from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from billing_portal.clients.models import Client
from billing_portal.encryption import EncryptedJSONField
from billing_portal.invoices.models import MONEY, CreditNote, Invoice


class Transaction(models.Model):
    """Money that came in at a gateway.  Unique there, so it counts once.

    `refunded_amount` is what went back; `reversed_at` is when the payer's bank took it all
    back (a charge-back).
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="transactions")
    gateway = models.CharField(max_length=40)
    external_id = models.CharField(max_length=120, help_text="The gateway's or bank's reference.")
    amount = models.DecimalField(**MONEY)
    currency = models.CharField(max_length=3)
    fee = models.DecimalField(**MONEY, default=Decimal(0), help_text="What the gateway kept.")
    refunded_amount = models.DecimalField(**MONEY, default=Decimal(0))
    reversed_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField()
    note = models.CharField(max_length=200, blank=True)
    problem = models.CharField(
        max_length=300,
        blank=True,
        help_text="Why a person must look at it; empty when all is well.",
    )

    class Meta:
        ordering: ClassVar = ["-received_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["gateway", "external_id"], name="a_payment_counts_once"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_is_positive"),
            models.CheckConstraint(
                condition=Q(refunded_amount__gte=0, refunded_amount__lte=F("amount")),
                name="not_more_goes_back_than_came",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} by {self.gateway} ({self.external_id})"


class Allocation(models.Model):
    """The part of a transaction that paid one invoice; gone again if the money went back."""

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


class PaymentBundle(models.Model):
    """What one payment is for when it is not one invoice: several of them, or a deposit.

    No document and no revenue: it only says how the money is used when it comes, the
    invoice due first before the others and what is left as credit.  A deposit has none.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="payment_bundles")
    invoices = models.ManyToManyField(Invoice, related_name="payment_bundles", blank=True)
    amount = models.DecimalField(**MONEY, help_text="What is asked for.")
    currency = models.CharField(max_length=3)
    request_key = models.CharField(max_length=64, unique=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    asked_at = models.DateTimeField()
    payment = models.OneToOneField(
        Transaction, on_delete=models.PROTECT, null=True, blank=True, related_name="bundle"
    )

    class Meta:
        ordering: ClassVar = ["-asked_at", "-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="a_bundle_asks_for_money"),
        ]

    def __str__(self) -> str:
        return f"PAY-{self.pk}"


class PaymentSettings(models.Model):
    """One row, with `pk` 1: what clients may pay in advance, in the seller's currency."""

    deposits = models.BooleanField("clients may add money in advance", default=True)
    deposit_minimum = models.DecimalField(**MONEY, default=Decimal(10))
    deposit_maximum = models.DecimalField(**MONEY, default=Decimal(1000))
    credit_maximum = models.DecimalField(
        **MONEY, default=Decimal(5000), help_text="No deposit lifts a client's credit above this."
    )

    class Meta:
        verbose_name = verbose_name_plural = "payment settings"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(pk=1), name="one_row_of_payment_settings"),
            models.CheckConstraint(
                condition=Q(deposit_minimum__gt=0, deposit_maximum__gte=F("deposit_minimum")),
                name="deposits_have_room",
            ),
        ]

    def __str__(self) -> str:
        return "Payment settings"


class Refund(models.Model):
    """Money of a payment that goes back to the client, out of the client's credit."""

    class Way(models.TextChoices):
        GATEWAY = "gateway", "Through the gateway"
        OUTSIDE = "outside", "Outside the portal"
        CREDIT = "credit", "As credit"

    class State(models.TextChoices):
        UNDER_WAY = "under_way", "Under way"
        DONE = "done", "Done"
        FAILED = "failed", "Refused by the gateway"

    transaction = models.ForeignKey(Transaction, on_delete=models.PROTECT, related_name="refunds")
    invoice = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, null=True, blank=True, related_name="refunds"
    )
    way = models.CharField(max_length=8, choices=Way.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DONE)
    message = models.CharField(max_length=200, blank=True, help_text="Why it failed.")
    external_id = models.CharField(max_length=120, blank=True)
    request_key = models.CharField(max_length=64, unique=True)
    amount = models.DecimalField(**MONEY)
    reason = models.CharField(max_length=200, blank=True)
    refunded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    refunded_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-refunded_at", "-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} of {self.transaction} refunded"


class CreditEntry(models.Model):
    """One movement of a client's credit.  Their sum is `Client.credit_balance`."""

    class Kind(models.TextChoices):
        OVERPAYMENT = "overpayment", "Paid too much"
        CREDIT_NOTE = "credit_note", "Credit note"
        DOWNGRADE = "downgrade", "Unused part of a service"
        DEPOSIT = "deposit", "Money added in advance"
        GRANT = "grant", "Given by staff"
        APPLIED = "applied", "Used for an invoice"
        RETURNED = "returned", "Returned from an invoice"
        REFUNDED = "refunded", "Paid out"
        REMOVED = "removed", "Removed by staff"
        REVERSED = "reversed", "Taken back by the bank"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="credit_entries")
    key = models.CharField(max_length=120, unique=True, help_text="Makes the movement once.")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    amount = models.DecimalField(**MONEY, help_text="Negative when credit is used.")
    currency = models.CharField(max_length=3)
    description = models.CharField(max_length=200, blank=True)
    invoice = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, null=True, blank=True, related_name="credit_entries"
    )
    credit_note = models.ForeignKey(
        CreditNote, on_delete=models.PROTECT, null=True, blank=True, related_name="credit_entries"
    )
    transaction = models.ForeignKey(
        Transaction, on_delete=models.PROTECT, null=True, blank=True, related_name="credit_entries"
    )
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    made_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["client", "pk"]
        verbose_name_plural = "credit entries"
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(amount=0), name="a_movement_moves"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.amount} {self.currency}"


class StoredMethod(models.Model):
    """A card or mandate a client left with a gateway: its token, never its number."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        EXPIRED = "expired", "Expired"
        REFUSED = "refused", "Refused by the bank"
        REMOVED = "removed", "Removed"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="stored_methods")
    gateway = models.CharField(max_length=40)
    token = EncryptedJSONField(help_text="What the gateway gave us for it.")
    brand = models.CharField(max_length=40, blank=True)
    last_digits = models.CharField(max_length=4, blank=True)
    expires_on = models.DateField(
        null=True, blank=True, help_text="The first day it no longer works."
    )
    is_default = models.BooleanField(default=False)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACTIVE)
    expiry_told_on = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["client", "-is_default", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["client"],
                condition=Q(is_default=True, status="active"),
                name="one_default_method",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} {self.last_digits}".strip() or self.gateway


class CaptureAttempt(models.Model):
    """One try to take an invoice's balance from a stored method; at most one is under way."""

    class Outcome(models.TextChoices):
        UNDER_WAY = "under_way", "Under way"
        PAID = "paid", "Paid"
        PENDING = "pending", "Being processed by the bank"
        DECLINED = "declined", "Declined"
        FAILED = "failed", "Failed"

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="captures")
    method = models.ForeignKey(StoredMethod, on_delete=models.PROTECT, related_name="captures")
    request_key = models.CharField(max_length=120, unique=True)
    amount = models.DecimalField(**MONEY)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.UNDER_WAY)
    is_final = models.BooleanField(
        default=False, help_text="A hard decline: the same method is not tried again."
    )
    external_id = models.CharField(max_length=120, blank=True)
    message = models.CharField(max_length=200, blank=True)
    attempted_at = models.DateTimeField()
    asked_at = models.DateTimeField(
        null=True, blank=True, help_text="When the gateway was last asked; empty: not yet."
    )
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-attempted_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["invoice"],
                condition=Q(outcome__in=["under_way", "pending"]),
                name="one_capture_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} of {self.invoice} from {self.method}"


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
