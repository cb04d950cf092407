"""Tries to take an invoice's balance from a stored method, written down before and after.

    under way --answer--> paid, declined or failed
        |                  ^
        +---> pending -----+   days later, by an event of the gateway

The caller holds the locks of client and invoice.
"""

from datetime import datetime

from django.db.models import QuerySet

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.errors import PortalError
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice
from billing_portal.payments.models import CaptureAttempt, StoredMethod

Outcome = CaptureAttempt.Outcome
OPEN = (Outcome.UNDER_WAY, Outcome.PENDING)


class CaptureRefused(PortalError):
    """The invoice cannot be taken from this method, or not now."""


def begin(
    invoice: Invoice,
    method: StoredMethod,
    *,
    request_key: str,
    at: datetime,
    actor: User | None = None,
) -> CaptureAttempt:
    """Note that the balance is to be taken; the same key is the same try.

    Raises CaptureRefused if another one is under way.
    """
    if known := CaptureAttempt.objects.filter(request_key=request_key).first():
        return known
    if open_of(invoice.pk).exists():
        raise CaptureRefused(f"A payment for {invoice} is under way already.")
    attempt = CaptureAttempt.objects.create(
        invoice=invoice,
        method=method,
        request_key=request_key,
        amount=invoice.balance,
        attempted_at=at,
    )
    shown = format_amount(attempt.amount, invoice.currency)
    _record("begun", attempt, f"{shown} of {invoice} asked for from {method}", at, actor)
    return attempt


def finish(
    attempt: CaptureAttempt,
    outcome: CaptureAttempt.Outcome,
    *,
    external_id: str = "",
    message: str = "",
    is_final: bool = False,
    at: datetime,
) -> None:
    """Write down what became of a try."""
    attempt.outcome = outcome
    attempt.external_id = (external_id or attempt.external_id)[:120]
    attempt.message = message[:200]
    attempt.is_final = is_final
    attempt.finished_at = None if outcome == Outcome.PENDING else at
    attempt.save(update_fields=["outcome", "external_id", "message", "is_final", "finished_at"])
    said = f": {message}" if message else ""
    what = f"{attempt.get_outcome_display()}, {attempt.invoice} from {attempt.method}{said}"
    _record(outcome.value, attempt, what, at)


def note_trouble(attempt: CaptureAttempt, message: str) -> None:
    """Say on a try that stays under way why it does."""
    attempt.message = message[:200]
    attempt.save(update_fields=["message"])


def open_of(invoice_id: int) -> QuerySet[CaptureAttempt]:
    """The try of an invoice that is under way or pending, if there is one."""
    return CaptureAttempt.objects.filter(invoice_id=invoice_id, outcome__in=OPEN)


def attempts_of(invoice_id: int) -> QuerySet[CaptureAttempt]:
    """All tries of an invoice, the latest first."""
    return CaptureAttempt.objects.filter(invoice_id=invoice_id).select_related("method")


def _record(
    what: str, attempt: CaptureAttempt, summary: str, at: datetime, actor: User | None = None
) -> None:
    audit.record(
        f"payment.capture_{what}",
        attempt.invoice,
        summary=summary,
        at=at,
        actor=actor,
        client_id=attempt.invoice.client_id,
    )
