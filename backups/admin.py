"""Datastores in the staff dashboard: size, use, whose they are, and when they were seen."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display

from billing_portal.admin_frame import PortalAdmin, ReadOnlyAdmin
from billing_portal.admin_print import amount, light, moment

from .models import AccountCost, Datastore, SizeSpan


class SizeSpanInline(TabularInline):
    """Every size it had, the newest first."""

    model = SizeSpan
    fields = readonly_fields = ("size", "starts", "ends", "source", "seen")
    ordering = ("-starts_at", "-pk")
    extra = 0
    per_page = 50
    can_delete = False
    hide_title = True
    verbose_name_plural = "sizes"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="Size")
    def size(self, span: SizeSpan) -> str:
        return amount(f"{span.size_gb} GB")

    @display(description="From")
    def starts(self, span: SizeSpan) -> str:
        return moment(span.starts_at)

    @display(description="Until")
    def ends(self, span: SizeSpan) -> str:
        return moment(span.ends_at) if span.ends_at else "it stands"

    @display(description="Last seen")
    def seen(self, span: SizeSpan) -> str:
        return moment(span.last_seen_at)


@admin.register(Datastore)
class DatastoreAdmin(ReadOnlyAdmin):
    list_display = ("name", "client", "service", "size", "use", "seen", "state")
    list_filter = (
        ("server", RelatedDropdownFilter),
        ("service", admin.EmptyFieldListFilter),
        ("deleted_at", admin.EmptyFieldListFilter),
        ("missing_at", admin.EmptyFieldListFilter),
        ("last_seen_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    search_fields = (
        *("name", "remote_id", "service__label"),
        *("service__client__company_name", "service__client__last_name"),
    )
    ordering = ("server", "name", "pk")
    inlines = (SizeSpanInline,)
    fields = readonly_fields = (
        *("name", "remote_id", "server", "service", "client", "size", "use", "state"),
        *("created_at", "first_seen_at", "last_seen_at", "missing_at", "deleted_at"),
        "charged_until",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Datastore]:
        rows = super().get_queryset(request)
        return rows.select_related("server", "service__client", "service__product")

    @display(description="Client")
    def client(self, datastore: Datastore) -> str:
        return str(datastore.service.client) if datastore.service else "-"

    @display(description="Size", ordering="size_bytes")
    def size(self, datastore: Datastore) -> str:
        return amount(f"{datastore.size_gb} GB")

    @display(description="Used", ordering="used_bytes")
    def use(self, datastore: Datastore) -> str:
        if datastore.used_gb is None:
            return amount("not told")
        percent = "" if datastore.used_percent is None else f", {datastore.used_percent} %"
        return amount(f"{datastore.used_gb:.1f} GB{percent}")

    @display(description="Last seen", ordering="last_seen_at")
    def seen(self, datastore: Datastore) -> str:
        return moment(datastore.last_seen_at)

    @display(description="State")
    def state(self, datastore: Datastore) -> str:
        if datastore.deleted_at:
            return light("ended", "Deleted")
        if datastore.missing_at:
            return light("failed", "Missing")
        return light("active", "Stands") if datastore.service else light("waiting", "No service")


@admin.register(AccountCost)
class AccountCostAdmin(PortalAdmin):
    """What the vendor charges; the datastores page sets it beside what clients pay."""

    list_display = ("server", "price_per_1000gb", "currency")
    ordering = ("server__name",)
    fields = ("server", "price_per_1000gb", "currency")
