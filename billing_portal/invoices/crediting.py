"""Credit notes: an issued invoice is never edited, it is corrected by a note of its own.

Order of locks: client, invoice, then number series.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db.models import QuerySet, Sum

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc import crediting
from billing_portal.calc.crediting import BilledLine, NotCreditable, Part
from billing_portal.calc.periods import local_date
from billing_portal.calc.tax import TaxTotal
from billing_portal.errors import PortalError
from billing_portal.invoices import moving, settling
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import (
    CreditNote,
    CreditNoteLine,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
)
from billing_portal.invoices.numbering import take_dated

CREDIT_NOTE_PREFIX = "CN"
CORRECTABLE = (
    InvoiceStatus.UNPAID,
    InvoiceStatus.PENDING,
    InvoiceStatus.COLLECTIONS,
    InvoiceStatus.PAID,
)


class CreditNoteRefused(PortalError):
    """The invoice cannot be corrected as asked."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What a note over an invoice would say: a part of each line, and the totals of them.

    `applied` lowers what is still owed; the rest was paid and belongs to the client.
    """

    lines: tuple[tuple[InvoiceLine, Part], ...]
    taxes: tuple[TaxTotal, ...]
    net_total: Decimal
    tax_total: Decimal
    applied: Decimal

    @property
    def total(self) -> Decimal:
        return self.net_total + self.tax_total

    @property
    def rest(self) -> Decimal:
        return self.total - self.applied


def is_correctable(invoice: Invoice) -> bool:
    """Whether a credit note over the invoice is possible."""
    return invoice.status in CORRECTABLE and not invoice.is_proforma


def billed_lines(invoice: Invoice) -> dict[InvoiceLine, BilledLine]:
    """The lines in the order printed, each with what earlier notes took back of it."""
    notes = CreditNoteLine.objects.filter(line__invoice=invoice).order_by()
    sums = notes.values("line_id").annotate(net=Sum("amount"), tax=Sum("tax_amount"))
    done = {row["line_id"]: (_cut(row["net"]), _cut(row["tax"])) for row in sums}
    zero = (Decimal(0), Decimal(0))
    return {
        line: BilledLine(line.amount, line.tax_amount, line.taxable, *done.get(line.pk, zero))
        for line in invoice.lines.order_by("position")
    }


def correct_lines(invoice: Invoice, amounts: Mapping[int, Decimal]) -> Correction:
    """A correction by `amounts` without tax, by line id; of a discount they are negative.

    Raises NotCreditable for more than a line has left, CreditNoteRefused for a line of
    another invoice or an invoice that cannot be corrected.
    """
    billed = billed_lines(invoice)
    if foreign := set(amounts) - {line.pk for line in billed}:
        raise CreditNoteRefused(f"{invoice} has no line {min(foreign)}.")
    zero = Decimal(0)
    parts = [
        crediting.part_of(state, amounts.get(line.pk, zero), invoice.currency)
        for line, state in billed.items()
    ]
    return _correction(invoice, billed, parts)


def correct_all(invoice: Invoice) -> Correction:
    """A correction by everything that is left of every line."""
    return correct_lines(
        invoice, {line.pk: state.left for line, state in billed_lines(invoice).items()}
    )


def correct_by(invoice: Invoice, gross: Decimal) -> Correction:
    """A correction by a sum with tax, taken from all lines in proportion."""
    billed = billed_lines(invoice)
    parts = crediting.spread(gross, list(billed.values()), invoice.currency)
    return _correction(invoice, billed, parts)


def issue_note(
    invoice: Invoice,
    correction: Correction,
    *,
    reason: str,
    request_key: str,
    at: datetime,
    actor: User | None,
) -> CreditNote:
    """Write the note with a number of its own and lower what is owed on the locked invoice.

    An invoice of which nothing is left is cancelled if nothing was ever paid on it, else
    refunded; a charge on it stays closed.  The caller gives `correction.rest` to the client.
    """
    note = _note(invoice, correction, reason, request_key, at=at, actor=actor)
    invoice.credited_amount += correction.applied
    nothing_left = _is_credited_whole(invoice)
    untouched = not invoice.paid_amount and not invoice.credit_applied
    if nothing_left and untouched:
        invoice.save(update_fields=["credited_amount"])
        moving.move(invoice, InvoiceStatus.CANCELLED, at=at)
    else:
        settling.settle(invoice, "credited_amount", at=at)
        if nothing_left:
            moving.move(invoice, InvoiceStatus.REFUNDED, at=at)
    shown = format_amount(note.total, note.currency)
    audit.record(
        "invoice.credited",
        invoice,
        summary=f"{invoice} corrected by {shown} with {note}: {reason}",
        at=at,
        actor=actor,
        client_id=invoice.client_id,
    )
    return note


def notes_of(invoice: Invoice) -> QuerySet[CreditNote]:
    """The notes over an invoice, in the order they were issued."""
    return invoice.credit_notes.order_by("pk")


def _correction(
    invoice: Invoice, billed: Mapping[InvoiceLine, BilledLine], parts: Sequence[Part]
) -> Correction:
    _refuse_state(invoice)
    states = list(billed.values())
    taxes = crediting.taxes_of(_tax_rows(invoice), states, parts, invoice.currency)
    net = sum((part.amount for part in parts), Decimal(0))
    tax = sum((part.tax for part in parts), Decimal(0))
    if net + tax <= 0:
        raise NotCreditable("A credit note is over more than zero.")
    owed = invoice.balance if invoice.is_owed else Decimal(0)
    lines = tuple(pair for pair in zip(billed, parts, strict=True) if pair[1].amount or pair[1].tax)
    return Correction(lines, tuple(taxes), net, tax, min(owed, net + tax))


def _refuse_state(invoice: Invoice) -> None:
    if invoice.is_proforma:
        raise CreditNoteRefused(f"{invoice} is a proforma: cancel it, nothing is to be corrected.")
    if invoice.status not in CORRECTABLE:
        was = invoice.get_status_display().lower()
        raise CreditNoteRefused(f"{invoice} is {was}, so there is nothing to correct.")


def _note(
    invoice: Invoice,
    correction: Correction,
    reason: str,
    request_key: str,
    *,
    at: datetime,
    actor: User | None,
) -> CreditNote:
    taken = take_dated(CREDIT_NOTE_PREFIX, on=local_date(at, settings.SELLER_TIMEZONE))
    note = CreditNote.objects.create(
        invoice=invoice,
        client_id=invoice.client_id,
        number=taken.numbers[0],
        request_key=request_key,
        currency=invoice.currency,
        reason=reason[:300],
        issued_at=at,
        issue_date=taken.date,
        net_total=correction.net_total,
        tax_total=correction.tax_total,
        total=correction.total,
        applied_amount=correction.applied,
        taxes=[{key: str(value) for key, value in asdict(row).items()} for row in correction.taxes],
        tax_note=invoice.tax_note,
        seller=invoice.seller,
        buyer=invoice.buyer,
        issued_by=actor,
    )
    CreditNoteLine.objects.bulk_create(
        CreditNoteLine(
            credit_note=note,
            position=position,
            line=line,
            description=line.description,
            amount=part.amount,
            taxable=line.taxable,
            tax_amount=part.tax,
        )
        for position, (line, part) in enumerate(correction.lines, start=1)
    )
    return note


def _is_credited_whole(invoice: Invoice) -> bool:
    total = invoice.credit_notes.aggregate(total=Sum("total"))["total"] or Decimal(0)
    return _cut(total) == invoice.total


def _tax_rows(invoice: Invoice) -> list[TaxTotal]:
    return [
        TaxTotal(
            row["name"],
            Decimal(row["percent"]),
            row["category"],
            Decimal(row["base"]),
            Decimal(row["amount"]),
        )
        for row in invoice.taxes
    ]


def _cut(amount: Decimal) -> Decimal:
    """A sum as the columns hold it: SQLite adds decimals as floats."""
    return amount.quantize(Decimal("0.001"))
