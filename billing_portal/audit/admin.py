"""The audit log in the staff dashboard: who did what, when."""

import json

from django.apps import apps
from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import FieldTextFilter, RangeDateTimeFilter
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from billing_portal.admin_frame import ReadOnlyAdmin
from billing_portal.admin_print import moment
from billing_portal.audit.models import Entry


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    paginator = InfinitePaginator  # counting a long table takes longer than a page
    list_display = ("when", "actor_name", "action", "summary", "subject")
    list_filter = (
        ("action", FieldTextFilter),
        ("actor_name", FieldTextFilter),
        ("at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    search_fields = ("summary", "actor_name", "action")
    ordering = ("-at", "-pk")
    fields = readonly_fields = ("when", "actor_name", "action", "summary", "subject", "explained")

    @display(description="When", ordering="at")
    def when(self, entry: Entry) -> str:
        return moment(entry.at)

    @display(description="Object")
    def subject(self, entry: Entry) -> str:
        app, _, name = entry.subject_type.partition(".")
        word = f"{name} {entry.subject_id}"
        model = apps.all_models.get(app, {}).get(name)
        shown_by = self.admin_site._registry.get(model)
        if shown_by is None:
            return word
        page = getattr(shown_by, "page", "") or f"admin:{app}_{name}_change"
        address = reverse(page, args=[entry.subject_id])
        return format_html('<a class="link" href="{}">{}</a>', address, word)

    @display(description="Details")
    def explained(self, entry: Entry) -> str:
        if not entry.details:
            return "-"
        return format_html('<pre class="code">{}</pre>', json.dumps(entry.details, indent=2))
