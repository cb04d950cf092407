"""What follows from a gateway's answer about a capture: at once, or by an event days later.

The money itself is booked by `invoice_paid`, as all money is.
"""

from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction

from billing_portal.automation.models import AutomationSettings
from billing_portal.automation.queries import rules as automation_rules
from billing_portal.calc.periods import local_date
from billing_portal.clients.notices import notify
from billing_portal.invoices import moving, settling
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.states import InvoiceStatus
from billing_portal.payments import captures, credit, methods
from billing_portal.payments.captures import Outcome
from billing_portal.payments.contract import CaptureDeclinedNotice, EventNotUnderstood
from billing_portal.payments.models import CaptureAttempt, StoredMethod, Transaction

SCHEDULED = "auto:"
"""How the keys of tries begin that the daily run makes; others are made by hand."""


def locked(attempt_id: int) -> CaptureAttempt:
    """A try with the rows of its client, invoice, method and its own locked."""
    found = CaptureAttempt.objects.select_related("invoice").get(pk=attempt_id)
    client = credit.locked_client(found.invoice.client_id)
    (invoice,) = settling.locked_invoices([found.invoice_id])
    method = StoredMethod.objects.select_for_update(no_key=True).get(pk=found.method_id)
    attempt = CaptureAttempt.objects.select_for_update(no_key=True).get(pk=attempt_id)
    invoice.client = method.client = client
    attempt.invoice, attempt.method = invoice, method
    return attempt


def wait(attempt: CaptureAttempt, *, external_id: str, at: datetime) -> None:
    """The bank takes some days: nobody is reminded or suspended until it has answered."""
    captures.finish(attempt, Outcome.PENDING, external_id=external_id, at=at)
    if attempt.invoice.status == InvoiceStatus.UNPAID:
        moving.move(attempt.invoice, InvoiceStatus.PENDING, at=at)


def decline(attempt: CaptureAttempt, *, message: str, is_final: bool, at: datetime) -> None:
    """No money: the invoice is unpaid again, and the client knows what comes next."""
    captures.finish(attempt, Outcome.DECLINED, message=message, is_final=is_final, at=at)
    _give_back(attempt, at=at)
    if is_final and attempt.method.status == StoredMethod.Status.ACTIVE:
        methods.refuse(attempt.method, why=message, at=at)
    if attempt.invoice.is_owed:
        _tell(attempt, at=at)


def fail(attempt: CaptureAttempt, *, message: str, at: datetime) -> None:
    """It could not be done, which is nobody's refusal: the next day of the schedule tries again."""
    captures.finish(attempt, Outcome.FAILED, message=message, at=at)
    _give_back(attempt, at=at)


def note_paid(payment: Transaction, *, at: datetime) -> None:
    """Close the pending capture that this payment settles, if there is one."""
    if attempt_id := _pending(payment.gateway, payment.external_id):
        with transaction.atomic():
            attempt = locked(attempt_id)
            if attempt.outcome == Outcome.PENDING:
                captures.finish(attempt, Outcome.PAID, at=at)
                # A part of it may be open still, if a new amount was added meanwhile.
                _give_back(attempt, at=at)


def apply_decline(gateway_key: str, notice: CaptureDeclinedNotice, *, at: datetime) -> None:
    """A pending capture came to nothing.  Told again, nothing happens.

    Raises EventNotUnderstood if there never was such a capture.
    """
    known = CaptureAttempt.objects.filter(
        method__gateway=gateway_key, external_id=notice.external_id
    ).first()
    if known is None:
        raise EventNotUnderstood(f"No capture is called {notice.external_id!r}.")
    with transaction.atomic():
        attempt = locked(known.pk)
        if attempt.outcome == Outcome.PENDING:
            decline(attempt, message=notice.message, is_final=notice.is_final, at=at)


def next_try(attempt: CaptureAttempt, rules: AutomationSettings, *, after: date) -> date | None:
    """The day on which the schedule tries this method again; None if it does not."""
    if attempt.method.status != StoredMethod.Status.ACTIVE or not rules.capture_payments:
        return None
    client = attempt.invoice.client
    if client.no_automatic_capture or client.exempt_from_dunning:
        return None
    day = due_on(attempt, rules)
    return max(day, after + timedelta(days=1)) if day else None


def due_on(attempt: CaptureAttempt, rules: AutomationSettings) -> date | None:
    """When the scheduled try after those made so far is due."""
    invoice = attempt.invoice
    return step_due(invoice.pk, attempt.method_id, invoice.due_date, rules)


def step_due(
    invoice_id: int, method_id: int, due_date: date, rules: AutomationSettings
) -> date | None:
    """The day of the next scheduled try of a method on an invoice; None after the last.

    Retries count from the day of the first try, so that catching up never bunches them.
    """
    made = CaptureAttempt.objects.filter(
        invoice_id=invoice_id, method_id=method_id, request_key__startswith=SCHEDULED
    )
    tries = list(made.order_by("attempted_at", "pk").values_list("attempted_at", flat=True))
    days = sorted(rules.capture_retry_days)
    if len(tries) >= len(days):
        return None
    if not tries:
        return due_date - timedelta(days=rules.capture_days_before) + timedelta(days=days[0])
    first = local_date(tries[0], settings.SELLER_TIMEZONE)
    return first + timedelta(days=days[len(tries)] - days[0])


def _give_back(attempt: CaptureAttempt, *, at: datetime) -> None:
    if attempt.invoice.status == InvoiceStatus.PENDING:
        moving.move(attempt.invoice, InvoiceStatus.UNPAID, at=at)


def _pending(gateway_key: str, external_id: str) -> int | None:
    return (
        CaptureAttempt.objects.filter(
            method__gateway=gateway_key, external_id=external_id, outcome=Outcome.PENDING
        )
        .values_list("pk", flat=True)
        .first()
    )


def _tell(attempt: CaptureAttempt, *, at: datetime) -> None:
    """Say that nothing was taken, and whether it is tried again or the client must act."""
    invoice, method = attempt.invoice, attempt.method
    today = local_date(at, settings.SELLER_TIMEZONE)
    again = next_try(attempt, automation_rules(), after=today)
    template = "capture_refused" if attempt.is_final else "capture_declined"
    context = {
        "document": invoice.document,
        "number": str(invoice),
        "amount": format_amount(attempt.amount, invoice.currency),
        "method": str(method),
        "why": attempt.message,
        "again": again.isoformat() if again else "",
        "path": f"/invoices/{invoice.pk}/",
    }
    notify(invoice.client, template, key=str(attempt.pk), context=context, at=at)
