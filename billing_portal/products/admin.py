"""Product groups, options and add-ons in the staff dashboard.

Products are in `staff/admin.py`: their form asks the module that delivers them, and modules
lie above products.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import TabularInline
from unfold.decorators import action, display

from billing_portal.admin_frame import PortalAdmin
from billing_portal.admin_print import amount, light, money
from billing_portal.calc.money import UnknownCurrency, minor_units
from billing_portal.products.models import (
    Addon,
    AddonPrice,
    Choice,
    Option,
    OptionGroup,
    ProductGroup,
)


@admin.register(ProductGroup)
class ProductGroupAdmin(PortalAdmin):
    list_display = ("name", "headline", "products", "position", "state")
    search_fields = ("name",)
    prepopulated_fields = {"slug": ("name",)}  # noqa: RUF012
    ordering = ("position", "name", "pk")
    fields = (("name", "slug"), "headline", ("position", "hidden"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProductGroup]:
        return super().get_queryset(request).annotate(product_count=Count("products"))

    @display(description="Products", ordering="product_count")
    def products(self, group: Any) -> int:
        return int(group.product_count)

    @display(description="State", ordering="hidden")
    def state(self, group: ProductGroup) -> str:
        return light("off", "Hidden") if group.hidden else light("active", "For sale")


class AddonPriceForm(forms.ModelForm):
    """A price row: its currency in capitals, as ISO 4217 knows it."""

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).upper()
        try:
            minor_units(currency)
        except UnknownCurrency as error:
            raise forms.ValidationError(str(error)) from error
        return currency


class AddonPriceInline(TabularInline):
    model = AddonPrice
    form = AddonPriceForm
    fields = ("currency", "cycle", "recurring", "setup_fee")
    extra = 0
    tab = True
    verbose_name_plural = "prices"


@admin.register(Addon)
class AddonAdmin(SimpleHistoryAdmin, PortalAdmin):
    list_display = ("name", "for_products", "priced", "maximum_quantity", "running", "state")
    list_filter = ("retired", "hidden", "products")
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}  # noqa: RUF012
    autocomplete_fields = ("products",)
    inlines = (AddonPriceInline,)
    ordering = ("position", "name", "pk")
    fieldsets = (
        (None, {"fields": (("name", "slug"), "products", "description")}),
        ("Selling", {"fields": (("maximum_quantity", "position"), "taxable", "suspends_service")}),
        ("In the shop", {"fields": (("hidden", "retired"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Addon]:
        running = Count(
            "service_addons",
            filter=Q(service_addons__status__in=("active", "suspended")),
            distinct=True,
        )
        rows = super().get_queryset(request).annotate(running_count=running)
        return rows.prefetch_related("products", "prices")

    @display(description="For")
    def for_products(self, addon: Addon) -> str:
        return ", ".join(product.name for product in addon.products.all()) or "-"

    @display(description="Prices")
    def priced(self, addon: Addon) -> str:
        shown = [
            f"{money(price.recurring, price.currency)} {price.get_cycle_display().lower()}"
            for price in addon.prices.all()
        ]
        return ", ".join(shown) or "-"

    @display(description="Running", ordering="running_count")
    def running(self, addon: Any) -> str:
        return amount(str(addon.running_count))

    @display(description="State")
    def state(self, addon: Addon) -> str:
        if addon.retired:
            return light("retired", "Retired")
        return light("hidden", "Hidden") if addon.hidden else light("active", "For sale")


class OptionInline(TabularInline):
    model = Option
    fields = ("name", "key", "kind", "minimum", "maximum", "position", "hidden", "choices_of")
    readonly_fields = ("choices_of",)
    extra = 0
    hide_title = True

    @display(description="Choices")
    def choices_of(self, option: Option) -> str:
        """The way to an option's choices, once it is stored."""
        if not option.pk:
            return "after saving"
        number = option.choices.count()
        address = reverse("admin:products_option_change", args=[option.pk])
        return format_html(
            '<a class="text-primary-600" href="{}">{} to choose</a>', address, number
        )


@admin.register(OptionGroup)
class OptionGroupAdmin(PortalAdmin):
    """Options offered together; the prices of all their choices are on a page of their own."""

    list_display = ("name", "option_names", "for_products")
    search_fields = ("name",)
    autocomplete_fields = ("products",)
    fields = ("name", "products")
    inlines = (OptionInline,)
    ordering = ("name", "pk")
    actions_detail = ("edit_prices",)

    @action(description="Prices", url_path="to-prices", icon="sell", permissions=["change"])
    def edit_prices(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect("staff:option-prices", object_id)

    def get_queryset(self, request: HttpRequest) -> QuerySet[OptionGroup]:
        return super().get_queryset(request).prefetch_related("options", "products")

    @display(description="Options")
    def option_names(self, group: OptionGroup) -> str:
        return ", ".join(option.name for option in group.options.all()) or "-"

    @display(description="Products")
    def for_products(self, group: OptionGroup) -> str:
        return ", ".join(product.name for product in group.products.all()) or "-"


class OneChoiceFormSet(BaseInlineFormSet):
    """Tick boxes and quantities have exactly one choice: what is priced."""

    def clean(self) -> None:
        super().clean()
        choices = [
            form for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")
        ]
        single = self.instance.kind in (Option.Kind.YES_NO, Option.Kind.QUANTITY)
        if single and len(choices) != 1:
            kind = self.instance.get_kind_display().lower()
            raise forms.ValidationError(f"An option of the kind “{kind}” has exactly one choice.")


class ChoiceInline(TabularInline):
    model = Choice
    formset = OneChoiceFormSet
    fields = ("name", "key", "position", "hidden")
    extra = 0


@admin.register(Option)
class OptionAdmin(PortalAdmin):
    list_display = ("name", "group", "kind", "key", "hidden")
    list_filter = ("group", "kind", "hidden")
    list_select_related = ("group",)
    search_fields = ("name", "key")
    prepopulated_fields = {"key": ("name",)}  # noqa: RUF012
    fields = (("group", "kind"), ("name", "key"), ("minimum", "maximum"), ("position", "hidden"))
    inlines = (ChoiceInline,)
    ordering = ("group__name", "position", "pk")
    actions_detail = ("edit_prices",)

    @action(description="Prices", url_path="to-prices", icon="sell", permissions=["change"])
    def edit_prices(self, request: HttpRequest, object_id: int) -> HttpResponse:
        option = self.get_queryset(request).get(pk=object_id)
        return redirect("staff:option-prices", option.group_id)
