"""Logging in at /staff/: Unfold's page, allauth's limits and second factor.

Django's own admin log-in would let a member of staff in without the authenticator code
that the client area asks for, and would not slow down guessing.
"""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.decorators import rate_limit
from django.contrib.auth.views import LoginView
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from unfold.forms import AuthenticationForm


class StaffLoginForm(AuthenticationForm):
    """E-mail address and password of an active member of staff."""

    error_messages = {  # noqa: RUF012
        "invalid_login": "This e-mail address and password do not open the staff dashboard.",
        "inactive": "This account is switched off.",
    }

    def clean(self) -> dict[str, Any]:
        """The form's fields, once they name somebody who may come in."""
        email = self.cleaned_data.get("username")
        password = self.cleaned_data.get("password")
        if email and password:
            # Raises a form error once there were too many failures.
            self.user_cache = get_adapter().authenticate(
                self.request, email=email, password=password
            )
            if self.user_cache is None:
                raise self.get_invalid_login_error()
            self.confirm_login_allowed(self.user_cache)
        return dict(self.cleaned_data)


@method_decorator(rate_limit(action="login"), name="dispatch")
class StaffLoginView(LoginView):
    form_class = StaffLoginForm
    template_name = "staff/login.html"

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """The dashboard, or first the page that asks for the second factor."""
        user = form.get_user()
        login = Login(user=user, email=user.email, redirect_url=self.get_success_url())
        response: HttpResponse
        try:
            response = perform_password_login(self.request, {"email": user.email}, login)
        except ImmediateHttpResponse as early:
            response = early.response
        return response
