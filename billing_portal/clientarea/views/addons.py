"""Adding something to a service, and ending it: each with a page that asks before it acts."""

from typing import Any

from django.contrib import messages
from django.db.models import F, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from billing_portal.clientarea import printing
from billing_portal.clientarea.access import ClientRequest, for_row
from billing_portal.clientarea.forms import new_key
from billing_portal.clientarea.service_addons import AddonForm, can_add
from billing_portal.clients.models import Permission
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.services import addons
from billing_portal.services.models import Service, ServiceAddon
from billing_portal.services.states import ENDED, ServiceStatus
from billing_portal.workflows import addon_orders


def _services() -> QuerySet[Service]:
    return Service.objects.select_related("product", "client")


def _addons() -> QuerySet[ServiceAddon]:
    rows = ServiceAddon.objects.annotate(client_id=F("service__client_id"))
    return rows.select_related("addon", "service__product")


@require_http_methods(["GET", "POST"])
@for_row(Permission.ORDERS, _services)
def add(request: ClientRequest, service: Service) -> HttpResponse:
    """Two steps: choose, then see what is due now and confirm."""
    is_active = service.status == ServiceStatus.ACTIVE
    if not is_active or (request.method == "GET" and not can_add(service)):
        messages.error(request, f"There is nothing to add to {service} now.")
        return redirect("clientarea:service", pk=service.pk)
    form = AddonForm(request.POST or None, service=service)
    context: dict[str, Any] = {"service": service, "form": form, "request_key": new_key()}
    if request.method == "POST" and form.is_valid():
        try:
            if "confirm" in request.POST:
                return _ordered(request, service, form)
            wanted = addon_orders.wish(service, **_asked(form))
            draft = addon_orders.preview(service, wanted, at=now())
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            context |= {"wanted": wanted, "draft": draft}
            return render(request, "clientarea/addon_preview.html", context)
    return render(request, "clientarea/addon.html", context)


@require_http_methods(["GET", "POST"])
@for_row(Permission.ORDERS, _addons)
def end(request: ClientRequest, row: ServiceAddon) -> HttpResponse:
    """Say when it would end, and end it on confirmation."""
    if row.status in ENDED or row.ends_on:
        messages.info(request, f"{row.addon} ends already.")
    elif request.method == "GET":
        context = {"row": row, "pending": row.status == ServiceStatus.PENDING}
        return render(request, "clientarea/addon_end.html", context)
    else:
        _end(request, row)
    return redirect("clientarea:service", pk=row.service_id)


@require_POST
@for_row(Permission.ORDERS, _addons)
def keep(request: ClientRequest, row: ServiceAddon) -> HttpResponse:
    """Take back that it ends."""
    kept = addons.keep(row.pk, at=now(), actor=request.user)
    if kept.status in ENDED:
        messages.error(request, f"{row.addon} has ended already.")
    else:
        messages.success(request, f"{row.addon} goes on as before.")
    return redirect("clientarea:service", pk=row.service_id)


def _asked(form: AddonForm) -> dict[str, Any]:
    return {
        "addon_id": form.addon_id,
        "cycle": form.cycle,
        "quantity": form.cleaned_data["quantity"],
    }


def _ordered(request: ClientRequest, service: Service, form: AddonForm) -> HttpResponse:
    row = addon_orders.order(
        service.pk,
        **_asked(form),
        request_key=f"client:{service.pk}:{request.POST.get('request_key', '')[:50]}",
        at=now(),
        actor=request.user,
    )
    if row.status != ServiceStatus.PENDING:
        messages.success(request, f"{row.addon} is now part of {service}.")
        return redirect("clientarea:service", pk=service.pk)
    messages.success(request, f"{row.addon} is ordered. It begins as soon as it is paid.")
    invoice = addon_orders.invoice_of(row)
    if invoice and request.membership.allows(Permission.INVOICES):
        return redirect("clientarea:invoice", pk=invoice.pk)
    return redirect("clientarea:service", pk=service.pk)


def _end(request: ClientRequest, row: ServiceAddon) -> None:
    try:
        ended = addon_orders.cancel(row.pk, at=now(), actor=request.user)
    except PortalError as error:
        messages.error(request, str(error))
        return
    if ended.status in ENDED:
        messages.success(request, f"{row.addon} has ended.")
    else:
        day = printing.day(ended.ends_on) if ended.ends_on else ""
        messages.success(request, f"{row.addon} ends on {day}. Until then nothing changes.")
