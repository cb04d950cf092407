"""The rules of daily automation, and what each task did on each business day.

A run is unique per task and day, so no day is worked twice and none is forgotten.
"""

from decimal import Decimal
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from billing_portal.invoices.models import MONEY, Invoice
from billing_portal.services.models import Service


class Task(models.TextChoices):
    """A day's work, in the order it is done."""

    RATES = "rates", "Exchange rates"
    TAX_IDS = "tax_ids", "Tax ids asked again"
    CAPTURES = "captures", "Automatic payments"
    REMINDERS = "reminders", "Reminders"
    CHANGES = "changes", "Unpaid changes withdrawn"
    CANCELLATIONS = "cancellations", "Cancellations"
    UNSUSPENSIONS = "unsuspensions", "Unsuspensions"
    SUSPENSIONS = "suspensions", "Suspensions"
    TERMINATIONS = "terminations", "Terminations"
    TERMS = "terms", "Trials and fixed terms"
    ADDONS = "addons", "Add-ons that end"
    LATE_FEES = "late_fees", "Late fees"
    ORDERS = "orders", "Unpaid orders"
    CARD_EXPIRY = "card_expiry", "Cards about to expire"
    DIGEST = "digest", "Daily digest"


def capture_schedule() -> list[int]:
    """On the due date, then after 3, 7 and 14 days."""
    return [0, 3, 7, 14]


class AutomationSettings(models.Model):
    """One row, with `pk` 1: what the daily run does and when.  Days are the seller's."""

    daily_hour = models.PositiveSmallIntegerField(
        default=4,
        validators=[MaxValueValidator(23)],
        help_text="The day's work starts at this hour (0 to 23) in the seller's time zone, or as "
        "soon after it as the portal is up.",
    )
    send_reminders = models.BooleanField(default=True)
    remind_days_before = models.PositiveSmallIntegerField(
        "days before the due date", default=3, help_text="0: no reminder."
    )
    first_overdue_days = models.PositiveSmallIntegerField(
        "first, days after the due date", default=1, help_text="0: none."
    )
    second_overdue_days = models.PositiveSmallIntegerField(
        "second, days after the due date", default=4, help_text="0: none."
    )
    third_overdue_days = models.PositiveSmallIntegerField(
        "third, days after the due date", default=10, help_text="0: none."
    )
    suspend_overdue = models.BooleanField("suspend services on overdue invoices", default=True)
    suspend_after_days = models.PositiveSmallIntegerField(
        "days after the due date", default=5, help_text="At least 1."
    )
    unsuspend_on_payment = models.BooleanField(
        default=True,
        help_text="Only what was suspended for an overdue invoice comes back, and only once "
        "nothing else of it is overdue.",
    )
    terminate_overdue = models.BooleanField(
        "delete services that stay unpaid",
        default=False,
        help_text="Irreversible. The client is told first and has the days of grace to pay.",
    )
    terminate_after_days = models.PositiveSmallIntegerField(
        "first notice, days after the due date", default=30
    )
    termination_grace_days = models.PositiveSmallIntegerField(
        "days of grace after the first notice",
        default=7,
        help_text="At least 2: a last notice goes out the day before.",
    )
    charge_late_fees = models.BooleanField(
        default=False, help_text="Once per overdue invoice, on the client's next invoice."
    )
    late_fee_after_days = models.PositiveSmallIntegerField(
        "days after the due date", default=5, help_text="At least 1."
    )
    late_fee_percent = models.DecimalField(
        "percent of what is open",
        max_digits=5,
        decimal_places=2,
        default=Decimal("10.00"),
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    late_fee_minimum = models.DecimalField(
        "at least",
        **MONEY,
        default=Decimal(0),
        validators=[MinValueValidator(0)],
        help_text="In the invoice's currency.",
    )
    cancel_unpaid_orders = models.BooleanField(
        "cancel orders nobody pays",
        default=False,
        help_text="With their invoice, which keeps its number. Never after a part payment.",
    )
    cancel_orders_after_days = models.PositiveSmallIntegerField(
        "days after the invoice's due date", default=14
    )
    capture_payments = models.BooleanField(
        "take due invoices from stored payment methods", default=True
    )
    capture_days_before = models.PositiveSmallIntegerField(
        "days before the due date", default=0, help_text="0: on the due date."
    )
    capture_retry_days = models.JSONField(
        "tries, days after the first",
        default=capture_schedule,
        help_text="Such as [0, 3, 7, 14]; after the last one the client must act.",
    )
    warn_of_card_expiry = models.BooleanField("write before a stored card expires", default=True)
    card_expiry_day = models.PositiveSmallIntegerField(
        "on this day of the month before",
        default=25,
        validators=[MinValueValidator(1), MaxValueValidator(28)],
    )
    process_cancellations = models.BooleanField("carry out cancellations by itself", default=True)
    update_rates = models.BooleanField("fetch exchange rates daily", default=False)
    update_prices = models.BooleanField(
        "recompute prices of other currencies with new rates", default=False
    )
    send_digest = models.BooleanField(
        "mail staff what was done",
        default=True,
        help_text="To staff who may run automation, on days on which something was done.",
    )
    ticked_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When automation last looked for work."
    )

    class Meta:
        verbose_name = verbose_name_plural = "automation settings"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(pk=1), name="one_row_of_automation_settings"),
            models.CheckConstraint(condition=Q(daily_hour__lte=23), name="an_hour_of_the_day"),
            models.CheckConstraint(
                condition=Q(termination_grace_days__gte=2), name="nothing_is_deleted_unannounced"
            ),
            models.CheckConstraint(
                condition=Q(suspend_after_days__gte=1), name="nothing_is_suspended_when_due"
            ),
            models.CheckConstraint(
                condition=Q(
                    late_fee_after_days__gte=1,
                    late_fee_percent__range=(0, 100),
                    late_fee_minimum__gte=0,
                ),
                name="a_late_fee_is_late_and_no_gift",
            ),
        ]

    def __str__(self) -> str:
        return "Automation settings"

    def clean(self) -> None:
        """Reminders and tries in order, and deletion not before suspension."""
        self._check_tries()
        overdue = [self.first_overdue_days, self.second_overdue_days, self.third_overdue_days]
        wanted = [days for days in overdue if days]
        if wanted != sorted(set(wanted)):
            raise ValidationError("Each overdue reminder comes later than the one before it.")
        if self.terminate_overdue and not self.suspend_overdue:
            raise ValidationError("Only suspended services are deleted: switch suspension on.")
        if self.terminate_overdue and self.terminate_after_days <= self.suspend_after_days:
            raise ValidationError("The notice of deletion comes later than the suspension.")

    def _check_tries(self) -> None:
        """A list of whole days, each later than the one before it."""
        days = self.capture_retry_days
        whole = isinstance(days, list) and all(type(day) is int and 0 <= day <= 90 for day in days)
        if not whole or not days or days != sorted(set(days)):
            raise ValidationError(
                {
                    "capture_retry_days": "Write days from 0 to 90 in rising order, such as "
                    "[0, 3, 7, 14]."
                }
            )

    def wants(self, task: Task) -> bool:
        """Whether the task is switched on."""
        switches = {
            Task.RATES: self.update_rates,
            Task.TAX_IDS: True,
            Task.CAPTURES: self.capture_payments,
            Task.CHANGES: True,
            Task.CANCELLATIONS: self.process_cancellations,
            Task.TERMS: True,
            Task.ADDONS: True,
            Task.CARD_EXPIRY: self.warn_of_card_expiry,
            Task.REMINDERS: self.send_reminders,
            Task.UNSUSPENSIONS: self.unsuspend_on_payment,
            Task.SUSPENSIONS: self.suspend_overdue,
            Task.TERMINATIONS: self.terminate_overdue,
            Task.LATE_FEES: self.charge_late_fees,
            Task.ORDERS: self.cancel_unpaid_orders,
            Task.DIGEST: self.send_digest,
        }
        return switches[task]


