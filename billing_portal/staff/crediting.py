"""A client's credit, credit notes and refunds of invoices, for staff."""

from decimal import Decimal
from functools import partial

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from billing_portal.calc.money import round_money
from billing_portal.clients.models import Client
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.invoices import crediting
from billing_portal.invoices.crediting import Correction
from billing_portal.invoices.models import Invoice
from billing_portal.payments import queries
from billing_portal.payments.models import Refund
from billing_portal.staff import clients, invoices
from billing_portal.staff.money_forms import (
    CreditForm,
    CreditNoteForm,
    InvoiceRefundForm,
    UseCreditForm,
)
from billing_portal.staff.page import member, show, staff_page
from billing_portal.staff.payments import say_what_became
from billing_portal.workflows import client_credit, credit_notes, refunds

PER_PAGE = 50


@staff_page("payments.view_creditentry")
def ledger(request: HttpRequest, pk: int) -> HttpResponse:
    """Every movement of a client's credit; staff who may, give and take some."""
    client = get_object_or_404(Client, pk=pk)
    may_move = request.user.has_perm("payments.add_creditentry")
    form = CreditForm(request.POST or None, currency=client.currency)
    if request.method == "POST" and may_move and form.is_valid():
        gives = form.cleaned_data["way"] == CreditForm.GIVE
        move = client_credit.add_credit if gives else client_credit.remove_credit
        try:
            move(
                pk,
                form.cleaned_data["amount"],
                reason=form.cleaned_data["reason"],
                request_key=form.cleaned_data["key"],
                at=now(),
                actor=member(request),
            )
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Credit given." if gives else "Credit taken away.")
            return redirect("staff:client-credit", pk=pk)
    entries = Paginator(queries.credit_of(pk), PER_PAGE).get_page(request.GET.get("page"))
    context = {"client": client, "form": form, "entries": entries, "may_move": may_move}
    return show(
        request, "staff/credit.html", title="Credit", crumbs=clients.crumbs(client), context=context
    )


@staff_page("payments.add_creditentry")
def use(request: HttpRequest, pk: int) -> HttpResponse:
    """Pay an invoice from its client's credit."""
    invoice = _invoice(pk)
    most = min(invoice.balance, invoice.client.credit_balance)
    form = UseCreditForm(
        request.POST or None,
        currency=invoice.currency,
        initial={"amount": round_money(max(most, Decimal(0)), invoice.currency)},
    )
    if request.method == "POST" and form.is_valid():
        try:
            client_credit.apply_credit(
                pk,
                form.cleaned_data["amount"],
                request_key=form.cleaned_data["key"],
                at=now(),
                actor=member(request),
            )
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"The credit is used for {invoice}.")
            return redirect("staff:invoice", pk=pk)
    return show(
        request,
        "staff/use_credit.html",
        title="Use credit",
        crumbs=invoices.crumbs(invoice),
        context={"invoice": invoice, "form": form},
    )


@staff_page("invoices.add_creditnote")
def new_note(request: HttpRequest, pk: int) -> HttpResponse:
    """Correct an invoice: choose amounts, look at the note as it would be, issue it."""
    invoice = _invoice(pk)
    form = CreditNoteForm(
        request.POST or None,
        currency=invoice.currency,
        lines=crediting.billed_lines(invoice),
    )
    correction: Correction | None = None
    if request.method == "POST" and form.is_valid():
        wish = partial(crediting.correct_lines, amounts=form.amounts())
        try:
            if "issue" in request.POST:
                note = credit_notes.credit_invoice(
                    pk,
                    wish,
                    reason=form.cleaned_data["reason"],
                    request_key=form.cleaned_data["key"],
                    at=now(),
                    actor=member(request),
                )
                messages.success(request, f"{note} is issued and mailed to the client.")
                return redirect("staff:invoice", pk=pk)
            correction = wish(invoice)
        except PortalError as error:
            form.add_error(None, str(error))
    return show(
        request,
        "staff/credit_note_form.html",
        title="Credit note",
        crumbs=invoices.crumbs(invoice),
        context={"invoice": invoice, "form": form, "correction": correction},
    )


@staff_page("payments.add_refund", "invoices.add_creditnote")
def refund(request: HttpRequest, pk: int) -> HttpResponse:
    """Send back what a payment paid of an invoice, with the credit note that goes with it."""
    invoice = _invoice(pk)
    parts = queries.allocations_of(pk).order_by("pk")
    ways = [Refund.Way.OUTSIDE, Refund.Way.CREDIT]
    if any(refunds.can_refund(part.transaction.gateway) for part in parts):
        ways.insert(0, Refund.Way.GATEWAY)
    first = parts.first()
    initial = round_money(first.amount, invoice.currency) if first else None
    form = InvoiceRefundForm(
        request.POST or None,
        currency=invoice.currency,
        ways=ways,
        parts=parts,
        initial={"part": first, "amount": initial},
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = refunds.refund_invoice(
                pk,
                form.cleaned_data["part"].transaction_id,
                form.cleaned_data["amount"],
                way=Refund.Way(form.cleaned_data["way"]),
                reason=form.cleaned_data["reason"],
                request_key=form.cleaned_data["key"],
                at=now(),
                actor=member(request),
            )
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            say_what_became(request, made)
            return redirect("staff:invoice", pk=pk)
    return show(
        request,
        "staff/refund_invoice.html",
        title="Refund",
        crumbs=invoices.crumbs(invoice),
        context={"invoice": invoice, "form": form},
    )


def _invoice(pk: int) -> Invoice:
    return get_object_or_404(Invoice.objects.select_related("client"), pk=pk)
