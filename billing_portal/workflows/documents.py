"""Publishing drafts, and sharing out lines among documents.

A draft is split and merged in place.  What was issued, invoice or proforma, never changes:
it is cancelled, keeps its number and its text, and its lines are issued anew under new
numbers.  Order of locks: client, then invoices in order of key, then number series.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime

from django.conf import settings
from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.invoice import DraftLine
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.invoices import announcing, drafting, moving
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.invoices.queries import billing_rules
from billing_portal.orders.models import Order, ServiceChange
from billing_portal.quotes.models import Quote
from billing_portal.workflows import client_credit, issuing


class LinesNotMovable(PortalError):
    """The lines of these documents cannot be shared out anew."""


def publish(invoice_id: int, *, mail: bool, at: datetime, actor: User | None) -> Invoice:
    """Publish a draft: it gets number and day, and the client's credit pays it.

    Raises NotADraft, DraftRefused.
    """
    with transaction.atomic():
        client = _lock_client([invoice_id])
        invoice = drafting.publish(invoice_id, at=at, actor=actor)
        if invoice.balance and client.credit_balance and billing_rules().credit_applies_itself:
            invoice = client_credit.apply_credit(
                invoice_id, None, request_key=f"published:{invoice_id}", at=at, actor=actor
            )
        if mail:
            announcing.announce([invoice], at=at)
        else:
            announcing.keep_silent([invoice], at=at)
        return invoice


def split(
    invoice_id: int, line_ids: Collection[int], *, at: datetime, actor: User | None
) -> list[Invoice]:
    """Put some lines on a document of their own: what keeps the rest, then the new one.

    A draft keeps the rest itself.  Raises LinesNotMovable, DraftRefused.
    """
    with transaction.atomic():
        client = _lock_client([invoice_id])
        (invoice,) = _lock([invoice_id])
        ids = list(invoice.lines.order_by("position").values_list("pk", flat=True))
        lines = dict(zip(ids, drafting.drafted(invoice), strict=True))
        moved = [lines[pk] for pk in ids if pk in set(line_ids)]
        rest = [lines[pk] for pk in ids if pk not in set(line_ids)]
        if not moved or not rest:
            raise LinesNotMovable("Choose some of the lines, and leave at least one behind.")
        if invoice.status != InvoiceStatus.DRAFT:
            return _issue_anew(client, [invoice], [rest, moved], at=at, actor=actor)
        fresh = Invoice(
            client=client,
            status=InvoiceStatus.DRAFT,
            issued_at=at,
            issue_date=_today(at),
            notes=invoice.notes,
        )
        for draft, share in ((invoice, rest), (fresh, moved)):
            _fill(draft, share, invoice.due_date, at=at)
        _note(f"{len(moved)} lines of {invoice} moved to {fresh}", [fresh], at=at, actor=actor)
        return [invoice, fresh]


def merge(invoice_ids: Collection[int], *, at: datetime, actor: User | None) -> Invoice:
    """One document with the lines of all, in the order of the documents.

    Drafts are gathered on the oldest.  Raises LinesNotMovable, DraftRefused.
    """
    with transaction.atomic():
        client = _lock_client(invoice_ids)
        first, *others = invoices = _lock(invoice_ids)
        if not others:
            raise LinesNotMovable("Choose two or more.")
        lines = [line for invoice in invoices for line in drafting.drafted(invoice)]
        if {invoice.status for invoice in invoices} != {InvoiceStatus.DRAFT}:
            (merged,) = _issue_anew(client, invoices, [lines], at=at, actor=actor)
            return merged
        for other in others:
            other.lines.all().delete()
            other.delete()
        _fill(first, lines, max(invoice.due_date for invoice in invoices), at=at)
        _note(f"{len(others)} more drafts merged into {first}", [first], at=at, actor=actor)
        return first


def why_not_movable(invoice: Invoice) -> str:
    """Why lines of this document cannot be moved, in a sentence; empty if they can."""
    if invoice.status == InvoiceStatus.DRAFT:
        return ""
    if invoice.status != InvoiceStatus.UNPAID:
        return f"{invoice} is {invoice.get_status_display().lower()}."
    if invoice.paid_amount or invoice.credit_applied or invoice.credited_amount:
        return f"{invoice} is paid or credited in part. Write a credit note instead."
    if Order.objects.filter(invoice=invoice).exists():
        return f"{invoice} belongs to an order, which starts when exactly that is paid."
    if ServiceChange.objects.filter(invoice=invoice).exists():
        return f"{invoice} belongs to a change of a service, made when exactly that is paid."
    if Quote.objects.filter(invoices=invoice).exists():
        return f"{invoice} invoices a quote, of which the rest is counted by it."
    return ""


def _issue_anew(
    client: Client,
    originals: Sequence[Invoice],
    shares: Sequence[Sequence[DraftLine]],
    *,
    at: datetime,
    actor: User | None,
) -> list[Invoice]:
    """Cancel issued documents and issue their lines again, shared out like this."""
    for invoice in originals:
        if reason := why_not_movable(invoice):
            raise LinesNotMovable(reason)
    today, method = _today(at), originals[0].payment_method
    due = max(today, *(invoice.due_date for invoice in originals))
    replaced = ", ".join(str(invoice) for invoice in originals)
    drafts = [
        replace(
            drafting.taxed(client, share, on=today, due_date=due, method=method),
            notes=f"Replaces {replaced}.",
        )
        for share in shares
    ]
    if not all(draft.total > 0 for draft in drafts):
        raise LinesNotMovable("Each document has to come to more than zero.")
    for invoice in originals:
        moving.move(invoice, InvoiceStatus.CANCELLED, at=at)
        invoice.lines.exclude(charge=None).update(charge=None)  # one line each, and it moves on
    issued = issuing.issue_all([(client, draft) for draft in drafts], at=at, actor=actor)
    numbers = ", ".join(str(invoice) for invoice in issued)
    _note(f"{replaced} cancelled and issued anew as {numbers}", originals, at=at, actor=actor)
    return issued


def _lock_client(invoice_ids: Collection[int]) -> Client:
    """The one client of these documents, locked."""
    ids = set(Invoice.objects.filter(pk__in=invoice_ids).values_list("client_id", flat=True))
    if not ids:
        raise LinesNotMovable("These documents do not exist any more.")
    if len(ids) > 1:
        raise LinesNotMovable("They belong to different clients.")
    return Client.objects.select_for_update(no_key=True).get(pk=ids.pop())


def _lock(invoice_ids: Collection[int]) -> list[Invoice]:
    """The documents in order of key, all drafts or none, and of one currency."""
    rows = Invoice.objects.select_for_update(of=("self",), no_key=True).select_related("client")
    found = list(rows.filter(pk__in=invoice_ids).order_by("pk"))
    if len({invoice.status == InvoiceStatus.DRAFT for invoice in found}) > 1:
        raise LinesNotMovable("A draft and an issued document cannot be merged. Publish it first.")
    if len({invoice.currency for invoice in found}) > 1:
        raise LinesNotMovable("They are in different currencies.")
    if len({invoice.is_proforma for invoice in found}) > 1:
        raise LinesNotMovable("A proforma and an invoice cannot be merged.")
    return found


def _fill(invoice: Invoice, lines: Sequence[DraftLine], due_date: date, *, at: datetime) -> None:
    draft = drafting.taxed(
        invoice.client, lines, on=_today(at), due_date=due_date, method=invoice.payment_method
    )
    drafting.fill(invoice, draft)


def _note(summary: str, invoices: Iterable[Invoice], *, at: datetime, actor: User | None) -> None:
    audit.record_all(
        audit.entry(
            "invoice.rearranged",
            invoice,
            summary=summary,
            at=at,
            actor=actor,
            client_id=invoice.client_id,
        )
        for invoice in invoices
    )


def _today(at: datetime) -> date:
    return local_date(at, settings.SELLER_TIMEZONE)
