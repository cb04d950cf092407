"""The staff site: Unfold's admin site with our log-in, our home page and our audit log."""

from typing import Any, cast

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from unfold.sites import UnfoldAdminSite

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.clients.models import Client
from billing_portal.clock.reading import now
from billing_portal.staff.login import StaffLoginForm, StaffLoginView


class StaffSite(UnfoldAdminSite):
    index_template = "staff/home.html"
    index_title = "Home"
    login_form = StaffLoginForm

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Log in by e-mail and password, with the limits and second factor clients have."""
        index = reverse("admin:index")
        if request.method == "GET" and self.has_permission(request):
            return redirect(index)
        context = {
            **self.each_context(request),
            "title": "Log in",
            "app_path": request.get_full_path(),
            **(extra_context or {}),
        }
        if REDIRECT_FIELD_NAME not in request.GET and REDIRECT_FIELD_NAME not in request.POST:
            context[REDIRECT_FIELD_NAME] = index
        view = StaffLoginView.as_view(extra_context=context, next_page=index)
        return cast("HttpResponse", view(request))

    def note_change(self, actor: User, obj: models.Model, verb: str, fields: list[str]) -> None:
        """Write to the audit log that a member of staff saved or deleted `obj` in a form."""
        what = f"{obj._meta.verbose_name} {obj}".strip()
        summary = f"{what} {verb}" + (f": {', '.join(fields)}" if fields else "")
        audit.record(
            f"{obj._meta.model_name}.{verb}",
            obj,
            summary=summary[0].upper() + summary[1:],
            at=now(),
            actor=actor,
            client_id=_client_of(obj),
            details={"fields": fields} if fields else {},
        )


def _client_of(obj: models.Model) -> int | None:
    """The client whose timeline shows a change of `obj`, if it belongs to one."""
    return obj.pk if isinstance(obj, Client) else getattr(obj, "client_id", None)
