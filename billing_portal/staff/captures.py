"""Staff take an invoice from a stored method now, and remove stored methods."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.invoices.models import Invoice
from billing_portal.payments import methods
from billing_portal.payments.models import StoredMethod
from billing_portal.staff import clients, invoices
from billing_portal.staff.forms import WishForm
from billing_portal.staff.page import member, show, staff_page
from billing_portal.workflows import captures


class TakeForm(WishForm):
    """From which of the client's methods."""

    method = forms.TypedChoiceField(label="From", coerce=int)

    def __init__(self, *args: Any, offered: list[StoredMethod], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["method"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [(one.pk, str(one)) for one in offered]


@staff_page("payments.add_transaction")
def take(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the gateway for what is open, whatever the schedule says."""
    invoice = get_object_or_404(Invoice.objects.select_related("client"), pk=pk)
    at = now()
    offered = captures.methods_for(invoice, at=at)
    if request.method == "POST" and not offered:
        messages.info(request, "Nothing more can be taken now: see the tries below.")
        return redirect("staff:invoice", pk=pk)
    form = TakeForm(request.POST or None, offered=offered)
    if request.method == "POST" and form.is_valid():
        try:
            captures.capture_now(
                pk,
                form.cleaned_data["method"],
                request_key=form.cleaned_data["key"],
                at=at,
                actor=member(request),
            )
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Asked for. This page shows the answer in a moment.")
            return redirect("staff:invoice", pk=pk)
    context = {"invoice": invoice, "form": form, "offered": offered}
    return show(
        request, "staff/take.html", title="Take", crumbs=invoices.crumbs(invoice), context=context
    )


@staff_page("payments.change_transaction")
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a client's method, once staff have confirmed it."""
    method = get_object_or_404(StoredMethod.objects.select_related("client"), pk=pk)
    if request.method == "POST":
        try:
            methods.remove(pk, at=now(), actor=member(request))
        except PortalError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"{method} was removed and is not charged any more.")
        return redirect("staff:client", pk=method.client_id)
    return show(
        request,
        "staff/remove_method.html",
        title="Remove",
        crumbs=clients.crumbs(method.client),
        context={"method": method},
    )
