"""Promotions in the staff dashboard: their list, their form, who used them, and ending them."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, DateTimeField, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from simple_history.admin import SimpleHistoryAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from billing_portal.accounts.models import User
from billing_portal.admin_frame import PortalAdmin
from billing_portal.admin_print import amount, light, moment
from billing_portal.calc.money import UnknownCurrency, minor_units
from billing_portal.clock.reading import now
from billing_portal.products.models import Cycle
from billing_portal.promotions import actions
from billing_portal.promotions.models import Promotion
from billing_portal.promotions.queries import IN_AMOUNTS, duration, explained


class PromotionForm(forms.ModelForm):
    """A promotion whose parts fit together."""

    cycles = forms.MultipleChoiceField(
        choices=Cycle.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        required=False,
        help_text="None ticked: every cycle.",
    )

    def clean_code(self) -> str:
        return str(self.cleaned_data["code"]).strip().upper()

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).upper()
        if currency:
            try:
                minor_units(currency)
            except UnknownCurrency as error:
                raise forms.ValidationError(str(error)) from error
        return currency

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        kind, value = cleaned.get("kind"), cleaned.get("value")
        if kind in IN_AMOUNTS and not cleaned.get("currency") and "currency" not in self.errors:
            self.add_error("currency", "An amount needs a currency.")
        if kind == Promotion.Kind.PERCENT and value is not None and value > 100:
            self.add_error("value", "A percentage is at most 100.")
        if kind in (Promotion.Kind.PERCENT, Promotion.Kind.FIXED) and not value:
            self.add_error("value", "This would take nothing off.")
        starts_at, ends_at = cleaned.get("starts_at"), cleaned.get("ends_at")
        if starts_at and ends_at and ends_at <= starts_at:
            self.add_error("ends_at", "It would end before it starts.")
        if cleaned.get("new_clients_only") and cleaned.get("existing_clients_only"):
            self.add_error("existing_clients_only", "Nobody is both new and an existing client.")
        most = cleaned.get("maximum_uses")
        if most is not None and most < self.instance.uses:
            self.add_error("maximum_uses", f"It has been used {self.instance.uses} times already.")
        return cleaned


@admin.register(Promotion)
class PromotionAdmin(SimpleHistoryAdmin, PortalAdmin):
    form = PromotionForm
    list_display = ("code", "does", "lasts", "used", "running", "until", "state")
    list_filter = ("kind", "recurring", "for_upgrades")
    search_fields = ("code", "notes")
    ordering = ("code",)
    actions_detail = ("show_orders", "end_now")
    autocomplete_fields = ("products", "requires")
    fieldsets = (
        (None, {"fields": (("code", "kind"), ("value", "currency"))}),
        ("For how long", {"fields": (("recurring", "recurs_for"), "survives_changes")}),
        ("For what", {"fields": ("products", "cycles", "requires", "for_upgrades")}),
        (
            "For whom and how often",
            {
                "fields": (
                    *("starts_at", "ends_at", "maximum_uses"),
                    ("once_per_client", "once_per_order"),
                    ("new_clients_only", "existing_clients_only"),
                )
            },
        ),
        ("Notes", {"fields": ("notes",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Promotion]:
        """With the moment they are looked at, which the clock is asked for once."""
        looked_at = Value(now(), output_field=DateTimeField())
        rows = super().get_queryset(request)
        return rows.annotate(service_count=Count("services"), looked_at=looked_at)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Orders remember the code they were placed with.
        return ("code",) if obj and obj.uses else ()

    @action(description="Orders that used it", url_path="orders", icon="shopping_cart")
    def show_orders(self, request: HttpRequest, object_id: int) -> HttpResponse:
        code = self.get_queryset(request).get(pk=object_id).code
        address = reverse("admin:orders_order_changelist")
        return redirect(f"{address}?{urlencode({'promotion_code__exact': code})}")

    @action(description="End it now", url_path="end", icon="block", permissions=["change"])
    def end_now(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Ask; on confirmation nobody can use it any more.  A later date takes that back."""
        promotion = self.get_queryset(request).get(pk=object_id)
        if request.method == "POST":
            actions.end(object_id, at=now(), actor=cast("User", request.user))
            messages.success(request, f"{promotion} can no longer be used.")
            return redirect("admin:promotions_promotion_change", object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": f"End {promotion}",
            "opts": self.opts,
            "promotion": promotion,
        }
        return TemplateResponse(request, "staff/end_promotion.html", context)

    @display(description="What it does", ordering="kind")
    def does(self, promotion: Promotion) -> str:
        return explained(promotion)

    @display(description="How long")
    def lasts(self, promotion: Promotion) -> str:
        return duration(promotion)

    @display(description="Used", ordering="uses")
    def used(self, promotion: Promotion) -> str:
        most = promotion.maximum_uses
        return amount(str(promotion.uses) if most is None else f"{promotion.uses} of {most}")

    @display(description="Services", ordering="service_count")
    def running(self, promotion: Any) -> str:
        address = reverse("admin:services_service_changelist")
        count = amount(str(promotion.service_count))
        if not promotion.service_count:
            return count
        query = urlencode({"promotion__id__exact": promotion.pk})
        return format_html('<a href="{}?{}">{}</a>', address, query, count)

    @display(description="Until", ordering="ends_at")
    def until(self, promotion: Promotion) -> str:
        return moment(promotion.ends_at)

    @display(description="State")
    def state(self, promotion: Any) -> str:
        at = promotion.looked_at
        if promotion.ends_at and promotion.ends_at <= at:
            return light("ended", "Ended")
        if promotion.maximum_uses is not None and promotion.uses >= promotion.maximum_uses:
            return light("ended", "Used up")
        if promotion.starts_at and promotion.starts_at > at:
            return light("waiting", "Not yet")
        return light("active", "In use")
