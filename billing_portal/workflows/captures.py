"""Taking what is due from the card or mandate a client left.

    day's run or a click       task                          task
    a row is committed  --->   the gateway is asked   --->   its answer is booked, once
                               outside any transaction

Who dies in between leaves a try under way; the sweep asks again with the same key, and
the gateway takes nothing twice.  Order of locks: client, invoice, method, attempt.
"""

import logging
from datetime import date, datetime, timedelta

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from billing_portal.accounts.models import User
from billing_portal.automation.actions import Deed
from billing_portal.automation.queries import BusinessDay
from billing_portal.calc.periods import local_date
from billing_portal.invoices import settling
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice
from billing_portal.invoices.queries import BALANCE
from billing_portal.invoices.states import InvoiceStatus
from billing_portal.payments import captures, credit, methods, queries, registry
from billing_portal.payments.actions import PaymentRefused
from billing_portal.payments.captures import CaptureRefused, Outcome
from billing_portal.payments.contract import (
    CaptureRequest,
    CaptureResult,
    CapturingGateway,
    GatewayUnavailable,
    Verdict,
)
from billing_portal.payments.models import CaptureAttempt, StoredMethod
from billing_portal.workflows import capture_outcomes, invoice_paid

logger = logging.getLogger(__name__)

ASK_AGAIN_AFTER = timedelta(minutes=2)
"""A gateway that gave no answer is asked again after this long."""


def invoices_to_capture(on: BusinessDay) -> list[int]:
    """Ids of the unpaid invoices whose day to be tried has come, the oldest due first."""
    last = on.day + timedelta(days=on.rules.capture_days_before)
    under_way = CaptureAttempt.objects.filter(invoice=OuterRef("pk"), outcome__in=captures.OPEN)
    with_method = StoredMethod.objects.filter(
        client=OuterRef("client"), status=StoredMethod.Status.ACTIVE, is_default=True
    )
    found = (
        Invoice.objects.filter(
            Exists(with_method),
            ~Exists(under_way),
            status=InvoiceStatus.UNPAID,
            due_date__lte=last,
            client__no_automatic_capture=False,
            client__exempt_from_dunning=False,
        )
        .alias(left=BALANCE)
        .filter(left__gt=0)
        .select_related("client")
        .order_by("due_date", "pk")
    )
    return [invoice.pk for invoice in found if _due_method(invoice, on)]


def capture_due(invoice_id: int, on: BusinessDay) -> Deed | None:
    """Begin the try of one invoice, in the caller's transaction, after which it is made.

    None if it was paid meanwhile or another try is under way.
    """
    client_id = Invoice.objects.values_list("client_id", flat=True).get(pk=invoice_id)
    credit.locked_client(client_id)
    (invoice,) = settling.locked_invoices([invoice_id])
    method = _due_method(invoice, on)
    if method is None or not _is_takeable(invoice) or captures.open_of(invoice_id).exists():
        return None
    number = invoice.captures.filter(
        method=method, request_key__startswith=capture_outcomes.SCHEDULED
    ).count()
    key = f"{capture_outcomes.SCHEDULED}{invoice_id}:{method.pk}:{number + 1}"
    attempt = captures.begin(invoice, method, request_key=key, at=on.at)
    _ask_after_commit(attempt)
    shown = format_amount(attempt.amount, invoice.currency)
    summary = f"{shown} for {invoice} of {invoice.client} asked for from {method}"
    return Deed(f"{summary}, try {number + 1}", invoice_id=invoice_id)


def capture_now(
    invoice_id: int, method_id: int, *, request_key: str, at: datetime, actor: User | None
) -> CaptureAttempt:
    """A client or staff want the balance taken now; the same key is one try.

    Raises CaptureRefused.
    """
    with transaction.atomic():
        client_id = Invoice.objects.values_list("client_id", flat=True).get(pk=invoice_id)
        credit.locked_client(client_id)
        (invoice,) = settling.locked_invoices([invoice_id])
        key = f"hand:{invoice_id}:{request_key}"[:120]
        if known := CaptureAttempt.objects.filter(request_key=key).first():
            return known
        method = StoredMethod.objects.filter(pk=method_id, client_id=client_id).first()
        if method is None or not methods.is_usable(method, _today(at)):
            raise CaptureRefused("This payment method can no longer be used.")
        if _capturing(method) is None:
            raise CaptureRefused(f"{method} belongs to a way to pay that is not offered any more.")
        if not _is_takeable(invoice):
            raise CaptureRefused(f"{invoice} needs no payment now.")
        attempt = captures.begin(invoice, method, request_key=key, at=at, actor=actor)
        _ask_after_commit(attempt)
    return attempt


def methods_for(invoice: Invoice, *, at: datetime) -> list[StoredMethod]:
    """From which methods an invoice can be paid now, the default first; none under way."""
    if not _is_takeable(invoice) or captures.open_of(invoice.pk).exists():
        return []
    today = _today(at)
    return [
        method
        for method in queries.methods_of(invoice.client_id)
        if methods.is_usable(method, today) and _capturing(method)
    ]


