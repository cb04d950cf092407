"""What is owed: charges, invoices, their lines and their numbers.

A charge is usage turned into an amount.  An invoice is issued once and then never
changes, except for its status and what was paid: see `guard.py`.
"""

from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from billing_portal.clients.models import Client
from billing_portal.invoices.guard import Guarded, GuardedQuerySet
from billing_portal.invoices.kinds import LineKind as LineKind
from billing_portal.invoices.states import OWED as OWED
from billing_portal.invoices.states import PAYABLE
from billing_portal.invoices.states import InvoiceStatus as InvoiceStatus
from billing_portal.services.models import Service, ServiceAddon

MONEY: dict[str, Any] = {"max_digits": 14, "decimal_places": 3}
"""Three places hold every currency's minor unit; amounts are rounded before they are stored."""


class BillingSettings(models.Model):
    """One row, with `pk` 1: when and how invoices are made.  Days are the seller's."""

    class DuePolicy(models.TextChoices):
        TERM = "term", "So many days after the invoice date"
        PERIOD_START = "period_start", "On the first day of the period that is invoiced"

    class StartPolicy(models.TextChoices):
        ORDER = "order", "On the day of the order"
        ACTIVATION = "activation", "On the day the first payment arrives"

    lead_days = models.PositiveSmallIntegerField(
        default=0, help_text="A period is invoiced so many days before it starts."
    )
    lead_days_by_cycle = models.JSONField(
        default=dict, blank=True, help_text="Other lead days for some cycles."
    )
    due_policy = models.CharField(max_length=14, choices=DuePolicy.choices, default=DuePolicy.TERM)
    term_days = models.PositiveSmallIntegerField(default=14)
    start_policy = models.CharField(
        max_length=10,
        choices=StartPolicy.choices,
        default=StartPolicy.ORDER,
        help_text="When the first paid period of a new service begins.",
    )
    proforma = models.BooleanField(
        default=False,
        help_text="Ask for payment with a proforma; the invoice gets its number when it is paid.",
    )
    credit_applies_itself = models.BooleanField("use credit on new invoices", default=True)
    change_offer_days = models.PositiveSmallIntegerField(
        default=7, help_text="An unpaid change of a service is withdrawn after so many days."
    )

    class Meta:
        verbose_name = verbose_name_plural = "billing settings"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(pk=1), name="one_row_of_billing_settings"),
        ]

    def __str__(self) -> str:
        return "Billing settings"

    def lead_days_of(self, cycle: str) -> int:
        """How many days before a period of this cycle starts it is invoiced."""
        return int(self.lead_days_by_cycle.get(cycle, self.lead_days))

    @property
    def longest_lead_days(self) -> int:
        return max([self.lead_days, *map(int, self.lead_days_by_cycle.values())])


class NumberSeries(models.Model):
    """The next number of a series in a year.  Locked while an invoice takes it: no gaps."""

    prefix = models.CharField(max_length=12)
    year = models.PositiveSmallIntegerField()
    next_number = models.PositiveIntegerField(default=1)
    last_date = models.DateField(
        null=True, blank=True, help_text="Of the last number; no later number has an earlier day."
    )

    class Meta:
        verbose_name_plural = "number series"
        ordering: ClassVar = ["prefix", "year"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["prefix", "year"], name="one_series_per_year"),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}-{self.year}-{self.next_number:05d}"


