"""Forms of the client area."""

from django import forms


class SignupForm(forms.Form):
    """Placeholder fields are added by the client area."""

    def signup(self, request, user):  # type: ignore[no-untyped-def]
        return user
