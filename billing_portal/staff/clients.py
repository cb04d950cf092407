"""A client's pages: the summary, recording a payment, previewing and billing now."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Max, Q, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from billing_portal.audit import actions as audit
from billing_portal.audit.queries import history_of_client
from billing_portal.calc.invoice import DraftInvoice
from billing_portal.calc.money import round_money
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client
from billing_portal.clients.queries import asked_fields
from billing_portal.clock.reading import now
from billing_portal.custom_fields import answered
from billing_portal.errors import PortalError
from billing_portal.invoices import queries as invoices
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.invoices.queries import BALANCE
from billing_portal.invoices.states import OWED
from billing_portal.payments import queries as payments
from billing_portal.services import queries as services
from billing_portal.staff.figures import RUNNING, monthly_recurring
from billing_portal.staff.forms import BANK_TRANSFER, PaymentForm, WishForm
from billing_portal.staff.page import Crumb, member, show, staff_page
from billing_portal.taxes import queries as taxes
from billing_portal.taxes.supply import Decision
from billing_portal.workflows import bill_run, invoice_paid
from provisioning.models import Job

TIMELINE = 30
TIMELINE_KINDS = ("invoice", "payment", "service", "job", "order", "client")


def crumbs(client: Client | None = None) -> tuple[Crumb, ...]:
    path = [Crumb("Clients", reverse("admin:clients_client_changelist"))]
    if client:
        path.append(Crumb(str(client), reverse("staff:client", args=[client.pk])))
    return tuple(path)


@staff_page("clients.view_client")
def summary(request: HttpRequest, pk: int) -> HttpResponse:
    """Who they are, what they owe and have, what is open, and what happened."""
    people = Client.objects.select_related("group").prefetch_related(
        "contacts", "memberships__user"
    )
    client = get_object_or_404(people, pk=pk)
    at = now()
    kind = request.GET.get("kind", "")
    timeline = history_of_client(pk)
    if kind in TIMELINE_KINDS:
        timeline = timeline.filter(action__startswith=f"{kind}.")
    context = {
        "client": client,
        "tax": tax_decision(client, at=at).why,
        "answers": answered(asked_fields(by_staff=True), client.custom_fields),
        "at": at,
        "today": local_date(at, settings.SELLER_TIMEZONE),
        "figures": _figures(client, at),
        "services": services.services_of(pk),
        "unpaid": invoices.unpaid_of(pk),
        "failed_jobs": _failed_jobs(pk),
        "methods": payments.methods_of(pk),
        "loose_payments": payments.unallocated().filter(client_id=pk),
        "orders": client.orders.select_related("invoice").order_by("-placed_at", "-pk")[:5],
        "timeline": timeline[:TIMELINE],
        "kind": kind,
        "kinds": TIMELINE_KINDS,
    }
    return show(request, "staff/client.html", title=str(client), crumbs=crumbs(), context=context)


@staff_page("payments.add_transaction")
def record_payment(request: HttpRequest, pk: int) -> HttpResponse:
    """A bank transfer arrived: book it on one of the client's unpaid invoices."""
    client = get_object_or_404(Client, pk=pk)
    unpaid = invoices.unpaid_of(pk)
    today = local_date(now(), settings.SELLER_TIMEZONE)
    chosen = unpaid.filter(pk=_number(request.GET.get("invoice"))).first() or unpaid.first()
    initial: dict[str, Any] = {"invoice": chosen, "received_on": today}
    if chosen:
        initial["amount"] = round_money(chosen.balance, chosen.currency)
    form = PaymentForm(request.POST or None, invoices=unpaid, today=today, initial=initial)
    if request.method == "POST" and form.is_valid():
        invoice: Invoice = form.cleaned_data["invoice"]
        try:
            arrival = invoice_paid.Arrival(
                gateway=BANK_TRANSFER,
                external_id=form.cleaned_data["reference"],
                amount=form.cleaned_data["amount"],
                currency=invoice.currency,
                received_at=form.received_at,
            )
            paid = {invoice.pk, *(other.pk for other in form.cleaned_data.get("others", ()))}
            invoice_paid.record(arrival, pk, paid, at=now(), actor=member(request))
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _booked(invoice))
            return redirect("staff:invoice", pk=invoice.pk)
    return show(
        request,
        "staff/payment.html",
        title="Record a payment",
        crumbs=crumbs(client),
        context={"client": client, "form": form, "unpaid": unpaid},
    )


