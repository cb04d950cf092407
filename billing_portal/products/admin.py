"""Product groups in the staff dashboard.  Products are in `staff/products.py`: their form
asks the module that delivers them, and modules lie above products."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from billing_portal.admin_frame import PortalAdmin
from billing_portal.admin_print import light
from billing_portal.products.models import ProductGroup


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
