"""What every page of ours in the dashboard has: a permission, a person and a frame."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse

from billing_portal.accounts.models import User

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Crumb:
    """A step on the way to a page."""

    title: str
    address: str


def staff_page(*permissions: str) -> Callable[[View], View]:
    """A page for staff who have all `permissions`; others get 403, strangers the log-in."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.has_perms(permissions):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return admin.site.admin_view(guarded)

    return guard


def show(
    request: HttpRequest,
    template: str,
    *,
    title: str,
    crumbs: tuple[Crumb, ...] = (),
    context: Mapping[str, Any],
    status: int = 200,
) -> HttpResponse:
    """The page in the dashboard's frame."""
    frame = {
        **admin.site.each_context(request),
        "title": title,
        "crumbs": crumbs,
        "is_fullwidth": "1",
        **context,
    }
    return TemplateResponse(request, template, frame, status=status)


def member(request: HttpRequest) -> User:
    """The member of staff behind a request to one of our pages."""
    assert isinstance(request.user, User)  # staff_page lets nobody else in
    return request.user
