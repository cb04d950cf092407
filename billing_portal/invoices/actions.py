"""Charging and issuing.  What is issued here never changes again, but for being paid.

Order of locks: client, then invoice, then number series.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.bulk_rows import insert_all, insert_values
from billing_portal.calc.invoice import DraftInvoice, DraftLine, LineKind
from billing_portal.calc.periods import Period, local_date
from billing_portal.calc.tax import TaxTotal
from billing_portal.clients.models import Client, ClientField
from billing_portal.errors import PortalError
from billing_portal.invoices import announcing, moving, parties
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import (
    Charge,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    UsageWindow,
)
from billing_portal.invoices.numbering import NumberedDocument, number_documents
from billing_portal.invoices.queries import billing_rules

NO_CREDIT: Mapping[int, Decimal] = {}
NO_RATES: Mapping[str, Decimal] = {}


class InvoiceNotCancellable(PortalError):
    """The invoice was paid, or holds usage, and needs a credit note instead."""


@dataclass(frozen=True, slots=True)
class NewCharge:
    """What a service owes for a period.  `amount` is rounded to the currency's minor unit.

    `key` makes it once.
    """

    key: str
    client_id: int
    service_id: int | None
    metric: str
    description: str
    period: Period
    quantity: Decimal
    unit: str
    unit_price: Decimal | None
    amount: Decimal
    currency: str
    evidence: Mapping[str, Any]
    kind: LineKind = LineKind.USAGE
    taxable: bool = True


def add_charge(charge: NewCharge, *, at: datetime) -> Charge:
    """Note a charge for the next invoice.  The same key returns the same charge.

    The caller holds the client's lock.
    """
    (added,) = add_charges([charge], at=at)
    return added


def add_charges(charges: Sequence[NewCharge], *, at: datetime) -> list[Charge]:
    """Note every charge, as `add_charge` does, in two statements; their keys differ."""
    keys = [charge.key for charge in charges]
    known = {charge.key: charge for charge in Charge.objects.filter(key__in=keys)}
    fresh = [_charge(charge, at=at) for charge in charges if charge.key not in known]
    known |= {charge.key: charge for charge in insert_all(fresh)}
    return [known[key] for key in keys]


def close_windows(windows: Iterable[tuple[int, Period]], *, at: datetime) -> None:
    """Note of which services and periods the usage was collected.

    Raises IntegrityError if that was noted before.
    """
    insert_values(
        UsageWindow,
        [
            {
                "service_id": service_id,
                "starts_at": window.start,
                "ends_at": window.end,
                "closed_at": at,
            }
            for service_id, window in windows
        ],
    )


def issue(
    client: Client, draft: DraftInvoice, *, at: datetime, actor: User | None = None
) -> Invoice:
    """Turn a draft into an invoice with a number, in one transaction, and queue its mail.

    One over 0.00 is paid from the start.
    Raises IntegrityError if a line's period was billed meanwhile.
    """
    (invoice,) = issue_all([(client, draft)], at=at, actor=actor)
    return invoice


def issue_all(
    drafts: Sequence[tuple[Client, DraftInvoice]],
    *,
    at: datetime,
    actor: User | None = None,
    credit: Mapping[int, Decimal] = NO_CREDIT,
    rates: Mapping[str, Decimal] = NO_RATES,
) -> list[Invoice]:
    """Issue every draft to its client, as `issue` does: all of them or none."""
    with transaction.atomic():
        invoices = write_all(drafts, at=at, actor=actor, credit=credit, rates=rates)
        announcing.announce(invoices, at=at)
    return invoices


def write_all(
    drafts: Sequence[tuple[Client, DraftInvoice]],
    *,
    at: datetime,
    actor: User | None = None,
    credit: Mapping[int, Decimal] = NO_CREDIT,
    rates: Mapping[str, Decimal] = NO_RATES,
) -> list[Invoice]:
    """Issue every draft to its client without telling yet: `announcing` does that later.

    A few statements for all of them; the numbers follow the order of `drafts`.  `credit`
    is what the client's credit pays of each, by its place in `drafts`; `rates` are the
    exchange rates of currencies other than the seller's.
    """
    if not drafts:
        return []
    today = local_date(at, settings.SELLER_TIMEZONE)
    rules = billing_rules()
    term = timedelta(days=rules.term_days)
    fields = parties.printed_fields()
    with transaction.atomic():
        numbers = number_documents(
            [draft.total == credit.get(place, 0) for place, (_, draft) in enumerate(drafts)],
            proforma=rules.proforma,
            on=today,
        )
        invoices = insert_all(
            [
                _with_credit(
                    _invoice(client, draft, number, fields, term=term, at=at),
                    credit.get(place, Decimal(0)),
                    rate=rates.get(draft.currency, Decimal(1)),
                    at=at,
                )
                for place, (number, (client, draft)) in enumerate(zip(numbers, drafts, strict=True))
            ]
        )
        insert_values(
            InvoiceLine,
            [
                {"invoice_id": invoice.pk, **values_of(position, line)}
                for invoice, (_, draft) in zip(invoices, drafts, strict=True)
                for position, line in enumerate(draft.lines, start=1)
            ],
        )
        audit.record_all(_issued_entry(invoice, at=at, actor=actor) for invoice in invoices)
    return invoices


def cancel(invoice_id: int, *, reason: str, at: datetime, actor: User | None = None) -> Invoice:
    """Void an unpaid invoice of advance lines.

    No bill run asks for its periods again by itself: its services stay noted as billed.
    Raises InvoiceNotCancellable once anything was paid or if it bills usage.
    """
    with transaction.atomic():
        invoice = Invoice.objects.select_for_update(no_key=True).get(pk=invoice_id)
        if invoice.status == InvoiceStatus.CANCELLED:
            return invoice
        begun = invoice.paid_amount or invoice.credit_applied
        if begun or invoice.lines.filter(kind=InvoiceLine.Kind.USAGE).exists():
            raise InvoiceNotCancellable(
                f"{invoice} was paid in part or bills usage, so it cannot be cancelled."
            )
        moving.move(invoice, InvoiceStatus.CANCELLED, at=at)
        audit.record(
            "invoice.cancelled",
            invoice,
            summary=f"{invoice.document} {invoice.number} cancelled: {reason}",
            at=at,
            actor=actor,
            client_id=invoice.client_id,
        )
        return invoice


def release_periods(service_id: int, *, starting: date) -> None:
    """Let periods of a service that start on that day or later be billed again.

    They were given back: by credit, a credit note or a cancelled invoice.
    """
    InvoiceLine.objects.filter(
        service_id=service_id, addon=None, billed=True, period_start__gte=starting
    ).update(billed=False)


def printed_day(moment: date | datetime) -> date:
    """The seller's calendar day of a usage period's end; days stay as they are."""
    if isinstance(moment, datetime):
        return local_date(moment, settings.SELLER_TIMEZONE)
    return moment


def _charge(charge: NewCharge, *, at: datetime) -> Charge:
    return Charge(
        key=charge.key,
        client_id=charge.client_id,
        service_id=charge.service_id,
        kind=charge.kind,
        taxable=charge.taxable,
        metric=charge.metric,
        description=charge.description[:300],
        starts_at=charge.period.start,
        ends_at=charge.period.end,
        quantity=charge.quantity,
        unit=charge.unit,
        unit_price=charge.unit_price,
        amount=charge.amount,
        currency=charge.currency,
        evidence=dict(charge.evidence),
        created_at=at,
    )


def _invoice(
    client: Client,
    draft: DraftInvoice,
    numbered: NumberedDocument,
    fields: Sequence[ClientField],
    *,
    term: timedelta,
    at: datetime,
) -> Invoice:
    return Invoice(
        status=InvoiceStatus.UNPAID if draft.total else InvoiceStatus.PAID,
        paid_at=None if draft.total else at,
        client=client,
        number=numbered.number,
        is_proforma=numbered.is_proforma,
        currency=draft.currency,
        issued_at=at,
        issue_date=numbered.date,
        due_date=draft.due_date or numbered.date + term,
        payment_method=draft.payment_method,
        notes=draft.notes,
        net_total=draft.net_total,
        tax_total=draft.tax_total,
        total=draft.total,
        taxes=[tax_row(tax) for tax in draft.taxes],
        tax_note=draft.tax_note,
        seller=parties.seller(),
        buyer=parties.buyer(client, fields),
    )


def _with_credit(invoice: Invoice, used: Decimal, *, rate: Decimal, at: datetime) -> Invoice:
    invoice.exchange_rate = rate
    invoice.credit_applied = used
    if used and not invoice.balance:
        invoice.status, invoice.paid_at = InvoiceStatus.PAID, at
    return invoice


def row_of(invoice: Invoice, position: int, line: DraftLine) -> InvoiceLine:
    """A line as it is stored."""
    return InvoiceLine(invoice=invoice, **values_of(position, line))


def values_of(position: int, line: DraftLine) -> dict[str, Any]:
    """The columns of a line but for its invoice."""
    return {
        "position": position,
        "kind": line.kind,
        "service_id": line.service_id,
        "addon_id": line.addon_id,
        "charge_id": line.charge_id,
        "description": line.description[:300],
        "period_start": printed_day(line.period_start),
        "period_end": printed_day(line.period_end),
        "quantity": line.quantity,
        "unit": line.unit,
        "unit_price": line.unit_price,
        "amount": line.amount,
        "taxable": line.taxable,
        "tax_amount": line.tax_amount,
    }


def tax_row(tax: TaxTotal) -> dict[str, str]:
    """A row of the tax summary as an invoice keeps it."""
    return {
        "name": tax.name,
        "percent": str(tax.percent),
        "category": str(tax.category),
        "base": str(tax.base),
        "amount": str(tax.amount),
    }


def _issued_entry(invoice: Invoice, *, at: datetime, actor: User | None) -> audit.EntryValues:
    return audit.entry(
        "invoice.issued",
        invoice,
        summary=f"{invoice.document} {invoice} over {invoice.currency} {invoice.total} issued",
        at=at,
        actor=actor,
        client_id=invoice.client_id,
    )


def _amount(amount: Decimal, invoice: Invoice) -> str:
    return format_amount(amount, invoice.currency)
