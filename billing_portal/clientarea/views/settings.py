"""Changing the settings of a service: one small form at a time, carried out by a job."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from billing_portal.clientarea.access import ClientRequest, for_row
from billing_portal.clientarea.configuring import Configuring
from billing_portal.clientarea.standing import with_standing
from billing_portal.clientarea.views.services import service_page
from billing_portal.clients.models import Permission
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.services.models import Service
from billing_portal.workflows.change_service import request_settings


def _services() -> QuerySet[Service]:
    return with_standing(Service.objects.all())


@require_http_methods(["GET", "POST"])
@for_row(Permission.MANAGE_PRODUCTS, _services)
def configure(request: ClientRequest, service: Service) -> HttpResponse:
    """Wish what one form says; the form is named in it."""
    page = redirect("clientarea:service", pk=service.pk)
    if request.method == "GET":
        return page
    sent = Configuring(service, at=now(), key=request.POST.get("setting", ""), posted=request.POST)
    if not sent.is_offered:
        messages.error(request, f"The settings of {service} cannot be changed now.")
        return page
    if sent.key not in sent.forms:
        raise Http404
    if not sent.sent.is_valid():
        return service_page(request, service, configuring=sent)
    if not sent.sent.is_change:
        messages.info(request, f"{sent.sent.title} is so already; nothing was changed.")
        return page
    try:
        sent.check_cap()
        request_settings(
            service.pk,
            changes=sent.sent.changes,
            request_key=f"settings:{service.pk}:{request.POST.get('request_key', '')[:64]}",
            at=now(),
            actor=request.user,
        )
    except PortalError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{sent.sent.done} within a minute; this page updates itself.")
    return page
