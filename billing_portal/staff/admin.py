"""Products in the staff dashboard.

They are here and not in `products/admin.py` because their form asks the module that
delivers them, and modules lie above products.
"""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Count, Q, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import StackedInline, TabularInline
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget

from billing_portal.admin_frame import PortalAdmin
from billing_portal.admin_print import amount, light
from billing_portal.calc.money import UnknownCurrency, minor_units
from billing_portal.clients.admin import ClientAdmin
from billing_portal.clients.models import Client
from billing_portal.invoices.amounts import format_amount, format_price
from billing_portal.products.forms import check_price
from billing_portal.products.models import Price, Product, ProductField, UsagePrice
from billing_portal.services.states import ServiceStatus
from billing_portal.staff import usage_prices
from billing_portal.staff.usage_prices import UsagePriceForm
from billing_portal.taxes.queries import complaint
from billing_portal.workflows import tax_ids
from provisioning import registry
from provisioning.contract import Metric
from provisioning.forms import judge, question

PREFIX = "setting_"
NO_MODULE = "none"
RUNNING = (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)


BILLING = (
    "taxable",
    ("periods_limit", "term_days"),
    ("prorata_day", "prorata_next_from"),
)
CHANGES = ("upgrades_to", ("change_policy", "deletion_grace_days"))


class CurrencyForm(forms.ModelForm):
    """A price row: its currency in capitals, as ISO 4217 knows it."""

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).upper()
        try:
            minor_units(currency)
        except UnknownCurrency as error:
            raise forms.ValidationError(str(error)) from error
        return currency


class PriceForm(CurrencyForm):
    """A price that can be one: not absurd, and in the currency's decimals."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in ("recurring", "setup_fee"):
            amount, currency = cleaned.get(name), cleaned.get("currency")
            if amount is not None and currency:
                try:
                    check_price(amount, currency)
                except forms.ValidationError as error:
                    self.add_error(name, error)
        return cleaned


class QuestionInline(StackedInline):
    """Further questions put with an order."""

    model = ProductField
    fields = (
        ("label", "key"),
        ("kind", "position"),
        "help_text",
        "choices",
        "pattern",
        ("required", "staff_only", "on_invoice"),
    )
    extra = 0
    tab = True
    verbose_name = "question"
    verbose_name_plural = "questions"


class PriceInline(TabularInline):
    model = Price
    form = PriceForm
    fields = ("currency", "cycle", "recurring", "setup_fee")
    extra = 0
    tab = True
    verbose_name_plural = "prices"


class UsagePriceInline(TabularInline):
    model = UsagePrice
    form = UsagePriceForm
    fields = ("currency", "metric", "included", "scheme", "price", "brackets")
    extra = 0
    tab = True
    verbose_name_plural = "usage prices"

    def get_formset(
        self, request: HttpRequest, obj: Product | None = None, **kwargs: Any
    ) -> type[BaseInlineFormSet]:
        """With the module's own meters to choose from, each with the units its price buys."""
        formset = super().get_formset(request, obj, **kwargs)
        formset.form.base_fields["metric"] = forms.ChoiceField(
            choices=[(m.key, _per(m)) for m in _metrics(_module_key(request, obj))],
            widget=UnfoldAdminSelectWidget,
        )
        return formset


class ProductForm(forms.ModelForm):
    """A product with its module's settings as fields of their own, not as JSON."""

    module_key: str = ""

    class Meta:
        model = Product
        exclude = ("module_key", "module_settings")

    @classmethod
    def for_module(cls, key: str) -> type["ProductForm"]:
        asked = {f"{PREFIX}{name}": question(field) for name, field in settings_of(key).items()}
        # The class of a form class makes fields of the questions.
        made: type[ProductForm] = type(cls)(  # type: ignore[misc]
            "ModuleProductForm", (cls,), {"module_key": key, **asked}
        )
        return made

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, value in (self.instance.module_settings or {}).items():
            if f"{PREFIX}{name}" in self.fields:
                self.initial[f"{PREFIX}{name}"] = value

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self.instance.module_key = self.module_key
        answers = {name: cleaned.get(f"{PREFIX}{name}") for name in settings_of(self.module_key)}
        if answers:
            judged_by = registry.module_class(self.module_key).settings_form
            settings = judge(self, judged_by, answers, prefix=PREFIX)
            self.instance.module_settings = json.loads(json.dumps(settings, cls=DjangoJSONEncoder))
        return cleaned


