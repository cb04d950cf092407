"""Who may see what.  Every view of the client area is wrapped by one of these.

`for_client` serves pages about the client the user acts for.  `for_row` serves pages
about one row of a client: the row is looked up among all clients of the user, so that a
link in a mail works whichever of them is chosen; anybody else's row is a 404.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from billing_portal.accounts.models import User
from billing_portal.clientarea.middleware import SESSION_KEY
from billing_portal.clients.models import Client, Membership, Permission

P = ParamSpec("P")
Row = TypeVar("Row", bound=Model)


class ClientRequest(HttpRequest):
    """A request of a logged-in user who acts for a client."""

    user: User
    acting_client: Client
    memberships: list[Membership]
    membership: Membership
    htmx: Any


ClientView = Callable[Concatenate[ClientRequest, P], HttpResponse]
AnyView = Callable[Concatenate[HttpRequest, P], HttpResponse]

WORDS = {
    Permission.PROFILE: "see or change the company's details",
    Permission.CONTACTS: "manage contacts",
    Permission.PRODUCTS: "see services",
    Permission.MANAGE_PRODUCTS: "see passwords or change services",
    Permission.INVOICES: "see invoices and payments",
    Permission.ORDERS: "place orders",
    Permission.EMAILS: "read mails",
}


def for_client(permission: Permission | None) -> Callable[[ClientView[P]], AnyView[P]]:
    """Serve a view to users who may do `permission` for the client they act for.

    None lets every member in.  Logged out: the log-in page.  Without a client: the page
    that makes one.  Without the permission: 403 with a sentence.
    """

    def wrap(view: ClientView[P]) -> AnyView[P]:
        @wraps(view)
        def checked(request: Any, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not request.user.is_authenticated:
                return to_login(request)
            if not request.memberships:
                return _to_new_client(request)
            request.membership = next(
                m for m in request.memberships if m.client_id == request.acting_client.pk
            )
            if permission:
                _refuse_unless(request.membership, permission)
            return view(request, *args, **kwargs)

        return checked

    return wrap


def for_row(
    permission: Permission, rows: Callable[[], QuerySet[Row]]
) -> Callable[[Callable[[ClientRequest, Row], HttpResponse]], Callable[..., HttpResponse]]:
    """Serve a view about one row, which must belong to a client the user may act for.

    `rows` gives the queryset to look in; its model has `client`.  The view gets the row
    in place of its key, and the row's client becomes the one acted for.
    """

    def wrap(view: Callable[[ClientRequest, Row], HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def checked(request: Any, /, **lookup: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return to_login(request)
            own = {m.client_id: m for m in request.memberships}
            row: Any = get_object_or_404(rows().filter(client_id__in=own), **lookup)
            request.membership = own[row.client_id]
            act_for(request, request.membership.client)
            _refuse_unless(request.membership, permission)
            return view(request, row)

        return checked

    return wrap


def act_for(request: Any, client: Client) -> None:
    """Make `client` the one the user acts for, now and on the next pages."""
    if client.pk != request.acting_client.pk:
        request.session[SESSION_KEY] = client.pk
        request.acting_client = client
        messages.info(request, f"You are now acting for {client}.")


def to_login(request: HttpRequest) -> HttpResponse:
    """The log-in page, and back to the page that was asked for.

    A part of a page that loads itself anew gets no log-in form in its place: the browser
    is told to load the whole page again.
    """
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    if request.method == "POST":
        return redirect("account_login")
    return redirect_to_login(request.get_full_path())


def _to_new_client(request: HttpRequest) -> HttpResponse:
    query = urlencode({"next": request.get_full_path()}) if request.method == "GET" else ""
    return redirect(f"{reverse('clientarea:new_client')}?{query}")


def _refuse_unless(membership: Membership, permission: Permission) -> None:
    if not membership.allows(permission):
        raise PermissionDenied(
            f"You may not {WORDS[permission]} for {membership.client}. "
            "Its owner can grant you that."
        )
