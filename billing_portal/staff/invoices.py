"""An invoice's page: lines with their evidence, payments, mails, and the PDF."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from billing_portal.audit.queries import history_of
from billing_portal.calc.periods import local_date
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.invoices import crediting, queries
from billing_portal.invoices.models import Invoice, InvoiceLine, InvoiceStatus
from billing_portal.mail.models import ClientMail
from billing_portal.payments import captures
from billing_portal.payments import queries as payments
from billing_portal.staff import invoice_files
from billing_portal.staff.forms import CancelInvoiceForm
from billing_portal.staff.page import Crumb, member, show, staff_page
from billing_portal.workflows import documents
from billing_portal.workflows.cancel_invoice import cancel_invoice
from billing_portal.workflows.captures import methods_for


def crumbs(invoice: Invoice | None = None) -> tuple[Crumb, ...]:
    path = [Crumb("Invoices", reverse("admin:invoices_invoice_changelist"))]
    if invoice:
        path.append(Crumb(str(invoice), reverse("staff:invoice", args=[invoice.pk])))
    return tuple(path)


@staff_page("invoices.view_invoice")
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """What is billed and why, what was paid, and which mails told the client."""
    invoice = _invoice(pk)
    lines = list(queries.lines_of(invoice))
    mails = ClientMail.objects.filter(client_ref=invoice.client_id, key__in=_mail_keys(invoice))
    context = {
        "invoice": invoice,
        "today": local_date(now(), settings.SELLER_TIMEZONE),
        "lines": lines,
        "einvoice": invoice_files.card(invoice, lines),
        "credit_notes": invoice.credit_notes.order_by("issue_date", "pk"),
        "allocations": payments.allocations_of(pk),
        "attempts": captures.attempts_of(pk),
        "can_take": methods_for(invoice, at=now()),
        "mails": mails.select_related("email"),
        "history": history_of(invoice),
        "can_correct": crediting.is_correctable(invoice),
        "can_cancel": _is_cancellable(invoice, lines),
        "is_draft": invoice.status == InvoiceStatus.DRAFT,
        "can_split": len(lines) > 1 and not documents.why_not_movable(invoice),
    }
    title = str(invoice)
    return show(request, "staff/invoice.html", title=title, crumbs=crumbs(), context=context)


@staff_page("invoices.add_invoice")
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Void an invoice nobody paid; its periods are billed again, or never, as staff choose."""
    invoice = _invoice(pk)
    periods = invoice.lines.filter(kind=InvoiceLine.Kind.RECURRING)
    form = CancelInvoiceForm(request.POST or None, has_periods=periods.exists())
    if request.method == "POST" and form.is_valid():
        try:
            cancel_invoice(
                pk,
                bill_again=form.bill_again,
                reason=form.cleaned_data["reason"],
                at=now(),
                actor=member(request),
            )
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{invoice.number} is cancelled. It is no longer owed.")
            return redirect("staff:invoice", pk=pk)
    context = {"invoice": invoice, "form": form, "periods": periods.order_by("position")}
    return show(
        request,
        "staff/cancel_invoice.html",
        title="Cancel",
        crumbs=crumbs(invoice),
        context=context,
    )


def _invoice(pk: int) -> Invoice:
    return get_object_or_404(Invoice.objects.select_related("client", "order"), pk=pk)


def _is_cancellable(invoice: Invoice, lines: list[InvoiceLine]) -> bool:
    is_open = invoice.status == InvoiceStatus.UNPAID and not invoice.paid_amount
    return is_open and all(line.kind != InvoiceLine.Kind.USAGE for line in lines)


def _mail_keys(invoice: Invoice) -> list[str]:
    """The keys under which mails about this invoice are sent once."""
    transactions = invoice.allocations.values_list("transaction_id", flat=True)
    return [
        f"invoice_issued:{invoice.pk}",
        *(f"payment_received:{pk}" for pk in transactions),
        *(
            f"{template}:{pk}"
            for pk in invoice.captures.values_list("pk", flat=True)
            for template in ("capture_declined", "capture_refused")
        ),
    ]