@staff_page("clients.view_client", "invoices.view_invoice")
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """The invoices the client would get now, made by the bill run's own steps."""
    client = get_object_or_404(Client, pk=pk)
    at = now()
    drafts: list[DraftInvoice] = []
    problem = ""
    try:
        drafts = bill_run.preview_client(pk, at)
    except PortalError as error:
        problem = str(error)
    return show(
        request,
        "staff/preview.html",
        title="Next invoice",
        crumbs=crumbs(client),
        context={
            "client": client,
            "drafts": drafts,
            "problem": problem,
            "at": at,
            "form": WishForm(),
            "services": {s.pk: s for s in services.services_of(pk)},
        },
    )


@staff_page("clients.view_client", "invoices.add_invoice")
def bill_now(request: HttpRequest, pk: int) -> HttpResponse:
    """Issue what is due.  Sent twice, the second time finds nothing to bill."""
    client = get_object_or_404(Client, pk=pk)
    if request.method != "POST":
        return redirect("staff:client-preview", pk=pk)
    at = now()
    try:
        issued = bill_run.bill_client(pk, at)
    except PortalError as error:
        messages.error(request, f"Not billed: {error}")
        return redirect("staff:client-preview", pk=pk)
    if not issued:
        messages.info(request, "Nothing is due, so no invoice was issued.")
        return redirect("staff:client", pk=pk)
    numbers = ", ".join(str(invoice) for invoice in issued)
    audit.record(
        "client.billed_by_hand",
        client,
        summary=f"{client} billed by hand: {numbers}",
        at=at,
        actor=member(request),
        client_id=pk,
    )
    messages.success(request, f"Issued and mailed to {client.email}: {numbers}.")
    if len(issued) > 1:
        return redirect("staff:client", pk=pk)
    return redirect("staff:invoice", pk=issued[0].pk)


def tax_decision(client: Client, *, at: datetime) -> Decision:
    """How the client would be taxed on an invoice of that day, and why."""
    today = local_date(at, settings.SELLER_TIMEZONE)
    return taxes.decisions([client], on=today)[client.pk]


def _figures(client: Client, at: datetime) -> dict[str, Any]:
    """Balance, overdue, paid so far and monthly worth, in the client's currency."""
    unpaid = Q(status__in=OWED)
    today = local_date(at, settings.SELLER_TIMEZONE)
    left = BALANCE
    sums = Invoice.objects.filter(client=client, currency=client.currency).aggregate(
        owed=Sum(left, filter=unpaid),
        overdue=Sum(left, filter=unpaid & Q(due_date__lt=today)),
        overdue_count=Count("pk", filter=unpaid & Q(due_date__lt=today)),
        paid=Sum("paid_amount"),
        last_paid_at=Max("paid_at"),
    )
    zero = Decimal(0)
    monthly = monthly_recurring(client.services.filter(status__in=RUNNING))
    amounts = {name: sums[name] or zero for name in ("owed", "overdue", "paid")}
    return sums | amounts | {"monthly": monthly.get(client.currency, zero)}


def _failed_jobs(client_id: int) -> Any:
    return (
        Job.objects.filter(service__client_id=client_id, status=Job.Status.FAILED)
        .select_related("service__product")
        .order_by("pk")
    )


def _booked(invoice: Invoice) -> str:
    invoice.refresh_from_db()
    if invoice.status == InvoiceStatus.PAID:
        return f"Payment recorded. {invoice.number} is paid; what it bought is being set up."
    return f"Payment recorded. {invoice.number} is still open for the rest."


def _number(text: str | None) -> int:
    """The number in an address; 0, which no row has, for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() else 0
