"""When a service ends by itself: set, moved or taken away."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.services import schedule
from billing_portal.services.models import Service
from billing_portal.staff.forms import WishForm
from billing_portal.staff.page import member, show, staff_page
from billing_portal.staff.services import crumbs


class TermForm(WishForm):
    ends_on = forms.DateField(
        label="Ends on",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="The first day without the service. Empty: it runs on until somebody ends it.",
    )


@staff_page("services.change_service")
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the day; the client is told a week and a day before it."""
    service = get_object_or_404(Service.objects.select_related("client", "product"), pk=pk)
    form = TermForm(request.POST or None, initial={"ends_on": service.ends_on})
    if request.method == "POST" and form.is_valid():
        day = form.cleaned_data["ends_on"]
        try:
            schedule.set_term(pk, ends_on=day, at=now(), actor=member(request))
        except PortalError as error:
            form.add_error("ends_on", str(error))
        else:
            messages.success(request, _done(service, bool(day)))
            return redirect("staff:service", pk=pk)
    return show(
        request,
        "staff/service_term.html",
        title="End",
        crumbs=crumbs(service, itself=True),
        context={"service": service, "form": form},
    )


def _done(service: Service, ends: bool) -> str:
    if not ends:
        return f"{service} runs on until somebody ends it."
    return (
        f"Saved. {service.client} is told a week before {service} ends, and again the day before."
    )
