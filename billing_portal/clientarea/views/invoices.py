"""Invoices: the list, one as a page and as a PDF, and the payments made."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from billing_portal.calc.periods import local_date
from billing_portal.clientarea import lights, printing
from billing_portal.clientarea.access import ClientRequest, for_client, for_row
from billing_portal.clientarea.forms import PayForm, new_key
from billing_portal.clientarea.views.paying import TEST_GATEWAY
from billing_portal.clients.models import Permission
from billing_portal.clock.reading import now
from billing_portal.invoices import evidence, queries
from billing_portal.invoices.einvoice_files import why_no_xrechnung
from billing_portal.invoices.evidence import Explanation
from billing_portal.invoices.models import Invoice, InvoiceLine
from billing_portal.invoices.tax_words import tax_rows
from billing_portal.payments import captures, registry
from billing_portal.payments import queries as payments
from billing_portal.workflows.captures import methods_for

PER_PAGE = 25


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """An invoice line with its texts, and what its amount follows from."""

    line: InvoiceLine
    quantity: str
    unit_price: str
    explanation: Explanation | None
    has_calls: bool


@require_GET
@for_client(Permission.INVOICES)
def invoices(request: ClientRequest) -> HttpResponse:
    client = request.acting_client
    pages = Paginator(queries.invoices_of(client.pk), PER_PAGE)
    page = pages.get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": with_lights(page.object_list),
        "open_balance": queries.open_balance(client.pk),
    }
    return render(request, "clientarea/invoices.html", context)


def _invoices() -> QuerySet[Invoice]:
    return queries.published().select_related("client", "order")


@require_GET
@for_row(Permission.INVOICES, _invoices)
def invoice(request: ClientRequest, invoice: Invoice) -> HttpResponse:
    """The invoice, each usage line with what it follows from, and how to pay it."""
    lines = list(queries.lines_of(invoice))
    under_way = captures.open_of(invoice.pk).filter(outcome=captures.Outcome.UNDER_WAY).first()
    context = {
        "invoice": invoice,
        "light": lights.invoice_light(invoice, _today()),
        "lines": [_printed(line, invoice.currency) for line in lines],
        "tax_rows": tax_rows(invoice.taxes, invoice.currency, locale=printing.locale()),
        "has_xrechnung": not why_no_xrechnung(invoice, lines),
        "credit_notes": invoice.credit_notes.order_by("issue_date", "pk"),
        "allocations": payments.allocations_of(invoice.pk),
        "gateway_names": gateway_names(),
        "credit_key": new_key(),
        "can_pay": invoice.is_payable and not under_way,
        "under_way": under_way,
        "methods": methods_for(invoice, at=now()),
        "stores": registry.capturing_gateways(),
        "awaits_test": payments.pending_capture(invoice.pk, gateway=TEST_GATEWAY),
        "pay_form": PayForm(),
        "gateways": registry.gateways(),
    }
    return render(request, "invoices/invoice.html", context)


@require_GET
@for_client(Permission.INVOICES)
def payment_history(request: ClientRequest) -> HttpResponse:
    pages = Paginator(payments.payments_of(request.acting_client.pk), PER_PAGE)
    page = pages.get_page(request.GET.get("page"))
    context = {"page": page, "gateway_names": gateway_names()}
    return render(request, "clientarea/payments.html", context)


def _printed(line: InvoiceLine, currency: str) -> PrintedLine:
    locale = printing.locale()
    return PrintedLine(
        line=line,
        quantity=evidence.quantity_text(line, locale=locale),
        unit_price=evidence.unit_price_text(line, currency, locale=locale),
        explanation=evidence.explain(line.charge, locale=locale) if line.charge else None,
        has_calls=line.charge is not None and "destinations" in line.charge.evidence,
    )


def with_lights(rows: Iterable[Invoice]) -> list[tuple[Invoice, lights.Light]]:
    today = _today()
    return [(row, lights.invoice_light(row, today)) for row in rows]


def gateway_names() -> dict[str, str]:
    return {gateway.key: gateway.name for gateway in registry.gateways()}


def _today() -> date:
    return local_date(now(), settings.SELLER_TIMEZONE)