@admin.register(Product)
class ProductAdmin(SimpleHistoryAdmin, PortalAdmin):
    form = ProductForm
    list_display = ("name", "group", "module", "prices", "running", "set_up", "state")
    list_filter = ("group", "module_key", "set_up", "retired", "hidden")
    list_select_related = ("group",)
    search_fields = ("name", "tagline", "slug")
    prepopulated_fields = {"slug": ("name",)}  # noqa: RUF012
    inlines = (PriceInline, UsagePriceInline, QuestionInline)
    actions_detail = (
        *("view_in_shop", "edit_prices"),
        {
            "title": "More",
            "items": ["reprice_services", "duplicate_product", "retire_product"],
        },
    )
    autocomplete_fields = ("upgrades_to",)
    ordering = ("group__position", "position", "name", "pk")

    @action(description="Prices", url_path="to-prices", icon="sell", permissions=["change"])
    def edit_prices(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect("staff:product-prices", object_id)

    @action(description="Reprice services", url_path="to-reprice", permissions=["change"])
    def reprice_services(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect("staff:product-reprice", object_id)

    @action(description="Duplicate", url_path="to-duplicate", permissions=["change"])
    def duplicate_product(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect("staff:product-duplicate", object_id)

    @action(description="Retire", url_path="to-retire", permissions=["change"])
    def retire_product(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect("staff:product-retire", object_id)

    @action(description="View in shop", url_path="shop", icon="storefront", permissions=["view"])
    def view_in_shop(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect(
            "clientarea:product", slug=self.get_queryset(request).get(pk=object_id).slug
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        running = Count("services", filter=Q(services__status__in=RUNNING))
        rows = super().get_queryset(request).annotate(running_count=running)
        return rows.prefetch_related("prices", "usage_prices")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """First ask which module delivers it: the form depends on it."""
        if request.GET.get("module") in (*registry.modules(), NO_MODULE):
            return super().add_view(request, form_url, extra_context)
        context = {
            **self.admin_site.each_context(request),
            "title": "Add a product",
            "opts": self.opts,
            "choices": [*registry.module_choices(), (NO_MODULE, "Nothing: staff deliver it")],
        }
        return TemplateResponse(request, "staff/choose_module.html", context)

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        # The real fields first: the admin would look for the module's among the model's.
        kwargs["fields"] = None
        form = super().get_form(request, obj, **kwargs)
        return form.for_module(_module_key(request, obj))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        for price in UsagePrice.objects.filter(product=form.instance):
            for sentence in usage_prices.warnings(price):
                messages.warning(request, sentence)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        key = _module_key(request, obj)
        settings = [f"{PREFIX}{name}" for name in settings_of(key)]
        shop = ("tagline", "description", "position", "hidden", "retired")
        shown: list[Any] = [
            (None, {"fields": (("name", "slug"), ("group", "set_up"))}),
            ("In the shop", {"fields": shop}),
            ("How many", {"fields": (("quantity_mode", "maximum_quantity"), "stock")}),
            ("Billing", {"fields": BILLING}),
            ("Changes and the end", {"fields": CHANGES}),
        ]
        if settings and self.has_change_permission(request, obj):
            shown.insert(1, (registry.module_class(key).name, {"fields": settings}))
        return shown

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        metered = bool(_metrics(_module_key(request, obj)))
        return self.inlines if metered else (PriceInline, QuestionInline)

    @display(description="Delivered by", ordering="module_key")
    def module(self, product: Product) -> str:
        found = registry.modules().get(product.module_key)
        return found.name if found else product.module_key or "Staff"

    @display(description="Prices")
    def prices(self, product: Product) -> str:
        shown = [
            f"{format_amount(price.recurring, price.currency)} {price.get_cycle_display().lower()}"
            for price in product.prices.all()
            if price.recurring
        ]
        meters = {metric.key: metric for metric in _metrics(product.module_key)}
        shown += [
            f"{format_price(usage.price, usage.currency)} per {_unit(meters[usage.metric])}"
            for usage in product.usage_prices.all()
            if usage.metric in meters
        ]
        return ", ".join(shown) or "-"

    @display(description="Services", ordering="running_count")
    def running(self, product: Any) -> str:
        return amount(str(product.running_count))

    @display(description="State")
    def state(self, product: Product) -> str:
        if product.retired:
            return light("retired", "Retired")
        return light("hidden", "Hidden") if product.hidden else light("active", "For sale")


admin.site.unregister(Client)


@admin.register(Client)
class LookingUpClientAdmin(ClientAdmin):
    """A VAT id that staff enter is looked up at once, which nothing below `taxes` can ask for."""

    def save_model(self, request: HttpRequest, obj: Client, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if problem := complaint(obj.tax_id, country=str(obj.country)):
            messages.warning(request, f"Saved, but VAT is charged: {problem}")
        tax_ids.look_up(obj)


def settings_of(key: str) -> dict[str, forms.Field]:
    """A module's questions about a product, by name."""
    found = registry.modules().get(key)
    return dict(found.settings_form.base_fields) if found else {}


def _module_key(request: HttpRequest, product: Product | None) -> str:
    asked = product.module_key if product else request.GET.get("module", "")
    return asked if asked in registry.modules() else ""


def _metrics(key: str) -> list[Metric]:
    found = registry.modules().get(key)
    return list(found.metrics) if found else []


def _per(metric: Metric) -> str:
    return f"{metric.name}, per {_unit(metric)}"


def _unit(metric: Metric) -> str:
    return f"{metric.per} {metric.unit}" if metric.per > 1 else metric.unit
