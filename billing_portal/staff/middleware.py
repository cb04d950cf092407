"""What every answer below /staff/ carries."""

from collections.abc import Callable

from csp.utils import build_policy, default_config
from django.conf import settings
from django.http import HttpRequest, HttpResponse

PREFIX = "/staff/"


class StaffContentSecurityPolicy:
    """The content security policy of the dashboard.

    Unfold's Alpine needs 'unsafe-eval', which the rest of the portal does without.  An
    answer that already has a policy (the mail preview locks itself in) keeps it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.policy = build_policy(config=default_config(settings.STAFF_CONTENT_SECURITY_POLICY))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith(PREFIX):
            response.headers.setdefault("Content-Security-Policy", self.policy)
        return response