def carry_out(attempt_id: int, *, at: datetime) -> CaptureAttempt:
    """Ask the gateway, with no transaction open, and book its answer.

    Does nothing to a try that has an answer.  Without one it stays under way.
    """
    attempt = _note_asked(attempt_id, at=at)
    if attempt.outcome != Outcome.UNDER_WAY:
        return attempt
    invoice, gateway = attempt.invoice, _capturing(attempt.method)
    if gateway is None:
        result = CaptureResult(Verdict.FAILED, message="This way to pay is not offered any more.")
        return _book(attempt_id, result, at=at)
    request = CaptureRequest(
        invoice.pk, str(invoice), attempt.amount, invoice.currency, attempt.request_key
    )
    try:
        result = gateway.capture(attempt.method.token, request)
    except GatewayUnavailable as error:
        logger.warning("capture %s stays under way: %s", attempt_id, error)
        return attempt
    try:
        return _book(attempt_id, result, at=at)
    except PaymentRefused as error:
        # The money may have moved, so the try stays open until a person has looked.
        captures.note_trouble(attempt, f"Not booked: {error}")
        return attempt


def carry_out_waiting(*, at: datetime) -> list[CaptureAttempt]:
    """Make every try that a lost task or a lost answer left under way."""
    silent = Q(asked_at=None) | Q(asked_at__lte=at - ASK_AGAIN_AFTER)
    waiting = CaptureAttempt.objects.filter(silent, outcome=Outcome.UNDER_WAY)
    ids = list(waiting.order_by("pk").values_list("pk", flat=True))
    done = []
    for attempt_id in ids:
        try:
            done.append(carry_out(attempt_id, at=at))
        except Exception:
            # One that fails must not hold up the others; it is asked again.
            logger.exception("capture %s could not be carried out", attempt_id)
    return done


def _note_asked(attempt_id: int, *, at: datetime) -> CaptureAttempt:
    """Commit that the gateway is about to be asked, or that nothing is to be taken any more.

    Once it was asked, only its answer ends the try: the money may have moved.
    """
    with transaction.atomic():
        attempt = capture_outcomes.locked(attempt_id)
        if attempt.outcome != Outcome.UNDER_WAY:
            return attempt
        if attempt.asked_at is None:
            if not _is_takeable(attempt.invoice):
                gone = f"{attempt.invoice} needed no payment any more."
                capture_outcomes.fail(attempt, message=gone, at=at)
                return attempt
            attempt.amount = attempt.invoice.balance
        attempt.asked_at = at
        attempt.save(update_fields=["amount", "asked_at"])
    return attempt


def _book(attempt_id: int, result: CaptureResult, *, at: datetime) -> CaptureAttempt:
    """Write the answer down, and the money with it; whoever comes second finds it done."""
    with transaction.atomic():
        attempt = capture_outcomes.locked(attempt_id)
        if attempt.outcome != Outcome.UNDER_WAY:
            return attempt
        if result.token is not None and attempt.method.token:
            attempt.method.token = dict(result.token)
            attempt.method.save(update_fields=["token"])
        match result.verdict:
            case Verdict.PAID:
                _pay(attempt, result, at=at)
            case Verdict.PENDING:
                capture_outcomes.wait(attempt, external_id=result.external_id, at=at)
            case Verdict.SOFT_DECLINE | Verdict.HARD_DECLINE:
                is_final = result.verdict == Verdict.HARD_DECLINE
                capture_outcomes.decline(attempt, message=result.message, is_final=is_final, at=at)
            case Verdict.FAILED:
                capture_outcomes.fail(attempt, message=result.message, at=at)
    return attempt


def _pay(attempt: CaptureAttempt, result: CaptureResult, *, at: datetime) -> None:
    """Book the money; what was paid otherwise meanwhile makes it the client's credit."""
    captures.finish(attempt, Outcome.PAID, external_id=result.external_id, at=at)
    invoice_paid.record_payment(
        invoice_id=attempt.invoice_id,
        gateway=attempt.method.gateway,
        external_id=result.external_id,
        amount=attempt.amount,
        currency=attempt.invoice.currency,
        received_at=at,
        at=at,
        note=f"Taken from {attempt.method}",
    )


def _due_method(invoice: Invoice, on: BusinessDay) -> StoredMethod | None:
    """The client's default method, if its next try of this invoice is due by this day."""
    method = invoice.client.stored_methods.filter(
        is_default=True, status=StoredMethod.Status.ACTIVE
    ).first()
    if method is None or not methods.is_usable(method, on.today) or _capturing(method) is None:
        return None
    if invoice.payment_method not in ("", method.gateway):
        return None
    day = capture_outcomes.step_due(invoice.pk, method.pk, invoice.due_date, on.rules)
    return method if day is not None and day <= on.day else None


def _is_takeable(invoice: Invoice) -> bool:
    return invoice.status == InvoiceStatus.UNPAID and invoice.balance > 0


def _capturing(method: StoredMethod) -> CapturingGateway | None:
    offered = registry.capturing_gateways()
    return next((one for one in offered if one.key == method.gateway), None)


def _ask_after_commit(attempt: CaptureAttempt) -> None:
    """Have it done at once.  If the broker is away, the sweep finds it."""
    kwargs = {"attempt_id": attempt.pk}

    def send() -> None:
        # By name: the task imports this module.
        current_app.send_task("billing_portal.workflows.tasks.capture", kwargs=kwargs)

    transaction.on_commit(send, robust=True)


def _today(at: datetime) -> date:
    return local_date(at, settings.SELLER_TIMEZONE)
