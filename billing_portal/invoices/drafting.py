"""Invoices written by hand: drafts, which may change until they are published.

No client ever sees a draft.  Publishing gives it its number, its day, and the parties and
taxes of that day, all at once.  Order of locks: client, invoice, number series.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.invoice import (
    DraftInvoice,
    DraftLine,
    LineKind,
    document_of,
    manual_line,
)
from billing_portal.calc.money import exact, round_money
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.invoices import moving, parties
from billing_portal.invoices.actions import row_of, tax_row
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice, InvoiceLine, InvoiceStatus
from billing_portal.invoices.numbering import number_documents
from billing_portal.invoices.queries import billing_rules
from billing_portal.products.rates import rates_of
from billing_portal.taxes.queries import treatments

MOST_LINES = 200
MAX_AMOUNT = Decimal(10**9)
"""More than anybody invoices by hand on one line: a slip of the keyboard."""


class DraftRefused(PortalError):
    """The draft says something no invoice may say."""


class NotADraft(PortalError):
    """The invoice was published and cannot change any more."""


@dataclass(frozen=True, slots=True)
class ManualLine:
    """One line as staff type it; `unit_price` is without tax."""

    description: str
    quantity: Decimal
    unit_price: Decimal
    unit: str = ""
    taxable: bool = True
    service_id: int | None = None


@dataclass(frozen=True, slots=True)
class DraftContent:
    """What staff type into a draft."""

    lines: Sequence[ManualLine]
    due_date: date
    notes: str = ""
    staff_notes: str = ""
    payment_method: str = ""


def compose(client: Client, content: DraftContent, *, on: date) -> DraftInvoice:
    """The document this content makes, with the client's taxes of that day.

    Raises DraftRefused for one without lines, or with amounts nobody means.
    """
    lines = [
        manual_line(
            line.description,
            quantity=line.quantity,
            unit_price=line.unit_price,
            currency=client.currency,
            on=on,
            unit=line.unit,
            service_id=line.service_id,
            taxable=line.taxable,
        )
        for line in content.lines
    ]
    return taxed(client, lines, on=on, due_date=content.due_date, method=content.payment_method)


def taxed(
    client: Client, lines: Sequence[DraftLine], *, on: date, due_date: date | None, method: str = ""
) -> DraftInvoice:
    """A document of these lines, whose amounts are net, with the client's taxes of that day."""
    _check(lines, client.currency)
    draft = document_of(
        lines,
        currency=client.currency,
        treatment=treatments([client], on=on)[client.pk],
        due_date=due_date,
        payment_method=method or client.payment_method,
    )
    if draft.total < 0:
        raise DraftRefused("It comes to less than zero. Write a credit note instead.")
    return draft


def write(client: Client, content: DraftContent, *, at: datetime, actor: User | None) -> Invoice:
    """A new draft.  Raises DraftRefused."""
    today = local_date(at, settings.SELLER_TIMEZONE)
    with transaction.atomic():
        invoice = Invoice(client=client, status=InvoiceStatus.DRAFT, issued_at=at, issue_date=today)
        return _store(invoice, content, "drafted", "Written:", at=at, actor=actor)


def rewrite(invoice_id: int, content: DraftContent, *, at: datetime, actor: User | None) -> Invoice:
    """The draft with another content.  Raises NotADraft, DraftRefused."""
    with transaction.atomic():
        invoice = locked_draft(invoice_id)
        return _store(invoice, content, "redrafted", "Changed:", at=at, actor=actor)


def delete(invoice_id: int, *, at: datetime, actor: User | None) -> None:
    """Throw a draft away.  Raises NotADraft."""
    with transaction.atomic():
        invoice = locked_draft(invoice_id)
        _noted(invoice, "draft_deleted", "Thrown away:", at=at, actor=actor)
        invoice.lines.all().delete()
        invoice.delete()


def publish(invoice_id: int, *, at: datetime, actor: User | None) -> Invoice:
    """Make a draft an invoice: number and day, parties, taxes and amounts as of now.

    What comes to 0.00 is paid from the start.  The caller holds the client's lock, and
    sends the mail.  Raises NotADraft, DraftRefused.
    """
    invoice = locked_draft(invoice_id)
    client = invoice.client
    today = local_date(at, settings.SELLER_TIMEZONE)
    draft = taxed(client, lines_of_draft(invoice, on=today), on=today, due_date=invoice.due_date)
    proforma = billing_rules().proforma
    (numbered,) = number_documents([not draft.total], proforma=proforma, on=today)
    if invoice.due_date < numbered.date:
        raise DraftRefused("It would be due before it is issued. Choose a later due date.")
    method = invoice.payment_method
    fill(invoice, draft)
    invoice.payment_method = method
    invoice.number, invoice.is_proforma = numbered.number, numbered.is_proforma
    invoice.issued_at, invoice.issue_date = at, numbered.date
    invoice.buyer = parties.buyer(client, parties.printed_fields())
    invoice.exchange_rate = rates_of([client.currency]).get(client.currency, Decimal(1))
    invoice.save()
    moving.move(invoice, InvoiceStatus.UNPAID if draft.total else InvoiceStatus.PAID, at=at)
    return _noted(invoice, "issued", f"{invoice.document} published:", at=at, actor=actor)


