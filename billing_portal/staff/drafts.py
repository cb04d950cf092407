"""Drafts of invoices: writing, previewing, publishing, copying, splitting and merging."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from billing_portal.calc.invoice import DraftInvoice
from billing_portal.calc.money import round_money
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.invoices import drafting, moving, queries
from billing_portal.invoices.drafting import DraftContent, ManualLine
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.invoices.states import BY_HAND
from billing_portal.payments.registry import gateways
from billing_portal.staff import clients, invoices
from billing_portal.staff.forms import ReasonForm
from billing_portal.staff.lines import Lines, ServiceLineForm, lines_form
from billing_portal.staff.page import member, show, staff_page
from billing_portal.workflows import documents


class DraftForm(forms.Form):
    """What a draft says beside its lines."""

    due_date = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    payment_method = forms.ChoiceField(required=False, label="Way to pay")
    notes = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Printed below the lines.",
    )
    staff_notes = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Only staff see this.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["payment_method"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "As the client pays")] + [(g.key, g.name) for g in gateways()]


class MarkForm(ReasonForm):
    """Another state in which the invoice is still owed."""

    status = forms.ChoiceField(label="New state")
    field_order = ("status", "reason")

    def __init__(self, *args: Any, invoice: Invoice, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["status"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            (status.value, status.label) for status in BY_HAND if moving.may_move(invoice, status)
        ]


@staff_page("invoices.add_invoice")
def new(request: HttpRequest, pk: int) -> HttpResponse:
    """A new draft for a client."""
    client = get_object_or_404(Client, pk=pk)
    due = _today() + timedelta(days=queries.billing_rules().term_days)
    return _write(request, client, None, DraftContent((), due))


@staff_page("invoices.add_invoice")
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Another content for a draft."""
    invoice = _invoice(pk)
    if invoice.status != InvoiceStatus.DRAFT:
        messages.error(request, f"{invoice} is published and cannot change any more.")
        return redirect("staff:invoice", pk=pk)
    content = drafting.content_of(invoice, due_date=invoice.due_date)
    return _write(request, invoice.client, invoice, content)


@staff_page("invoices.add_invoice")
def publish(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, then give the draft its number, with or without a mail to the client."""
    invoice = _invoice(pk)
    if request.method == "POST":
        is_mailed = "quietly" not in request.POST
        try:
            issued = documents.publish(pk, mail=is_mailed, at=now(), actor=member(request))
        except PortalError as error:
            messages.error(request, str(error))
        else:
            told = f" and mailed to {issued.client.email}" if is_mailed else ", without a mail"
            messages.success(request, f"{issued.document} {issued} is published{told}.")
            return redirect("staff:invoice", pk=pk)
    if invoice.status != InvoiceStatus.DRAFT:
        return redirect("staff:invoice", pk=pk)
    return _ask(request, "staff/publish_draft.html", "Publish", invoice)


@staff_page("invoices.add_invoice")
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, then throw a draft away."""
    invoice = _invoice(pk)
    if request.method == "POST":
        try:
            drafting.delete(pk, at=now(), actor=member(request))
        except PortalError as error:
            messages.error(request, str(error))
            return redirect("staff:invoice", pk=pk)
        messages.success(request, "The draft is gone. It had no number, so there is no gap.")
        return redirect("staff:client", pk=invoice.client_id)
    return _ask(request, "staff/delete_draft.html", "Throw away", invoice)


@staff_page("invoices.add_invoice")
def duplicate(request: HttpRequest, pk: int) -> HttpResponse:
    """A new draft with the same lines."""
    if request.method != "POST":
        return redirect("staff:invoice", pk=pk)
    original = _invoice(pk)
    try:
        copy = drafting.duplicate(pk, at=now(), actor=member(request))
    except PortalError as error:
        messages.error(request, str(error))
        return redirect("staff:invoice", pk=pk)
    messages.success(
        request, f"This is a copy of {original}. Nobody sees it until it is published."
    )
    return redirect("staff:invoice", pk=copy.pk)


@staff_page("invoices.add_invoice")
def split(request: HttpRequest, pk: int) -> HttpResponse:
    """Choose lines to go on a document of their own."""
    invoice = _invoice(pk)
    reason = documents.why_not_movable(invoice)
    if request.method == "POST":
        chosen = [
            int(key) for key in request.POST.getlist("line") if key.isascii() and key.isdigit()
        ]
        try:
            _, fresh = documents.split(pk, chosen, at=now(), actor=member(request))
        except PortalError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"The lines you chose are on {fresh} now.")
            return redirect("staff:invoice", pk=fresh.pk)
    context = {"lines": queries.lines_of(invoice), "reason": reason}
    return _ask(request, "staff/split_invoice.html", "Split", invoice, context)