class TaskRun(models.Model):
    """One task on one business day.  Whoever moves `state` to running, with a lease, does it."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Done with failures"
        OFF = "off", "Switched off"

    UNFINISHED: ClassVar = (State.WAITING, State.RUNNING)

    task = models.CharField(max_length=20, choices=Task.choices)
    business_day = models.DateField(help_text="In the seller's time zone.")
    position = models.PositiveSmallIntegerField(help_text="Its place in the day's work.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    done_count = models.PositiveIntegerField(default=0)
    skipped_count = models.PositiveIntegerField(default=0)
    failed_count = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, help_text="Why the task as a whole could not go on.")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.CharField(max_length=36, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["business_day", "position"]
        indexes: ClassVar = [models.Index(fields=["state", "business_day", "position"])]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["task", "business_day"], name="a_task_runs_once_a_day"),
        ]

    def __str__(self) -> str:
        return f"{self.get_task_display()} of {self.business_day}"


class TaskItem(models.Model):
    """What a run did to one invoice or service, left alone, or could not do."""

    class Outcome(models.TextChoices):
        DONE = "done", "Done"
        SKIPPED = "skipped", "Left alone"
        FAILED = "failed", "Failed"

    run = models.ForeignKey(TaskRun, on_delete=models.CASCADE, related_name="items")
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    summary = models.CharField(max_length=300)
    invoice = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, null=True, blank=True, related_name="automated"
    )
    service = models.ForeignKey(
        Service, on_delete=models.PROTECT, null=True, blank=True, related_name="automated"
    )
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return self.summary


class Reminder(models.Model):
    """That a step of reminding was taken for an invoice: mailed, or overtaken by a later one."""

    class Step(models.IntegerChoices):
        BEFORE_DUE = 1, "Reminder before the due date"
        FIRST = 2, "First overdue reminder"
        SECOND = 3, "Second overdue reminder"
        THIRD = 4, "Third overdue reminder"

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="reminders")
    step = models.PositiveSmallIntegerField(choices=Step.choices)
    business_day = models.DateField()
    mailed = models.BooleanField(help_text="False: a later reminder was due by then.")

    class Meta:
        ordering: ClassVar = ["invoice", "step"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "step"], name="a_step_is_taken_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_step_display()} of {self.invoice}"


class PlannedTermination(models.Model):
    """That a service is to be deleted for an overdue invoice, once its client had notice."""

    service = models.ForeignKey(
        Service, on_delete=models.PROTECT, related_name="planned_terminations"
    )
    invoice = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, related_name="planned_terminations"
    )
    planned_at = models.DateTimeField()
    deletes_on = models.DateField(help_text="Not before this day of the seller's.")
    last_notice_on = models.DateField(null=True, blank=True)
    carried_out_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["service"],
                condition=Q(carried_out_at__isnull=True, withdrawn_at__isnull=True),
                name="one_planned_termination",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service}: deletion on {self.deletes_on}"
