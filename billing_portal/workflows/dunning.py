"""Reminding clients of unpaid invoices: once before the due date, three times after it.

                 due date
    ----before------|--first----second--------third--->  days of the seller's

A step whose day was missed is taken on the next run.  Whoever has several steps behind
gets one mail, the latest; the others are noted as overtaken and never sent.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from django.db.models import Exists, OuterRef, Q

from billing_portal.audit import actions as audit
from billing_portal.automation.actions import Deed
from billing_portal.automation.models import AutomationSettings, Reminder, TaskItem
from billing_portal.automation.queries import BusinessDay
from billing_portal.clients.notices import notify
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice, InvoiceStatus

Step = Reminder.Step

TEMPLATES: dict[Step, str] = {
    Step.BEFORE_DUE: "reminder_before_due",
    Step.FIRST: "reminder_overdue_first",
    Step.SECOND: "reminder_overdue_second",
    Step.THIRD: "reminder_overdue_third",
}


def invoices_to_remind(on: BusinessDay) -> list[int]:
    """Ids of the unpaid invoices with a step to take, the oldest due first."""
    due = Q(pk__in=[])
    for step, offset in _steps(on.rules):
        taken = Reminder.objects.filter(invoice=OuterRef("pk"), step__gte=step)
        due |= Q(~Exists(taken), _in_time(step, on), due_date__lte=on.day - offset)
    return list(
        Invoice.objects.filter(due, status=InvoiceStatus.UNPAID, client__exempt_from_dunning=False)
        .order_by("due_date", "pk")
        .values_list("pk", flat=True)
    )


def remind(invoice_id: int, on: BusinessDay) -> Deed | None:
    """Take the step an invoice has reached, in the caller's transaction.

    None if there is nothing to do any more: it was paid meanwhile, or the step was taken.
    """
    invoice = (
        Invoice.objects.select_for_update(of=("self",), no_key=True)
        .select_related("client")
        .get(pk=invoice_id)
    )
    step = step_reached(invoice, on.day, on.rules)
    if step is None or invoice.status != InvoiceStatus.UNPAID or _is_taken(invoice, step):
        return None
    later = step_reached(invoice, on.today, on.rules)
    mailed = later == step
    Reminder.objects.create(invoice=invoice, step=step, business_day=on.day, mailed=mailed)
    if not mailed:
        by = f"the {later.label.lower()}" if later else "the days gone by"
        return _deed(invoice, f"{step.label} of {invoice} overtaken by {by}", mailed=False)
    _mail(invoice, step, on)
    return _deed(invoice, f"{step.label} of {invoice} to {invoice.client}", mailed=True)


def step_reached(invoice: Invoice, today: date, rules: AutomationSettings) -> Step | None:
    """The last step whose day has come, whether it was taken or not."""
    reached = [step for step, offset in _steps(rules) if invoice.due_date + offset <= today]
    if reached == [Step.BEFORE_DUE] and not invoice.issue_date < today <= invoice.due_date:
        return None
    return reached[-1] if reached else None


def _steps(rules: AutomationSettings) -> Iterator[tuple[Step, timedelta]]:
    """The steps that are wanted, in order, each with its distance from the due date."""
    days = {
        Step.BEFORE_DUE: -rules.remind_days_before,
        Step.FIRST: rules.first_overdue_days,
        Step.SECOND: rules.second_overdue_days,
        Step.THIRD: rules.third_overdue_days,
    }
    return ((step, timedelta(days=number)) for step, number in days.items() if number)


def _in_time(step: Step, on: BusinessDay) -> Q:
    """Nobody is reminded ahead of what is overdue, or of an invoice of the same day."""
    if step == Step.BEFORE_DUE:
        return Q(due_date__gte=on.day, issue_date__lt=on.day)
    return Q()


def _is_taken(invoice: Invoice, step: Step) -> bool:
    return Reminder.objects.filter(invoice=invoice, step__gte=step).exists()


def _mail(invoice: Invoice, step: Step, on: BusinessDay) -> None:
    context = {
        "document": invoice.document,
        "number": invoice.number,
        "balance": format_amount(invoice.balance, invoice.currency),
        "total": format_amount(invoice.total, invoice.currency),
        "due_date": invoice.due_date.isoformat(),
        "days_overdue": max((on.today - invoice.due_date).days, 0),
        "consequence": _consequence(invoice, on),
        "path": f"/invoices/{invoice.pk}/",
    }
    notify(invoice.client, TEMPLATES[step], key=str(invoice.pk), context=context, at=on.at)
    audit.record(
        "invoice.reminded",
        invoice,
        summary=f"{step.label} of {invoice.number} sent",
        at=on.at,
        client_id=invoice.client_id,
    )


def _consequence(invoice: Invoice, on: BusinessDay) -> str:
    """What happens if it stays unpaid, in a sentence; nothing if nothing does."""
    if not on.rules.suspend_overdue:
        return ""
    suspends_on = invoice.due_date + timedelta(days=on.rules.suspend_after_days)
    if suspends_on <= on.today:
        return "Until it is paid, the services on it may be suspended."
    return f"From {suspends_on.isoformat()} on, the services on it are suspended until it is paid."


def _deed(invoice: Invoice, summary: str, *, mailed: bool) -> Deed:
    outcome = TaskItem.Outcome.DONE if mailed else TaskItem.Outcome.SKIPPED
    return Deed(summary, outcome, invoice_id=invoice.pk)
