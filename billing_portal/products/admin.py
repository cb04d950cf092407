"""Product groups and add-ons in the staff dashboard.

Products are in `staff/admin.py`: their form asks the module that delivers them, and modules
lie above products.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import TabularInline
from unfold.decorators import display

from billing_portal.admin_frame import PortalAdmin
from billing_portal.admin_print import amount, light, money
from billing_portal.calc.money import UnknownCurrency, minor_units
from billing_portal.products.models import Addon, AddonPrice, ProductGroup


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