class Invoice(Guarded):
    """A demand for payment, with seller and client as they were on the day of issue.

    `total` is `net_total`, the sum of the lines, plus `tax_total`, the sum of `taxes`.
    What settles it: `paid_amount`, the sum of the allocations of payments to it;
    `credit_applied`, what the client's credit paid; `credited_amount`, by how much credit
    notes lowered what is owed.  A draft has no number and may change; so may a proforma,
    until it is paid.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="invoices")
    number = models.CharField(
        max_length=30, unique=True, null=True, blank=True, help_text="Empty on a draft."
    )
    is_proforma = models.BooleanField(
        default=False, help_text="No invoice yet: the number of the invoice comes with payment."
    )
    proforma_number = models.CharField(
        max_length=30, blank=True, help_text="Under which number payment was asked for."
    )
    status = models.CharField(
        max_length=12, choices=InvoiceStatus.choices, default=InvoiceStatus.UNPAID
    )
    currency = models.CharField(max_length=3)
    exchange_rate = models.DecimalField(
        max_digits=18,
        decimal_places=8,
        default=Decimal(1),
        help_text="Units of this currency for one of the seller's, on issue.",
    )
    payment_method = models.CharField(max_length=40, blank=True)
    issued_at = models.DateTimeField(help_text="Of a draft: when it was written.")
    issue_date = models.DateField(help_text="In the seller's time zone.")
    due_date = models.DateField()
    paid_at = models.DateTimeField(null=True, blank=True)
    announced_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When its mail was queued."
    )
    net_total = models.DecimalField(**MONEY)
    tax_total = models.DecimalField(**MONEY, default=Decimal(0))
    total = models.DecimalField(**MONEY)
    taxes = models.JSONField(
        default=list,
        blank=True,
        help_text="Per tax and category: name, percent, category, base and amount.",
    )
    tax_note = models.CharField(
        max_length=300, blank=True, help_text="Why no tax is charged, as the law wants it said."
    )
    paid_amount = models.DecimalField(**MONEY, default=Decimal(0))
    credit_applied = models.DecimalField(**MONEY, default=Decimal(0))
    credited_amount = models.DecimalField(**MONEY, default=Decimal(0))
    notes = models.TextField(blank=True, help_text="Printed below the lines.")
    staff_notes = models.TextField(blank=True, help_text="Only staff see this.")
    seller = models.JSONField(help_text="Name, address, tax id and bank account on issue.")
    buyer = models.JSONField(help_text="Name, address and tax id on issue.")

    objects = GuardedQuerySet.as_manager()
    may_change = frozenset(
        {"status", "paid_at", "paid_amount", "credit_applied", "credited_amount"}
        | {"payment_method", "staff_notes", "announced_at"}
    )
    fixed = ~Q(status=InvoiceStatus.DRAFT) & Q(is_proforma=False)
    kept = ~Q(status=InvoiceStatus.DRAFT)

    class Meta:
        ordering: ClassVar = ["-issued_at", "-pk"]
        indexes: ClassVar = [
            models.Index(fields=["client", "status"]),
            models.Index(fields=["status", "due_date"]),
            models.Index(
                fields=["id"], condition=Q(announced_at__isnull=True), name="invoices_to_tell_of"
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(paid_amount__gte=0, credit_applied__gte=0, credited_amount__gte=0),
                name="paid_not_negative",
            ),
            models.CheckConstraint(
                # Half of the last place more: SQLite subtracts decimals as floats.
                condition=Q(
                    paid_amount__lte=F("total")
                    - F("credit_applied")
                    - F("credited_amount")
                    + Decimal("0.0005")
                ),
                name="paid_not_above_total",
            ),
            models.CheckConstraint(
                condition=Q(number__isnull=False) | Q(status="draft"),
                name="only_a_draft_has_no_number",
            ),
        ]

    def __str__(self) -> str:
        return self.number or f"Draft {self.pk}"

    @property
    def balance(self) -> Decimal:
        """What is left to pay."""
        return self.total - self.paid_amount - self.credit_applied - self.credited_amount

    @property
    def is_owed(self) -> bool:
        return self.status in OWED

    @property
    def is_payable(self) -> bool:
        return self.status in PAYABLE

    @property
    def document(self) -> str:
        """What it is called: the word before its number."""
        if self.status == InvoiceStatus.DRAFT:
            return "Draft"
        return "Proforma" if self.is_proforma else "Invoice"


class Charge(models.Model):
    """Something a client owes, priced, waiting for an invoice: mostly usage of a service.

    `key` makes it once.  `evidence` explains the amount: segments of a datastore, or
    the totals of rated calls.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="charges")
    service = models.ForeignKey(
        Service, on_delete=models.PROTECT, null=True, blank=True, related_name="charges"
    )
    kind = models.CharField(max_length=10, choices=LineKind.choices, default=LineKind.USAGE)
    taxable = models.BooleanField(default=True)
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


