"""What allauth asks the portal: where a person goes after logging in."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class PortalAccountAdapter(DefaultAccountAdapter):
    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Staff land on their dashboard, customers in the client area."""
        if request.user.is_staff:
            return "/staff/"
        return "/"
