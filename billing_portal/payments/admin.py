"""Payments and gateway events in the staff dashboard: shown, never edited."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import RangeDateTimeFilter, RangeNumericFilter
from unfold.decorators import display

from billing_portal.admin_frame import ReadOnlyAdmin
from billing_portal.admin_print import amount, light, moment
from billing_portal.invoices.amounts import format_amount
from billing_portal.payments.models import Transaction, WebhookEvent
from billing_portal.payments.queries import unallocated


class OutcomeFilter(admin.SimpleListFilter):
    title = "what became of it"
    parameter_name = "allocation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("open", "Neither invoices nor credit"),
            ("problem", "To look at"),
            ("back", "Refunded or taken back"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "open":
            return queryset.filter(pk__in=unallocated().values("pk"))
        if self.value() == "problem":
            return queryset.exclude(problem="")
        if self.value() == "back":
            return queryset.filter(Q(refunded_amount__gt=0) | Q(reversed_at__isnull=False))
        return queryset


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    page = "staff:payment"
    list_display = ("external_id", "client", "gateway", "received", "sum", "state")
    list_filter = (
        OutcomeFilter,
        "gateway",
        "currency",
        ("received_at", RangeDateTimeFilter),
        ("amount", RangeNumericFilter),
    )
    list_filter_submit = True
    list_select_related = ("client",)
    search_fields = (
        *("external_id", "client__company_name", "client__last_name", "note"),
        "allocations__invoice__number",
    )
    ordering = ("-received_at", "-pk")
    fields = readonly_fields = (
        *("client", "gateway", "external_id", "sum", "received_at", "note", "invoices"),
    )

    @display(description="Received", ordering="received_at")
    def received(self, payment: Transaction) -> str:
        return moment(payment.received_at)

    @display(description="Amount", ordering="amount")
    def sum(self, payment: Transaction) -> str:
        return amount(format_amount(payment.amount, payment.currency))

    @display(description="State")
    def state(self, payment: Transaction) -> str:
        if payment.problem:
            return light("waiting", "To look at")
        if payment.reversed_at:
            return light("failed", "Taken back")
        if payment.refunded_amount:
            back = format_amount(payment.refunded_amount, payment.currency)
            return light("waiting", f"{back} sent back")
        return light("done", "Received")

    @display(description="Paid invoices")
    def invoices(self, payment: Transaction) -> str:
        shown = [
            f"{part.invoice}: {format_amount(part.amount, payment.currency)}"
            for part in payment.allocations.select_related("invoice")
        ]
        return ", ".join(shown) or "-"


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    list_display = ("event_id", "gateway", "received", "state")
    list_filter = (
        "gateway",
        ("applied_at", admin.EmptyFieldListFilter),
        ("received_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    search_fields = ("event_id", "problem")
    ordering = ("-received_at", "-pk")
    fields = readonly_fields = (
        *("gateway", "event_id", "received_at", "applied_at", "problem", "told"),
    )

    @display(description="Received", ordering="received_at")
    def received(self, event: WebhookEvent) -> str:
        return moment(event.received_at)

    @display(description="State")
    def state(self, event: WebhookEvent) -> str:
        if event.problem:
            return light("failed", event.problem[:80])
        return light("done", "Applied") if event.applied_at else light("waiting", "Not applied")

    @display(description="What the gateway said")
    def told(self, event: WebhookEvent) -> str:
        return format_html('<pre class="code">{}</pre>', json.dumps(event.body, indent=2))
