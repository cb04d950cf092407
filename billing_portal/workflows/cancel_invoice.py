"""Voiding an invoice nobody paid, and what becomes of the periods it asked for.

Either nobody pays for them (the service goes on and its next period follows), or the next
bill run asks for them again, on a new invoice, and for items and late fees with them.
Set-up fees are never asked for again.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.clients.models import Client
from billing_portal.invoices import actions as invoices
from billing_portal.invoices.models import Invoice, InvoiceLine, InvoiceStatus
from billing_portal.promotions import queries as promotions
from billing_portal.services import schedule
from billing_portal.services.models import Service


def cancel_invoice(
    invoice_id: int, *, bill_again: bool, reason: str, at: datetime, actor: User | None
) -> Invoice:
    """Cancel an invoice; `bill_again` lets the next bill run ask for its periods anew.

    Raises InvoiceNotCancellable as `invoices.actions.cancel` does, and PeriodNotTakenBack
    if a period cannot be billed again; nothing is stored then.
    """
    with transaction.atomic():
        client_id = Invoice.objects.values_list("client_id", flat=True).get(pk=invoice_id)
        # A bill run locks the client first too, so none comes in between.
        Client.objects.select_for_update(no_key=True).get(pk=client_id)
        was = Invoice.objects.values_list("status", flat=True).get(pk=invoice_id)
        invoice = invoices.cancel(invoice_id, reason=reason, at=at, actor=actor)
        if bill_again and was != InvoiceStatus.CANCELLED:
            _take_back(invoice, at=at, actor=actor)
    return invoice


def _take_back(invoice: Invoice, *, at: datetime, actor: User | None) -> None:
    lines = list(invoice.lines.select_related("service__promotion").order_by("-period_start"))
    discounts = {_about(line) for line in lines if line.kind == InvoiceLine.Kind.DISCOUNT}
    periods = [line for line in lines if line.kind == InvoiceLine.Kind.RECURRING]
    for line in periods:  # the latest first: only the last period can be taken back
        if line.addon_id:
            schedule.take_back_addon_period(
                line.addon_id, start=line.period_start, end=line.period_end
            )
        elif service := line.service:
            schedule.take_back_period(
                service.pk,
                start=line.period_start,
                end=line.period_end,
                with_promotion=_has_promotion(line, service, discounts),
            )
    # A charge that no line holds is open, so the next invoice has it.
    invoice.lines.filter(kind__in=[InvoiceLine.Kind.ITEM, InvoiceLine.Kind.LATE_FEE]).update(
        charge=None
    )
    if periods:
        audit.record(
            "invoice.periods_taken_back",
            invoice,
            summary=f"The periods of {invoice} will be billed again: {_listed(periods)}",
            at=at,
            actor=actor,
            client_id=invoice.client_id,
        )


def _has_promotion(line: InvoiceLine, service: Service, discounts: set[tuple[object, ...]]) -> bool:
    if service.promotion is None:
        return False
    text = promotions.line_text(service.promotion)
    return (line.service_id, None, line.period_start, text) in discounts


def _about(line: InvoiceLine) -> tuple[object, ...]:
    return line.service_id, line.addon_id, line.period_start, line.description


def _listed(periods: Iterable[InvoiceLine]) -> str:
    return ", ".join(f"{line.description} from {line.period_start}" for line in periods)
