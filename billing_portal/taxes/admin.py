"""Tax settings, rules and evidence in the staff dashboard."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from simple_history.admin import SimpleHistoryAdmin
from unfold.decorators import action, display

from billing_portal.accounts.models import User
from billing_portal.admin_frame import PortalAdmin, ReadOnlyAdmin
from billing_portal.admin_print import light, moment
from billing_portal.clock.reading import now
from billing_portal.taxes import actions
from billing_portal.taxes.models import TaxIdCheck, TaxRule, TaxSettings
from billing_portal.taxes.supply import plain_percent

ANSWERS = {
    TaxIdCheck.Answer.VALID: "active",
    TaxIdCheck.Answer.INVALID: "failed",
    TaxIdCheck.Answer.UNAVAILABLE: "waiting",
}
"""The light of each answer of the register."""


@admin.register(TaxSettings)
class TaxSettingsAdmin(PortalAdmin):
    fieldsets = (
        (None, {"fields": ("enabled", ("seller_country", "seller_state"))}),
        ("Prices", {"fields": (("prices_include_tax", "exempt_pay_net"), "rounding")}),
        ("European Union", {"fields": ("eu_vat",)}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """There is one row, made with the defaults when somebody first looks."""
        TaxSettings.objects.get_or_create(pk=1)
        return redirect("admin:taxes_taxsettings_change", 1)


@admin.register(TaxRule)
class TaxRuleAdmin(SimpleHistoryAdmin, PortalAdmin):
    """An overlap is found by the form (`TaxRule.clean`); the action looks again under a lock."""

    list_display = ("name", "place", "rate", "level", "starts_on", "ends_on")
    list_filter = ("country", "level")
    search_fields = ("name", "state", "country")
    ordering = ("country", "state", "level", "starts_on", "pk")
    fields = (
        ("name", "percent"),
        ("country", "state"),
        ("level", "compound"),
        ("starts_on", "ends_on"),
    )
    actions_list = ("published_rates",)
    deletable = True

    @action(
        description="Load published rates",
        url_path="published",
        icon="library_add",
        permissions=["add"],
    )
    def published_rates(self, request: HttpRequest) -> HttpResponse:
        return redirect("staff:tax-rates")

    def save_model(self, request: HttpRequest, obj: TaxRule, form: Any, change: bool) -> None:
        actions.save_rule(obj, actor=cast("User", request.user), at=now())

    def delete_model(self, request: HttpRequest, obj: TaxRule) -> None:
        actions.remove_rule(obj, actor=cast("User", request.user), at=now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[TaxRule]) -> None:
        for rule in queryset:
            self.delete_model(request, rule)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The action has noted it."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The action has noted it."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """The action notes each."""
        return []

    @display(description="Place", ordering="country")
    def place(self, rule: TaxRule) -> str:
        country: Any = rule.country
        return ", ".join(filter(None, [rule.state, country.name])) or "Everywhere"

    @display(description="Rate", ordering="percent")
    def rate(self, rule: TaxRule) -> str:
        on_top = " on top of the first" if rule.compound else ""
        return f"{plain_percent(rule.percent)} %{on_top}"


@admin.register(TaxIdCheck)
class TaxIdCheckAdmin(ReadOnlyAdmin):
    list_display = ("tax_id", "client", "said", "name", "consultation", "asked")
    list_filter = ("answer",)
    list_select_related = ("client",)
    search_fields = ("tax_id", "name", "consultation", "client__company_name")

    @display(description="Answer", ordering="answer")
    def said(self, check: TaxIdCheck) -> str:
        answer = TaxIdCheck.Answer(check.answer)
        return light(ANSWERS[answer], answer.label)

    @display(description="Asked", ordering="checked_at")
    def asked(self, check: TaxIdCheck) -> str:
        return moment(check.checked_at)
