"""Tariffs and calls in the staff dashboard.  Both come from files and PBXs, not from forms."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from billing_portal.admin_frame import ReadOnlyAdmin
from billing_portal.admin_print import amount, light, moment

from . import queries
from .models import Call, Tariff, TariffRate


class TariffRateInline(TabularInline):
    model = TariffRate
    fields = readonly_fields = (
        *("prefix", "description", "rate_per_minute", "connection_fee"),
        *("increment_s", "initial_increment_s"),
    )
    ordering = ("prefix",)
    extra = 0
    per_page = 100
    can_delete = False
    hide_title = True
    verbose_name_plural = "rates"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Tariff)
class TariffAdmin(ReadOnlyAdmin):
    """Price lists.  `manage.py import_tariff` replaces one from its file, with a dry run."""

    list_display = ("name", "slug", "currency", "prefixes", "imported")
    list_filter = ("currency",)
    search_fields = ("name", "slug", "rates__prefix", "rates__description")
    ordering = ("slug", "currency")
    inlines = (TariffRateInline,)
    fields = readonly_fields = ("name", "slug", "currency", "imported")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tariff]:
        return super().get_queryset(request).annotate(rate_count=Count("rates"))

    @display(description="Prefixes", ordering="rate_count")
    def prefixes(self, tariff: Any) -> str:
        return amount(f"{tariff.rate_count:,}")

    @display(description="Imported", ordering="imported_at")
    def imported(self, tariff: Tariff) -> str:
        return moment(tariff.imported_at)


@admin.register(Call)
class CallAdmin(ReadOnlyAdmin):
    paginator = InfinitePaginator  # counting a long table takes longer than a page
    list_display = (
        *("destination", "caller", "service", "way", "started", "talked", "cost", "state"),
    )
    list_filter = (
        "rating",
        "direction",
        ("server", RelatedDropdownFilter),
        ("service", admin.EmptyFieldListFilter),
        ("charge", admin.EmptyFieldListFilter),
        ("started_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    list_select_related = ("service__product", "service__client", "server")
    search_fields = ("destination", "destination_digits", "caller", "extension_number")
    search_help_text = "Number called or calling, or extension"
    ordering = ("-started_at", "-pk")
    fields = readonly_fields = (
        *("destination", "destination_digits", "caller", "extension_number", "direction", "leg"),
        *("service", "tenant", "server", "started_at", "answered_at", "ended_at", "talked"),
        *("hangup_cause", "cost", "reason", "prefix", "rate_description", "billed_s", "charge"),
        *("explained", "uuid", "imported_at"),
    )

    @display(description="Direction", ordering="direction")
    def way(self, call: Call) -> str:
        return call.get_direction_display()

    @display(description="Started", ordering="started_at")
    def started(self, call: Call) -> str:
        return moment(call.started_at)

    @display(description="Talked", ordering="billsec")
    def talked(self, call: Call) -> str:
        minutes, seconds = divmod(call.billsec, 60)
        return amount(f"{minutes}:{seconds:02}")

    @display(description="Cost", ordering="amount_micros")
    def cost(self, call: Call) -> str:
        if not call.amount:
            return amount("-")
        currency = call.service.currency if call.service else ""
        return amount(f"{call.amount.normalize():f} {currency}".strip())

    @display(description="Price", ordering="rating")
    def state(self, call: Call) -> str:
        lit = {"rated": "ok", "free": "free", "unrated": "unrated"}
        return light(lit[call.rating], call.get_rating_display())

    @display(description="Why")
    def reason(self, call: Call) -> str:
        return queries.why(call)

    @display(description="The rule that fired")
    def explained(self, call: Call) -> str:
        return format_html('<pre class="code">{}</pre>', json.dumps(call.explanation, indent=2))
