"""Which client a logged-in user acts for.  Every query of the client area starts there."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from billing_portal.clients import queries

SESSION_KEY = "acting_client_id"


class ActingClientMiddleware:
    """Sets `request.acting_client` and `request.memberships`, both read only when used."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            request.memberships = SimpleLazyObject(  # type: ignore[attr-defined]
                lambda: queries.memberships_of(request.user)
            )
            request.acting_client = SimpleLazyObject(  # type: ignore[attr-defined]
                lambda: queries.client_of(
                    request.memberships,  # type: ignore[attr-defined]
                    request.session.get(SESSION_KEY),
                )
            )
        return self.get_response(request)