@staff_page("invoices.add_invoice")
def merge(request: HttpRequest, pk: int) -> HttpResponse:
    """Choose documents of a client to become one."""
    client = get_object_or_404(Client, pk=pk)
    if request.method == "POST":
        chosen = [
            int(key) for key in request.POST.getlist("invoice") if key.isascii() and key.isdigit()
        ]
        try:
            merged = documents.merge(chosen, at=now(), actor=member(request))
        except PortalError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"All lines are on {merged} now.")
            return redirect("staff:invoice", pk=merged.pk)
    open_ones = Invoice.objects.filter(
        client=client, status__in=(InvoiceStatus.DRAFT, InvoiceStatus.UNPAID)
    ).order_by("status", "pk")
    rows = [(invoice, documents.why_not_movable(invoice)) for invoice in open_ones]
    return show(
        request,
        "staff/merge_invoices.html",
        title="Merge",
        crumbs=clients.crumbs(client),
        context={"client": client, "rows": rows, "today": _today()},
    )


@staff_page("invoices.add_invoice")
def mark(request: HttpRequest, pk: int) -> HttpResponse:
    """Payment pending, collections, or plainly unpaid again."""
    invoice = _invoice(pk)
    form = MarkForm(request.POST or None, invoice=invoice)
    if request.method == "POST" and form.is_valid():
        try:
            marked = moving.mark(
                pk,
                InvoiceStatus(form.cleaned_data["status"]),
                reason=form.cleaned_data["reason"],
                at=now(),
                actor=member(request),
            )
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{marked} is now {marked.get_status_display().lower()}.")
            return redirect("staff:invoice", pk=pk)
    return _ask(request, "staff/mark_invoice.html", "Change state", invoice, {"form": form})


def _write(
    request: HttpRequest, client: Client, invoice: Invoice | None, content: DraftContent
) -> HttpResponse:
    """The form of a draft: more rows, a preview with tax, or saving it."""
    form = DraftForm(request.POST or None, initial=_initial(content))
    rows = lines_form(
        request,
        ServiceLineForm,
        initial=[_row(line, client.currency) for line in content.lines],
        form_kwargs={"services": client.services.select_related("product").order_by("pk")},
    )
    preview: DraftInvoice | None = None
    is_sent = request.method == "POST" and "more" not in request.POST
    if is_sent and form.is_valid() and rows.is_valid():
        typed = _content(form, rows)
        try:
            if "preview" not in request.POST:
                saved = _save(client, invoice, typed, request)
                return redirect("staff:invoice", pk=saved.pk)
            preview = drafting.compose(client, typed, on=_today())
        except PortalError as error:
            form.add_error(None, str(error))
    return show(
        request,
        "staff/draft_form.html",
        title="Change" if invoice else "New invoice",
        crumbs=invoices.crumbs(invoice) if invoice else clients.crumbs(client),
        context={
            "client": client,
            "invoice": invoice,
            "form": form,
            "lines": rows,
            "draft": preview,
        },
    )


def _save(
    client: Client, invoice: Invoice | None, content: DraftContent, request: HttpRequest
) -> Invoice:
    actor = member(request)
    if invoice is None:
        saved = drafting.write(client, content, at=now(), actor=actor)
    else:
        saved = drafting.rewrite(invoice.pk, content, at=now(), actor=actor)
    messages.success(request, "Saved as a draft. The client sees it once it is published.")
    return saved


def _content(form: DraftForm, rows: Lines) -> DraftContent:
    lines = [
        ManualLine(
            description=row["description"].strip(),
            quantity=row["quantity"],
            unit_price=row["unit_price"],
            unit=row["unit"],
            taxable=row["taxable"],
            service_id=row["service"].pk if row["service"] else None,
        )
        for row in rows.rows()
    ]
    return DraftContent(lines, **form.cleaned_data)


def _initial(content: DraftContent) -> dict[str, Any]:
    return {
        "due_date": content.due_date,
        "payment_method": content.payment_method,
        "notes": content.notes,
        "staff_notes": content.staff_notes,
    }


def _row(line: ManualLine, currency: str) -> Mapping[str, Any]:
    rounded = round_money(line.unit_price, currency)
    return {
        "description": line.description,
        "quantity": line.quantity.normalize().__format__("f"),
        "unit": line.unit,
        "unit_price": rounded if rounded == line.unit_price else line.unit_price.normalize(),
        "taxable": line.taxable,
        "service": line.service_id,
    }


def _ask(
    request: HttpRequest,
    template: str,
    title: str,
    invoice: Invoice,
    context: Mapping[str, Any] | None = None,
) -> HttpResponse:
    return show(
        request,
        template,
        title=title,
        crumbs=invoices.crumbs(invoice),
        context={"invoice": invoice, **(context or {})},
    )


def _invoice(pk: int) -> Invoice:
    return get_object_or_404(Invoice.objects.select_related("client"), pk=pk)


def _today() -> date:
    return local_date(now(), settings.SELLER_TIMEZONE)
