"""The rules of automation in the staff dashboard: one form for the one row."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from billing_portal.admin_frame import PortalAdmin
from billing_portal.automation.models import AutomationSettings


@admin.register(AutomationSettings)
class AutomationSettingsAdmin(PortalAdmin):
    fieldsets = (
        (None, {"fields": ("daily_hour",)}),
        (
            "Reminders",
            {
                "fields": (
                    "send_reminders",
                    ("remind_days_before", "first_overdue_days"),
                    ("second_overdue_days", "third_overdue_days"),
                )
            },
        ),
        (
            "Suspension",
            {"fields": (("suspend_overdue", "suspend_after_days"), "unsuspend_on_payment")},
        ),
        (
            "Deletion",
            {
                "fields": (
                    "terminate_overdue",
                    ("terminate_after_days", "termination_grace_days"),
                )
            },
        ),
        (
            "Late fees",
            {
                "fields": (
                    ("charge_late_fees", "late_fee_after_days"),
                    ("late_fee_percent", "late_fee_minimum"),
                )
            },
        ),
        ("Orders", {"fields": (("cancel_unpaid_orders", "cancel_orders_after_days"),)}),
        (
            "Automatic payments",
            {
                "fields": (
                    ("capture_payments", "capture_days_before"),
                    "capture_retry_days",
                    ("warn_of_card_expiry", "card_expiry_day"),
                )
            },
        ),
        ("Staff", {"fields": ("send_digest",)}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """There is one row, made with the defaults when somebody first looks."""
        AutomationSettings.objects.get_or_create(pk=1)
        return redirect("admin:automation_automationsettings_change", 1)
