"""The cap on what the usage of a service may cost per month, set or removed by staff."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.invoices.amounts import format_amount
from billing_portal.services import changing
from billing_portal.services.forms import CapForm
from billing_portal.services.models import Service
from billing_portal.staff.page import member, show, staff_page
from billing_portal.staff.services import crumbs


@staff_page("services.change_service")
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the amount; empty removes the cap."""
    service = get_object_or_404(Service.objects.select_related("client", "product"), pk=pk)
    terms: dict[str, Any] = {"currency": service.currency, "cap": service.usage_cap}
    form = CapForm(request.POST, **terms) if request.method == "POST" else CapForm(**terms)
    if form.is_bound and form.is_valid():
        cap = form.cleaned_data["cap"]
        try:
            changing.set_usage_cap(pk, cap=cap, at=now(), actor=member(request))
        except PortalError as error:
            form.add_error("cap", str(error))
        else:
            said = f"capped at {format_amount(cap, service.currency)}" if cap else "not capped"
            messages.success(request, f"The usage of {service} is {said}.")
            return redirect("staff:service", pk=pk)
    return show(
        request,
        "staff/service_cap.html",
        title="Cap",
        crumbs=crumbs(service, itself=True),
        context={"service": service, "form": form},
    )
