"""Servers, jobs and the module log in the staff dashboard.

A server's form asks its module for the credentials it needs.  Stored ones are never
shown: an empty field keeps what is there.
"""

from typing import Any

from django.contrib import admin
from django.db.models import Count, F, Q, QuerySet, Value
from django.db.models.lookups import GreaterThan
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.contrib.filters.admin import RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from billing_portal.admin_frame import PortalAdmin, ReadOnlyAdmin
from billing_portal.admin_print import amount, light, moment
from billing_portal.clock.reading import now
from provisioning import registry
from provisioning.forms import ServerForm
from provisioning.models import Job, ModuleLog, Server


@admin.register(Server)
class ServerAdmin(PortalAdmin):
    page = "staff:server"
    form = ServerForm
    list_display = ("name", "module", "base_url", "used", "state")
    list_filter = ("module_key", "disabled")
    search_fields = ("name", "base_url")
    ordering = ("module_key", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Server]:
        standing = Count("placements", filter=Q(placements__removed_at__isnull=True))
        is_paused = GreaterThan(F("paused_until"), Value(now()))
        return super().get_queryset(request).annotate(standing=standing, is_paused=is_paused)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """First ask which module: the form depends on it."""
        if request.GET.get("module") in registry.modules():
            return super().add_view(request, form_url, extra_context)
        context = {
            **self.admin_site.each_context(request),
            "title": "Add a server",
            "opts": self.opts,
            "choices": registry.module_choices(),
        }
        return TemplateResponse(request, "staff/choose_module.html", context)

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        key = obj.module_key if obj else request.GET.get("module", "")
        # The real fields first: the admin would look for the module's among the model's.
        kwargs["fields"] = None
        form = super().get_form(request, obj, **kwargs)
        return form.for_module(key)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        key = obj.module_key if obj else request.GET.get("module", "")
        credentials = [f"credential_{name}" for name in ServerForm.questions(key)]
        shown: list[tuple[str | None, dict[str, Any]]] = [
            (
                None,
                {
                    "fields": (
                        ("name", "base_url"),
                        ("is_default", "disabled"),
                        "max_services",
                        "notes",
                    )
                },
            )
        ]
        if credentials and self.has_change_permission(request, obj):
            shown.append(("Credentials", {"fields": credentials}))
        return shown

    @display(description="Module", ordering="module_key")
    def module(self, server: Server) -> str:
        found = registry.modules().get(server.module_key)
        return found.name if found else f"{server.module_key} (not installed)"

    @display(description="Services", ordering="standing")
    def used(self, server: Any) -> str:
        limit = f" of {server.max_services}" if server.max_services else ""
        return amount(f"{server.standing}{limit}")

    @display(description="State")
    def state(self, server: Any) -> str:
        if server.is_paused:
            return light("paused", f"Paused until {moment(server.paused_until)}")
        return light("off", "Takes no new services") if server.disabled else light("ok", "In use")


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    page = "staff:job"
    list_display = ("name", "service", "client", "asked", "tries", "state", "last_error")
    list_filter = ("status", "kind", ("created_at", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("service__client", "service__product")
    search_fields = ("service__label", "service__client__company_name", "last_error")
    ordering = ("-pk",)
    fields = readonly_fields = (
        *("service", "kind", "spec", "status", "due_at", "attempts", "last_error"),
        *("requested_by", "created_at", "started_at", "finished_at"),
    )

    @display(description="Job", ordering="pk")
    def name(self, job: Job) -> str:
        return f"{job.get_kind_display()} #{job.pk}"

    @display(description="Client")
    def client(self, job: Job) -> str:
        return str(job.service.client)

    @display(description="Asked for", ordering="created_at")
    def asked(self, job: Job) -> str:
        return moment(job.created_at)

    @display(description="Tries", ordering="attempts")
    def tries(self, job: Job) -> str:
        return amount(str(job.attempts))

    @display(description="State", ordering="status")
    def state(self, job: Job) -> str:
        return light(job.status, job.get_status_display())


@admin.register(ModuleLog)
class ModuleLogAdmin(ReadOnlyAdmin):
    paginator = InfinitePaginator  # counting a long table takes longer than a page
    page = "staff:exchange"
    list_display = ("action", "server", "service", "when", "answer", "took")
    list_filter = (
        ("server", RelatedDropdownFilter),
        "status",
        ("at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    list_select_related = ("server", "service__product")
    search_fields = ("action", "service__label")
    ordering = ("-at", "-pk")
    fields = readonly_fields = (
        *("action", "server", "service", "job", "at", "status", "duration_ms"),
        *("request", "response"),
    )

    @display(description="When", ordering="at")
    def when(self, entry: ModuleLog) -> str:
        return moment(entry.at)

    @display(description="Answer", ordering="status")
    def answer(self, entry: ModuleLog) -> str:
        if entry.status is None:
            return light("failed", "No answer")
        return light("ok" if entry.status < 400 else "failed", str(entry.status))

    @display(description="Took", ordering="duration_ms")
    def took(self, entry: ModuleLog) -> str:
        return amount(f"{entry.duration_ms} ms")
