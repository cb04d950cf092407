"""Services in the staff dashboard: the list, and the two fields staff may edit."""

from typing import Any, cast

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateFilter, RelatedDropdownFilter
from unfold.decorators import display

from billing_portal.accounts.models import User
from billing_portal.admin_frame import PortalAdmin
from billing_portal.admin_print import amount, day, light, money
from billing_portal.clock.reading import now
from billing_portal.services import actions
from billing_portal.services.models import Service


@admin.register(Service)
class ServiceAdmin(PortalAdmin):
    page = "staff:service"
    list_display = ("__str__", "client", "product", "price", "next_due", "state")
    list_filter = (
        "status",
        ("product", RelatedDropdownFilter),
        "cycle",
        "currency",
        ("billed_until", RangeDateFilter),
    )
    list_filter_submit = True
    list_select_related = ("client", "product")
    search_fields = (
        *("label", "product__name", "client__company_name", "client__last_name"),
        *("client__email", "placement__remote_name", "placement__remote_id"),
    )
    ordering = ("-pk",)
    fields = (
        ("client", "product"),
        ("status", "cycle"),
        "label",
        ("recurring_amount", "currency"),
        "never_suspend_until",
        ("anchor_date", "billed_until"),
    )
    readonly_fields = (
        *("client", "product", "status", "cycle", "currency", "anchor_date", "billed_until"),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # services come from orders

    def save_model(self, request: HttpRequest, obj: Service, form: Any, change: bool) -> None:
        actor = cast("User", request.user)
        if "label" in form.changed_data:
            Service.objects.filter(pk=obj.pk).update(label=obj.label)
        if "recurring_amount" in form.changed_data:
            actions.set_recurring_amount(obj.pk, amount=obj.recurring_amount, at=now(), actor=actor)
        if "never_suspend_until" in form.changed_data:
            actions.set_never_suspend_until(
                obj.pk, day=obj.never_suspend_until, at=now(), actor=actor
            )

    @display(description="Price", ordering="recurring_amount")
    def price(self, service: Service) -> str:
        if not service.recurring_amount:
            return amount("by usage")
        shown = money(service.recurring_amount, service.currency)
        return amount(f"{shown} {service.get_cycle_display().lower()}")

    @display(description="Next due", ordering="billed_until")
    def next_due(self, service: Service) -> str:
        return day(service.billed_until)

    @display(description="State", ordering="status")
    def state(self, service: Service) -> str:
        return light(service.status, service.get_status_display())
