"""Orders in the staff dashboard: what was ordered never changes."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from billing_portal.admin_frame import ReadOnlyAdmin
from billing_portal.admin_print import amount, light, moment
from billing_portal.invoices.amounts import format_amount
from billing_portal.orders.models import Order
from billing_portal.services.states import ServiceStatus


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    page = "staff:order"
    list_display = ("number", "client", "ordered", "sum", "payment", "progress")
    list_filter = ("status", "payment_method", ("placed_at", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("client", "invoice")
    search_fields = ("number", "client__company_name", "client__last_name", "client__email")
    ordering = ("-placed_at", "-pk")
    fields = readonly_fields = (
        *("number", "client", "placed_by", "status", "payment_method", "currency", "total"),
        *("invoice", "placed_at"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        pending = Count("items", filter=Q(items__service__status=ServiceStatus.PENDING))
        return super().get_queryset(request).annotate(pending=pending, item_count=Count("items"))

    @display(description="Placed", ordering="placed_at")
    def ordered(self, order: Order) -> str:
        return moment(order.placed_at)

    @display(description="Total", ordering="total")
    def sum(self, order: Order) -> str:
        return amount(format_amount(order.total, order.currency))

    @display(description="Invoice", ordering="invoice__status")
    def payment(self, order: Order) -> str:
        if order.invoice is None:
            return "-"
        return light(order.invoice.status, order.invoice.get_status_display())

    @display(description="Services")
    def progress(self, order: Any) -> str:
        if order.status == order.Status.CANCELLED:
            return light("cancelled", "Cancelled")
        done = order.item_count - order.pending
        state = "pending" if order.pending else "done"
        return light(state, f"{done} of {order.item_count} set up")