def duplicate(invoice_id: int, *, at: datetime, actor: User | None) -> Invoice:
    """A draft with the lines of an invoice, as typed ones: no period is billed by it."""
    original = Invoice.objects.select_related("client").get(pk=invoice_id)
    today = local_date(at, settings.SELLER_TIMEZONE)
    content = content_of(original, due_date=today + (original.due_date - original.issue_date))
    return write(original.client, content, at=at, actor=actor)


def content_of(invoice: Invoice, *, due_date: date) -> DraftContent:
    """What somebody would have typed to write this invoice."""
    return DraftContent(
        lines=[_as_typed(line) for line in invoice.lines.order_by("position")],
        due_date=due_date,
        notes=invoice.notes,
        staff_notes=invoice.staff_notes,
        payment_method=invoice.payment_method,
    )


def locked_draft(invoice_id: int) -> Invoice:
    """The draft with its row locked.  Raises NotADraft."""
    rows = Invoice.objects.select_for_update(of=("self",), no_key=True).select_related("client")
    invoice = rows.filter(pk=invoice_id).first()
    if invoice is None:
        raise NotADraft("This draft does not exist any more.")
    if invoice.status != InvoiceStatus.DRAFT:
        raise NotADraft(f"{invoice} is published and cannot change any more.")
    return invoice


def lines_of_draft(invoice: Invoice, *, on: date) -> list[DraftLine]:
    """The lines of a draft as they are published: a typed one is for the day `on`."""
    tomorrow = on + timedelta(days=1)
    return [replace(line, period_start=on, period_end=tomorrow) for line in drafted(invoice)]


def drafted(invoice: Invoice) -> list[DraftLine]:
    """The stored lines of any invoice, in order, as values; their taxes are left out."""
    return [
        DraftLine(
            service_id=line.service_id,
            kind=LineKind(line.kind),
            description=line.description,
            period_start=line.period_start,
            period_end=line.period_end,
            quantity=line.quantity,
            unit=line.unit,
            unit_price=line.unit_price,
            amount=line.amount,
            charge_id=line.charge_id,
            addon_id=line.addon_id,
            taxable=line.taxable,
        )
        for line in invoice.lines.order_by("position")
    ]


def fill(invoice: Invoice, draft: DraftInvoice) -> None:
    """Store a draft with these lines and totals, in place of those it had."""
    client = invoice.client
    invoice.currency = draft.currency
    invoice.payment_method = draft.payment_method
    invoice.seller, invoice.buyer = parties.seller(), parties.buyer(client)
    invoice.net_total, invoice.tax_total = draft.net_total, draft.tax_total
    invoice.total, invoice.tax_note = draft.total, draft.tax_note
    invoice.taxes = [tax_row(tax) for tax in draft.taxes]
    if draft.due_date:
        invoice.due_date = draft.due_date
    invoice.save()
    invoice.lines.all().delete()
    InvoiceLine.objects.bulk_create(
        row_of(invoice, position, line) for position, line in enumerate(draft.lines, start=1)
    )


def _store(
    invoice: Invoice,
    content: DraftContent,
    action: str,
    words: str,
    *,
    at: datetime,
    actor: User | None,
) -> Invoice:
    draft = compose(invoice.client, content, on=local_date(at, settings.SELLER_TIMEZONE))
    invoice.notes, invoice.staff_notes = content.notes, content.staff_notes
    fill(invoice, draft)
    return _noted(invoice, action, words, at=at, actor=actor)


def _check(lines: Sequence[DraftLine], currency: str) -> None:
    if not lines:
        raise DraftRefused("It has no lines. An invoice has at least one.")
    if len(lines) > MOST_LINES:
        raise DraftRefused(f"It has more than {MOST_LINES} lines. Make two of it.")
    for number, line in enumerate(lines, start=1):
        if not line.description.strip():
            raise DraftRefused(f"Line {number} does not say what it is for.")
        if abs(line.amount) >= MAX_AMOUNT:
            shown = format_amount(line.amount, currency)
            raise DraftRefused(f"Line {number} comes to {shown}. That is more than can be billed.")


def _as_typed(line: InvoiceLine) -> ManualLine:
    """Where quantity and price do not make the amount, such as for usage, it is one of it."""
    is_product = line.unit_price is not None and line.amount == round_money(
        exact(line.quantity) * exact(line.unit_price), line.invoice.currency
    )
    return ManualLine(
        description=line.description,
        quantity=line.quantity if is_product else Decimal(1),
        unit_price=line.unit_price if is_product and line.unit_price is not None else line.amount,
        unit=line.unit if is_product else "",
        taxable=line.taxable,
        service_id=line.service_id,
    )


def _noted(
    invoice: Invoice, action: str, words: str, *, at: datetime, actor: User | None
) -> Invoice:
    audit.record(
        f"invoice.{action}",
        invoice,
        summary=f"{words} {invoice} over {format_amount(invoice.total, invoice.currency)}",
        at=at,
        actor=actor,
        client_id=invoice.client_id,
    )
    return invoice
