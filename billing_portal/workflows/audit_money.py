"""Recomputing every balance from the rows it stands for, and naming each difference.

Reads a chunk of rows at a time, so memory stays the same however much there is.  Nothing
is changed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from heapq import merge
from typing import Any

from django.db.models import F, Model, Q, QuerySet, Sum
from django.db.models.functions import Length

from billing_portal.clients.models import Client
from billing_portal.invoices.crediting import CREDIT_NOTE_PREFIX
from billing_portal.invoices.models import (
    CreditNote,
    CreditNoteLine,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    NumberSeries,
)
from billing_portal.invoices.numbering import INVOICE_PREFIX, PROFORMA_PREFIX
from billing_portal.payments.models import Allocation, CreditEntry, Refund, Transaction
from billing_portal.payments.queries import CAME_IN

CHUNK = 1000
Kind, Status = CreditEntry.Kind, InvoiceStatus
Sums = Mapping[int, Decimal]


def differences() -> Iterator[str]:
    """A sentence for everything that does not add up, in the order of the rows."""
    yield from _in_chunks(Invoice.objects.order_by("pk"), _invoices)
    yield from _in_chunks(CreditNote.objects.order_by("pk"), _credit_notes)
    yield from _in_chunks(Transaction.objects.select_related("client").order_by("pk"), _payments)
    yield from _in_chunks(Client.objects.order_by("pk"), _clients)
    yield from _foreign_charges()
    for series in NumberSeries.objects.all():
        yield from _gaps(series)


def _in_chunks(
    rows: QuerySet[Any], check: Callable[[Sequence[Any]], Iterator[str]]
) -> Iterator[str]:
    """`check` over all rows, `CHUNK` at a time, each time from where the last one ended."""
    last = 0
    while chunk := list(rows.filter(pk__gt=last)[:CHUNK]):
        yield from check(chunk)
        last = chunk[-1].pk


def _invoices(invoices: Sequence[Invoice]) -> Iterator[str]:
    lines = InvoiceLine.objects.filter(invoice__in=invoices)
    nets, taxes = _sums(lines, "invoice", "amount"), _sums(lines, "invoice", "tax_amount")
    paid = _sums(Allocation.objects.filter(invoice__in=invoices), "invoice", "amount")
    used = _sums(
        CreditEntry.objects.filter(
            Q(kind=Kind.APPLIED) | Q(kind=Kind.RETURNED, transaction__isnull=True),
            invoice__in=invoices,
        ),
        "invoice",
        "amount",
    )
    notes = CreditNote.objects.filter(invoice__in=invoices)
    lowered = _sums(notes, "invoice", "applied_amount")
    credited = _sums(notes, "invoice", "total")
    for invoice in invoices:
        pk = invoice.pk
        yield from _compare(f"{invoice}: net total", invoice.net_total, nets[pk], "its lines")
        yield from _compare(f"{invoice}: tax", invoice.tax_total, taxes[pk], "its lines' tax")
        summary = sum((Decimal(row["amount"]) for row in invoice.taxes), Decimal(0))
        yield from _compare(f"{invoice}: tax", invoice.tax_total, summary, "its tax summary")
        both = invoice.net_total + invoice.tax_total
        yield from _compare(f"{invoice}: total", invoice.total, both, "net and tax")
        yield from _compare(f"{invoice}: paid", invoice.paid_amount, paid[pk], "its payments")
        yield from _compare(f"{invoice}: credit", invoice.credit_applied, -used[pk], "the ledger")
        yield from _compare(
            f"{invoice}: corrected", invoice.credited_amount, lowered[pk], "its credit notes"
        )
        yield from _state(invoice, credited[pk])


def _state(invoice: Invoice, credited: Decimal) -> Iterator[str]:
    """What the state of an invoice says about its balance."""
    if credited > invoice.total:
        yield f"{invoice}: {credited} is credited of a total of {invoice.total}."
    if invoice.status == Status.PAID and invoice.balance:
        yield f"{invoice}: it is paid, and {invoice.balance} are left to pay."
    if invoice.status in (Status.UNPAID, Status.PENDING) and invoice.balance <= 0:
        yield f"{invoice}: it is {invoice.status}, and nothing is left to pay."
    if invoice.status == Status.REFUNDED and credited != invoice.total:
        yield f"{invoice}: it is refunded, and only {credited} of {invoice.total} are credited."
    if invoice.status == Status.CANCELLED and (invoice.paid_amount or invoice.credit_applied):
        yield f"{invoice}: it is cancelled, and something is paid on it."


def _credit_notes(notes: Sequence[CreditNote]) -> Iterator[str]:
    lines = CreditNoteLine.objects.filter(credit_note__in=notes)
    nets = _sums(lines, "credit_note", "amount")
    taxes = _sums(lines, "credit_note", "tax_amount")
    given = _sums(
        CreditEntry.objects.filter(kind=Kind.CREDIT_NOTE, credit_note__in=notes),
        "credit_note",
        "amount",
    )
    for note in notes:
        yield from _compare(f"{note}: net total", note.net_total, nets[note.pk], "its lines")
        yield from _compare(f"{note}: tax", note.tax_total, taxes[note.pk], "its lines' tax")
        both = note.net_total + note.tax_total
        yield from _compare(f"{note}: total", note.total, both, "net and tax")
        rest = note.total - note.applied_amount
        yield from _compare(f"{note}: credit given", given[note.pk], rest, "what was paid")
    yield from _overcredited(notes)


def _overcredited(notes: Sequence[CreditNote]) -> Iterator[str]:
    """Lines of which all notes together take back more than there was."""
    touched = InvoiceLine.objects.filter(credits__credit_note__in=notes).distinct()
    done = _sums(CreditNoteLine.objects.filter(line__in=touched), "line", "amount")
    for line in touched.select_related("invoice").order_by("pk"):
        if abs(done[line.pk]) > abs(line.amount) or done[line.pk] * line.amount < 0:
            yield (
                f"{line.invoice}, line {line.position}: {done[line.pk]} is credited"
                f" of {line.amount}."
            )


def _payments(payments: Sequence[Transaction]) -> Iterator[str]:
    used = _sums(Allocation.objects.filter(transaction__in=payments), "transaction", "amount")
    entries = CreditEntry.objects.filter(transaction__in=payments)
    kept = _sums(entries.filter(kind__in=CAME_IN), "transaction", "amount")
    sent = Refund.objects.filter(transaction__in=payments).exclude(state=Refund.State.FAILED)
    back = _sums(sent.exclude(way=Refund.Way.CREDIT), "transaction", "amount")
    out = _sums(entries.filter(kind__in=(Kind.REFUNDED, Kind.RETURNED)), "transaction", "amount")
    for payment in payments:
        pk, name = payment.pk, f"Payment {payment.external_id}"
        yield from _compare(f"{name}: refunded", payment.refunded_amount, back[pk], "its refunds")
        yield from _compare(
            f"{name}: refunded", payment.refunded_amount, -out[pk], "what left the credit"
        )
        if used[pk] > payment.amount:
            yield f"{name}: {used[pk]} of {payment.amount} are allocated."
        # What is in a currency the client has left waits for a person, and is no credit.
        if not payment.reversed_at and payment.currency == payment.client.currency:
            both = used[pk] + kept[pk]
            yield from _compare(f"{name}: amount", payment.amount, both, "invoices and credit")


def _clients(clients: Sequence[Client]) -> Iterator[str]:
    entries = CreditEntry.objects.filter(client__in=clients)
    balances = _sums(entries, "client", "amount")
    for client in clients:
        yield from _compare(
            f"Client {client.pk} {client}: credit",
            client.credit_balance,
            balances[client.pk],
            "the ledger",
        )
    odd = entries.exclude(currency=F("client__currency")).select_related("client")
    for entry in odd.order_by("pk"):
        yield f"Client {entry.client_id} {entry.client}: {entry} is in another currency."


def _foreign_charges() -> Iterator[str]:
    """Lines that bill another client's charge, or in another currency."""
    odd = InvoiceLine.objects.filter(charge__isnull=False).filter(
        ~Q(charge__client=F("invoice__client")) | ~Q(charge__currency=F("invoice__currency"))
    )
    for line in odd.select_related("invoice", "charge").order_by("pk").iterator(CHUNK):
        yield f"{line.invoice}, line {line.position}: it bills charge {line.charge_id} of another."


