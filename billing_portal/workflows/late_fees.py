"""Late fees: a part of what is still open, once per overdue invoice.  Off by default.

An issued invoice never changes, so the fee is a charge that the next bill run puts on an
invoice of its own; that invoice bears no fee in turn.
"""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from billing_portal.audit import actions as audit
from billing_portal.automation.actions import Deed
from billing_portal.automation.models import AutomationSettings, Task, TaskItem
from billing_portal.automation.queries import BusinessDay
from billing_portal.calc.invoice import LineKind
from billing_portal.calc.money import round_money
from billing_portal.calc.periods import Period, local_midnight
from billing_portal.clients.models import Client
from billing_portal.invoices import actions as charging
from billing_portal.invoices.actions import NewCharge
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice, InvoiceLine, InvoiceStatus

METRIC = "late_fee"
TRIED_FOR = timedelta(days=7)
"""A fee that failed is tried again so long; older debt gets none when fees are switched on."""


def invoices_to_charge(on: BusinessDay) -> list[int]:
    """Ids of unpaid invoices that came to bear a late fee in the last days and have none."""
    limit = on.day - timedelta(days=on.rules.late_fee_after_days)
    charged = TaskItem.objects.filter(
        run__task=Task.LATE_FEES, outcome=TaskItem.Outcome.DONE, invoice=OuterRef("pk")
    )
    not_a_fee = InvoiceLine.objects.filter(
        Q(charge__isnull=True) | ~Q(charge__metric=METRIC), invoice=OuterRef("pk")
    )
    return list(
        Invoice.objects.filter(
            ~Exists(charged),
            Exists(not_a_fee),
            status=InvoiceStatus.UNPAID,
            due_date__lte=limit,
            due_date__gt=limit - TRIED_FOR,
            client__exempt_from_dunning=False,
        )
        .order_by("due_date", "pk")
        .values_list("pk", flat=True)
    )


def charge(invoice_id: int, on: BusinessDay) -> Deed | None:
    """Charge the fee of one invoice, in the caller's transaction; None if it was paid meanwhile."""
    # The client first: charges are written under its lock.
    Client.objects.select_for_update(of=("self",), no_key=True).get(invoices=invoice_id)
    invoice = (
        Invoice.objects.select_for_update(of=("self",), no_key=True)
        .select_related("client")
        .get(pk=invoice_id)
    )
    fee = fee_of(invoice.balance, on.rules, currency=invoice.currency)
    if invoice.status != InvoiceStatus.UNPAID or not fee:
        return None
    first = invoice.lines.order_by("position")[0]
    late_fee = NewCharge(
        key=f"{METRIC}:{invoice.pk}",
        client_id=invoice.client_id,
        service_id=first.service_id,
        kind=LineKind.LATE_FEE,
        metric=METRIC,
        description=f"Late fee for invoice {invoice.number}, due {invoice.due_date.isoformat()}",
        period=Period(
            local_midnight(invoice.due_date, settings.SELLER_TIMEZONE),
            local_midnight(on.day, settings.SELLER_TIMEZONE),
        ),
        quantity=Decimal(1),
        unit="",
        unit_price=fee,
        amount=fee,
        currency=invoice.currency,
        evidence={"invoice": invoice.number, "open": str(invoice.balance)},
    )
    charging.add_charge(late_fee, at=on.at)
    shown = format_amount(fee, invoice.currency)
    summary = f"Late fee of {shown} for {invoice.number} of {invoice.client}, on its next invoice"
    audit.record(
        "invoice.late_fee", invoice, summary=summary, at=on.at, client_id=invoice.client_id
    )
    return Deed(summary, invoice_id=invoice.pk)


def fee_of(balance: Decimal, rules: AutomationSettings, *, currency: str) -> Decimal:
    """The percentage of what is open, at least the minimum, rounded once: 10 % of 30.00 is 3.00."""
    part = Fraction(balance) * Fraction(rules.late_fee_percent) / 100
    return round_money(max(part, Fraction(rules.late_fee_minimum)), currency)