class InvoiceLine(Guarded):
    """One line of an invoice.  `amount` is without tax; a discount's is negative."""

    Kind = LineKind

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=10, choices=LineKind.choices)
    service = models.ForeignKey(
        Service, on_delete=models.PROTECT, null=True, blank=True, related_name="invoice_lines"
    )
    addon = models.ForeignKey(
        ServiceAddon, on_delete=models.PROTECT, null=True, blank=True, related_name="invoice_lines"
    )
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
    taxable = models.BooleanField(default=True)
    tax_amount = models.DecimalField(
        **MONEY, default=Decimal(0), help_text="Its part of the invoice's tax."
    )
    billed = models.BooleanField(
        default=True,
        help_text="False once the invoice is cancelled, so that the period may be billed again.",
    )

    objects = GuardedQuerySet.as_manager()
    may_change = frozenset({"billed", "charge"})
    fixed = ~Q(invoice__status=InvoiceStatus.DRAFT) & Q(invoice__is_proforma=False)
    kept = ~Q(invoice__status=InvoiceStatus.DRAFT)

    class Meta:
        ordering: ClassVar = ["invoice", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "position"], name="one_line_per_position"),
            models.UniqueConstraint(
                fields=["service", "kind", "period_start"],
                condition=Q(billed=True, addon__isnull=True, kind__in=["setup", "recurring"]),
                name="a_period_is_billed_once",
            ),
            models.UniqueConstraint(
                fields=["addon", "kind", "period_start"],
                condition=Q(billed=True, addon__isnull=False, kind__in=["setup", "recurring"]),
                name="an_addon_period_is_billed_once",
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


class CreditNote(models.Model):
    """A numbered document that takes back an issued invoice, or a part of it.

    Amounts are positive: by how much the invoice is corrected.  `applied_amount` lowered
    what was still owed; the rest, already paid, became the client's credit or a refund.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="credit_notes")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="credit_notes")
    number = models.CharField(max_length=30, unique=True)
    request_key = models.CharField(
        max_length=64, unique=True, null=True, blank=True, help_text="Makes the note once."
    )
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=300)
    issued_at = models.DateTimeField()
    issue_date = models.DateField(help_text="In the seller's time zone.")
    net_total = models.DecimalField(**MONEY)
    tax_total = models.DecimalField(**MONEY, default=Decimal(0))
    total = models.DecimalField(**MONEY)
    applied_amount = models.DecimalField(**MONEY, default=Decimal(0))
    taxes = models.JSONField(default=list, blank=True)
    tax_note = models.CharField(max_length=300, blank=True)
    seller = models.JSONField(help_text="As on the invoice.")
    buyer = models.JSONField(help_text="As on the invoice.")
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        ordering: ClassVar = ["-issued_at", "-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(total__gt=0, applied_amount__gte=0, applied_amount__lte=F("total")),
                name="a_credit_note_credits",
            ),
        ]

    def __str__(self) -> str:
        return self.number


class CreditNoteLine(models.Model):
    """By how much one line of the invoice is corrected; `amount` is without tax."""

    credit_note = models.ForeignKey(CreditNote, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField()
    line = models.ForeignKey(
        InvoiceLine, on_delete=models.PROTECT, null=True, blank=True, related_name="credits"
    )
    description = models.CharField(max_length=300)
    amount = models.DecimalField(**MONEY)
    taxable = models.BooleanField(default=True)
    tax_amount = models.DecimalField(**MONEY, default=Decimal(0))

    class Meta:
        ordering: ClassVar = ["credit_note", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["credit_note", "position"], name="one_credit_line_per_place"
            ),
        ]

    def __str__(self) -> str:
        return self.description