def _gaps(series: NumberSeries) -> Iterator[str]:
    """Numbers of a series that are missing, or beyond the next one."""
    stem = f"{series.prefix}-{series.year}-"
    expected = 1
    for number in _numbers_of(series.prefix, stem):
        if number >= series.next_number:
            yield f"{stem}{number:05d}: the series has not come to that number yet."
            return
        yield from _missing(stem, expected, number)
        expected = number + 1
    if series.prefix in _SOURCES:
        yield from _missing(stem, expected, series.next_number)


def _missing(stem: str, first: int, end: int) -> Iterator[str]:
    for number in range(first, end):
        yield f"{stem}{number:05d}: there is no such document."


_SOURCES: Mapping[str, tuple[tuple[type[Model], str], ...]] = {
    INVOICE_PREFIX: ((Invoice, "number"),),
    CREDIT_NOTE_PREFIX: ((CreditNote, "number"),),
    PROFORMA_PREFIX: ((Invoice, "number"), (Invoice, "proforma_number")),
}
"""Where the numbers of a series are; a proforma that was paid keeps its own beside."""


def _numbers_of(prefix: str, stem: str) -> Iterator[int]:
    """The numbers of a series in order, read as a stream from each of its places."""
    streams = [
        model._default_manager.filter(**{f"{column}__startswith": stem})
        .order_by(Length(column), column)
        .values_list(column, flat=True)
        .iterator(CHUNK)
        for model, column in _SOURCES.get(prefix, ())
    ]
    found = ((int(text[len(stem) :]) for text in stream) for stream in streams)
    return merge(*found)


def _sums(rows: QuerySet[Any], group: str, column: str) -> Sums:
    """What a column adds up to for each key of `group`; nothing where there are no rows."""
    key = f"{group}_id"
    found: dict[int, Decimal] = defaultdict(Decimal)
    for row in rows.order_by().values(key).annotate(sum=Sum(column)):
        found[row[key]] = row["sum"].quantize(Decimal("0.001"))
    return found


def _compare(what: str, stored: Decimal, computed: Decimal, source: str) -> Iterator[str]:
    if stored != computed:
        yield f"{what} is {stored}, but {source} come to {computed}."
