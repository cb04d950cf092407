"""The cap a client sets on what a service's usage may cost per month."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from billing_portal.clientarea.access import ClientRequest, for_row
from billing_portal.clientarea.spending import spending
from billing_portal.clientarea.standing import with_standing
from billing_portal.clientarea.views.services import service_page
from billing_portal.clients.models import Permission
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.invoices.amounts import format_amount
from billing_portal.services import changing
from billing_portal.services.forms import CapForm
from billing_portal.services.models import Service


def _services() -> QuerySet[Service]:
    return with_standing(Service.objects.all())


@require_http_methods(["GET", "POST"])
@for_row(Permission.MANAGE_PRODUCTS, _services)
def cap(request: ClientRequest, service: Service) -> HttpResponse:
    """Set the cap, or take it away with an empty field."""
    at = now()
    page = redirect("clientarea:service", pk=service.pk)
    if request.method == "GET":
        return page
    if spending(service, at=at) is None:
        messages.error(request, f"{service} has no usage that could be capped.")
        return page
    form = CapForm(request.POST, currency=service.currency, cap=service.usage_cap)
    if not form.is_valid():
        return service_page(request, service, capping=form)
    wanted = form.cleaned_data["cap"]
    try:
        changing.set_usage_cap(service.pk, cap=wanted, at=at, actor=request.user)
    except PortalError as error:
        messages.error(request, str(error))
        return page
    if wanted is None:
        messages.success(request, "There is no cap any more.")
    else:
        said = format_amount(wanted, service.currency)
        messages.success(request, f"Capped at {said}. We write at 50, 80 and 100 % of it.")
    return page
