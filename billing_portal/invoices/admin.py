"""Invoices and charges in the staff dashboard: shown, never edited."""

import json
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import F, QuerySet, Value
from django.db.models.lookups import LessThan
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import RangeDateFilter, RangeDateTimeFilter, RangeNumericFilter
from unfold.decorators import display

from billing_portal.admin_frame import ReadOnlyAdmin
from billing_portal.admin_print import amount, day, light, moment
from billing_portal.calc.periods import local_date
from billing_portal.clock.reading import now
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Charge, Invoice, InvoiceStatus


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    page = "staff:invoice"
    list_display = ("named", "client", "issued", "due", "sum", "owed", "state")
    list_filter = (
        "status",
        "currency",
        ("issue_date", RangeDateFilter),
        ("due_date", RangeDateFilter),
        ("total", RangeNumericFilter),
    )
    list_filter_submit = True
    list_select_related = ("client",)
    search_fields = (
        *(
            "number",
            "proforma_number",
            "client__company_name",
            "client__last_name",
            "client__email",
        ),
        "lines__description",
    )
    ordering = ("-issued_at", "-pk")
    fields = readonly_fields = (
        *("number", "client", "status", "currency", "issued_at", "issue_date", "due_date"),
        *("paid_at", "total", "paid_amount", "seller", "buyer"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invoice]:
        today = local_date(now(), settings.SELLER_TIMEZONE)
        return super().get_queryset(request).annotate(is_late=LessThan(F("due_date"), Value(today)))

    @display(description="Number", ordering="number")
    def named(self, invoice: Invoice) -> str:
        return str(invoice)

    @display(description="Issued", ordering="issue_date")
    def issued(self, invoice: Invoice) -> str:
        if invoice.status == InvoiceStatus.DRAFT:
            return "-"
        return day(invoice.issue_date)

    @display(description="Due", ordering="due_date")
    def due(self, invoice: Invoice) -> str:
        return day(invoice.due_date)

    @display(description="Total", ordering="total")
    def sum(self, invoice: Invoice) -> str:
        return amount(format_amount(invoice.total, invoice.currency))

    @display(description="Open")
    def owed(self, invoice: Invoice) -> str:
        if not invoice.is_owed:
            return amount("-")
        return amount(format_amount(invoice.balance, invoice.currency))

    @display(description="State", ordering="status")
    def state(self, invoice: Any) -> str:
        if invoice.is_payable and invoice.is_late:
            return light("overdue", "Overdue")
        return light(invoice.status, invoice.get_status_display())


@admin.register(Charge)
class ChargeAdmin(ReadOnlyAdmin):
    list_display = ("description", "service", "period", "used", "sum", "invoiced")
    list_filter = (
        "metric",
        "currency",
        ("line", admin.EmptyFieldListFilter),
        ("starts_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    list_select_related = ("service__product", "line__invoice")
    search_fields = ("description", "service__label", "service__client__company_name", "key")
    ordering = ("-starts_at", "-pk")
    fields = readonly_fields = (
        *("description", "service", "metric", "starts_at", "ends_at", "quantity", "unit"),
        *("unit_price", "sum", "key", "explained", "created_at"),
    )

    @display(description="Period", ordering="starts_at")
    def period(self, charge: Charge) -> str:
        return f"{moment(charge.starts_at)} to {moment(charge.ends_at)}"

    @display(description="Quantity", ordering="quantity")
    def used(self, charge: Charge) -> str:
        return amount(f"{charge.quantity.normalize():f} {charge.unit}")

    @display(description="Amount", ordering="amount")
    def sum(self, charge: Charge) -> str:
        return amount(format_amount(charge.amount, charge.currency))

    @display(description="Invoice")
    def invoiced(self, charge: Charge) -> str:
        line = getattr(charge, "line", None)
        return light("done", str(line.invoice)) if line else light("waiting", "Next invoice")

    @display(description="Evidence")
    def explained(self, charge: Charge) -> str:
        return format_html('<pre class="code">{}</pre>', json.dumps(charge.evidence, indent=2))
