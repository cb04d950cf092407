"""Taking the unpaid periods of a service off its client's invoices, because it ends.

An issued invoice never changes: one that holds nothing else is cancelled, any other gets a
credit note over the lines.  What was paid on it is the client's credit.
"""

from collections.abc import Sequence
from datetime import date, datetime

from billing_portal.accounts.models import User
from billing_portal.invoices import actions as invoices
from billing_portal.invoices import crediting
from billing_portal.invoices.models import OWED, Invoice, InvoiceLine
from billing_portal.promotions import queries as promotions
from billing_portal.services import schedule
from billing_portal.services.models import Service
from billing_portal.workflows import credit_notes

Kind = InvoiceLine.Kind
REASON = "the service was cancelled"


def take_off(
    service: Service, *, starting: date, request_key: str, at: datetime, actor: User | None
) -> list[Invoice]:
    """Nobody has to pay for periods that begin on the day `starting` or later.

    The invoices they were on, by key.  The caller holds the client's lock.
    Raises CreditNoteRefused if an invoice cannot be corrected.
    """
    periods = last_unpaid(service, starting)
    if not periods:
        return []
    first = min(line.period_start for line in periods)
    touched = sorted({line.invoice for line in periods}, key=lambda invoice: invoice.pk)
    for invoice in touched:
        _correct(invoice, service, first, f"{request_key}:{invoice.pk}", at=at, actor=actor)
    for line in periods:  # the latest first: only the last period can be taken back
        schedule.take_back_period(
            service.pk,
            start=line.period_start,
            end=line.period_end,
            with_promotion=_had_promotion(line, service),
        )
    invoices.release_periods(service.pk, starting=first)
    return touched


def last_unpaid(service: Service, starting: date) -> list[InvoiceLine]:
    """The unpaid periods at the end of what is invoiced, the latest first."""
    lines = InvoiceLine.objects.filter(
        service=service, addon=None, kind=Kind.RECURRING, billed=True, period_start__gte=starting
    )
    found: list[InvoiceLine] = []
    until = service.billed_until
    for line in lines.select_related("invoice").order_by("-period_start", "-pk"):
        if line.period_end != until or line.invoice.status not in OWED:
            break
        found.append(line)
        until = line.period_start
    return found


def _correct(
    invoice: Invoice,
    service: Service,
    first: date,
    request_key: str,
    *,
    at: datetime,
    actor: User | None,
) -> None:
    lines = list(invoice.lines.all())
    off = [line for line in lines if _belongs(line, service, first)]
    untouched = not (invoice.paid_amount or invoice.credit_applied or invoice.credited_amount)
    if untouched and len(off) == len(lines):
        invoices.cancel(invoice.pk, reason=REASON, at=at, actor=actor)
    else:
        _credit(invoice, off, request_key, at=at, actor=actor)


def _credit(
    invoice: Invoice,
    lines: Sequence[InvoiceLine],
    request_key: str,
    *,
    at: datetime,
    actor: User | None,
) -> None:
    amounts = {line.pk: line.amount for line in lines if line.amount}
    credit_notes.credit_invoice(
        invoice.pk,
        lambda locked: crediting.correct_lines(locked, amounts),
        reason=REASON,
        request_key=request_key,
        at=at,
        actor=actor,
    )


def _had_promotion(line: InvoiceLine, service: Service) -> bool:
    """Whether the period had one of those left to the service's promotion."""
    if service.promotion is None:
        return False
    discounts = InvoiceLine.objects.filter(
        invoice=line.invoice,
        service=service,
        addon=None,
        kind=Kind.DISCOUNT,
        period_start=line.period_start,
        description=promotions.line_text(service.promotion),
    )
    return discounts.exists()


def _belongs(line: InvoiceLine, service: Service, first: date) -> bool:
    """Whether a line is of a period that is taken off: the service's, an add-on's, a discount."""
    in_advance = line.kind in (Kind.RECURRING, Kind.DISCOUNT)
    return in_advance and line.service_id == service.pk and line.period_start >= first
