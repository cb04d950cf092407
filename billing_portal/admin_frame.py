"""What every admin class of the portal is made of.  Imports nothing of ours but `admin_csv`.

`PortalAdmin` is for what staff may edit, `ReadOnlyAdmin` for what only actions change.
Neither deletes unless it says so, and every saved change is reported to the admin site,
which writes it to the audit log (`staff.site.StaffSite.note_change`).
"""

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from unfold.admin import ModelAdmin
from unfold.views import ChangeList as UnfoldChangeList

from billing_portal.admin_csv import list_as_csv


class _PageList(UnfoldChangeList):
    """A list whose rows open the object's own page instead of its form."""

    def url_for_result(self, result: models.Model) -> str:
        if self.model_admin.page:
            return reverse(self.model_admin.page, args=[result.pk])
        return str(super().url_for_result(result))

    def get_results(self, request: HttpRequest) -> None:
        """Without a second count of the whole table, which large lists cannot afford."""
        super().get_results(request)
        if not self.has_active_filters and not self.query:
            self.full_result_count = self.result_count


class PortalAdmin(ModelAdmin):
    """An admin class that deletes nothing and whose changes end up in the audit log."""

    page: str = ""
    """Name of the address of the object's own page, if it has one."""
    list_per_page = 50
    show_full_result_count = False
    warn_unsaved_form = True
    list_after_template = "staff/parts/as_csv.html"
    deletable = False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The list, or with `?as=csv` the same rows as a file."""
        if request.GET.get("as") != "csv":
            return super().changelist_view(request, extra_context)
        if not self.has_view_permission(request):
            raise PermissionDenied
        # The list itself would take the parameter for a filter.
        asked = request.GET.copy()
        del asked["as"]
        request.GET = asked  # type: ignore[assignment]
        return list_as_csv(self.get_changelist_instance(request))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return _PageList

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.deletable and super().has_delete_permission(request, obj)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self.admin_site.note_change(request.user, obj, "added", _fields(message))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self.admin_site.note_change(request.user, obj, "changed", _fields(message))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            self.admin_site.note_change(request.user, obj, "deleted", [])
        return []

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """The object's lines in the audit log, which is the only history there is."""
        subject = {"subject_type__exact": self.opts.label_lower, "subject_id__exact": object_id}
        return HttpResponseRedirect(
            f"{reverse('admin:audit_entry_changelist')}?{urlencode(subject)}"
        )


class ReadOnlyAdmin(PortalAdmin):
    """An admin class that only shows: these rows are written by actions alone."""

    warn_unsaved_form = False

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


def _fields(message: Any) -> list[str]:
    """The names of the changed fields in an admin change message."""
    if not isinstance(message, list):
        return []
    named = [part.get("fields", []) for entry in message for part in entry.values()]
    return [name for names in named for name in names]
