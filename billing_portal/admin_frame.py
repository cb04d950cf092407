"""What every admin class of the portal is made of.  Imports nothing of ours.

`PortalAdmin` is for what staff may edit, `ReadOnlyAdmin` for what only actions change.
Neither deletes unless it says so, and every saved change is reported to the admin site,
which writes it to the audit log (`staff.site.StaffSite.note_change`).
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django import forms
from django.contrib.admin.views.main import ChangeList
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from unfold.admin import ModelAdmin
from unfold.views import ChangeList as UnfoldChangeList
from unfold.widgets import INPUT_CLASSES, SELECT_CLASSES, SWITCH_CLASSES, TEXTAREA_CLASSES

LIGHTS: Mapping[str, tuple[str, str]] = {
    "active": ("green", "check_circle"),
    "done": ("green", "check_circle"),
    "paid": ("green", "check_circle"),
    "sent": ("green", "check_circle"),
    "ok": ("green", "check_circle"),
    "pending": ("amber", "schedule"),
    "queued": ("amber", "schedule"),
    "waiting": ("amber", "schedule"),
    "requeued": ("amber", "schedule"),
    "running": ("blue", "sync"),
    "placed": ("blue", "receipt_long"),
    "unpaid": ("blue", "receipt_long"),
    "overdue": ("red", "error"),
    "suspended": ("orange", "pause_circle"),
    "paused": ("orange", "pause_circle"),
    "failed": ("red", "error"),
    "fraud": ("red", "gpp_bad"),
    "unrated": ("red", "error"),
}
"""State -> colour and icon.  States not listed are over: grey."""
_OVER = ("grey", "radio_button_unchecked")


def light(state: str, word: str) -> SafeString:
    """A state as colour, icon and word, so that no reader depends on one of them."""
    colour, icon = LIGHTS.get(state, _OVER)
    return format_html(
        '<span class="light light-{}"><span class="material-symbols-outlined" aria-hidden="true">'
        "{}</span>{}</span>",
        colour,
        icon,
        word,
    )


def amount(text: str) -> SafeString:
    """A number that lines up with the numbers above and below it."""
    return format_html('<span class="amount">{}</span>', text)


def moment(value: datetime | None) -> str:
    """A day and time with its zone: "Nov 20, 2026, 15:00 UTC"; a dash for never."""
    return date_format(localtime(value), "M j, Y, H:i T") if value else "-"


def day(value: date | None) -> str:
    """A calendar day: "Nov 20, 2026"; a dash for none."""
    return date_format(value, "M j, Y") if value else "-"


def dress(fields: Iterable[forms.Field]) -> None:
    """Give form fields from elsewhere the look of the dashboard's own."""
    for field in fields:
        for kind, classes in _CLASSES:
            if isinstance(field.widget, kind):
                field.widget.attrs["class"] = " ".join(classes)
                break


_CLASSES: list[tuple[Any, list[str]]] = [
    ((forms.CheckboxSelectMultiple, forms.RadioSelect), []),
    (forms.CheckboxInput, SWITCH_CLASSES),
    (forms.Select, SELECT_CLASSES),
    (forms.Textarea, TEXTAREA_CLASSES),
    (forms.Widget, INPUT_CLASSES),
]
"""The first match decides."""


class _PageList(UnfoldChangeList):
    """A list whose rows open the object's own page instead of its form."""

    def url_for_result(self, result: models.Model) -> str:
        if self.model_admin.page:
            return reverse(self.model_admin.page, args=[result.pk])
        return str(super().url_for_result(result))


class PortalAdmin(ModelAdmin):
    """An admin class that deletes nothing and whose changes end up in the audit log."""

    page: str = ""
    """Name of the address of the object's own page, if it has one."""
    list_per_page = 50
    show_full_result_count = False
    warn_unsaved_form = True
    deletable = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return _PageList

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.deletable and super().has_delete_permission(request, obj)

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> None:
        self.admin_site.note_change(request.user, obj, "added", _fields(message))

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> None:
        self.admin_site.note_change(request.user, obj, "changed", _fields(message))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        for obj in queryset:
            self.admin_site.note_change(request.user, obj, "deleted", [])

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
