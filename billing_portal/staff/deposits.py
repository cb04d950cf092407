"""What clients may pay in advance: whether at all, and within which limits."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from billing_portal.clock.reading import now
from billing_portal.payments import actions
from billing_portal.payments.models import PaymentSettings
from billing_portal.payments.queries import payment_rules
from billing_portal.staff.page import member, show, staff_page


class DepositsForm(forms.ModelForm):
    """The one row of payment settings."""

    class Meta:
        model = PaymentSettings
        fields = ("deposits", "deposit_minimum", "deposit_maximum", "credit_maximum")
        labels = {  # noqa: RUF012
            "deposit_minimum": "At least",
            "deposit_maximum": "At most",
            "credit_maximum": "Most credit a client can have through deposits",
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        least, most = cleaned.get("deposit_minimum"), cleaned.get("deposit_maximum")
        if least is not None and least <= 0:
            self.add_error("deposit_minimum", "A deposit is more than zero.")
        elif least is not None and most is not None and most < least:
            self.add_error("deposit_maximum", "This is less than the least.")
        return cleaned


@staff_page("payments.view_paymentsettings")
def page(request: HttpRequest) -> HttpResponse:
    """The limits, in the seller's currency; other currencies follow their exchange rate."""
    may_change = request.user.has_perm("payments.change_paymentsettings")
    form = DepositsForm(request.POST or None, instance=payment_rules())
    if request.method == "POST":
        if not may_change:
            raise PermissionDenied
        if form.is_valid():
            actions.save_rules(form.instance, at=now(), actor=member(request))
            messages.success(request, "Saved. It holds for deposits from now on.")
            return redirect("staff:deposits")
    context = {"form": form, "may_change": may_change, "own": settings.DEFAULT_CURRENCY}
    return show(request, "staff/deposits.html", title="Deposits", context=context)
