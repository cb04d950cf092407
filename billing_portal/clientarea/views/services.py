"""A client's services: the list, one service, its secrets, and changing it."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing_portal.automation.queries import planned_termination
from billing_portal.clientarea import credentials, panels
from billing_portal.clientarea.access import ClientRequest, for_client, for_row
from billing_portal.clientarea.configuring import Configuring
from billing_portal.clientarea.forms import new_key
from billing_portal.clientarea.leaving import wishes
from billing_portal.clientarea.lights import Light, service_light
from billing_portal.clientarea.outlook import Outlook, outlook
from billing_portal.clientarea.progress import progress
from billing_portal.clientarea.resizing import Resize
from billing_portal.clientarea.service_addons import addon_rows, can_add
from billing_portal.clientarea.spending import spending
from billing_portal.clientarea.standing import latest_job, summary, with_standing
from billing_portal.clientarea.use_graph import use_graph
from billing_portal.clients.models import Permission
from billing_portal.clock.reading import now
from billing_portal.custom_fields import answered
from billing_portal.errors import PortalError
from billing_portal.invoices.models import BillingSettings
from billing_portal.invoices.queries import billing_rules, charges_of
from billing_portal.products.queries import asked_fields
from billing_portal.services.forms import CapForm
from billing_portal.services.models import Service
from billing_portal.services.queries import services_of
from billing_portal.services.states import ENDED, ServiceStatus
from billing_portal.workflows.change_service import request_change
from provisioning.models import Placement

RECENT = 6
Listed = tuple[Service, Light, Outlook, str]
"""A service with its light, its price to come, and what stands in a few words."""


@require_GET
@for_client(Permission.PRODUCTS)
def services(request: ClientRequest) -> HttpResponse:
    """What the client has; what has ended stands apart."""
    rows = listed(services_of(request.acting_client.pk))
    context = {
        "rows": [row for row in rows if row[0].status not in ENDED],
        "ended": [row for row in rows if row[0].status in ENDED],
    }
    return render(request, "clientarea/services.html", context)


def listed(services: QuerySet[Service]) -> list[Listed]:
    """Services with what a list says about them, in as many queries for one as for all."""
    at, rules = now(), billing_rules()
    return [
        (row, service_light(row, latest_job(row)), _outlook(row, rules, at), summary(row))
        for row in with_standing(services)
    ]


def _services() -> QuerySet[Service]:
    return with_standing(Service.objects.all())


@require_GET
@for_row(Permission.PRODUCTS, _services)
def service(request: ClientRequest, service: Service) -> HttpResponse:
    return service_page(request, service)


@require_GET
@for_row(Permission.PRODUCTS, _services)
def job(request: ClientRequest, service: Service) -> HttpResponse:
    """The line about the work in progress; once that ends, the whole page is loaded anew."""
    present = progress(latest_job(service), at=now())
    response = render(
        request, "clientarea/parts/job.html", {"service": service, "progress": present}
    )
    if present is None or not present.is_open:
        response["HX-Refresh"] = "true"
    return response


@never_cache
@require_POST
@for_row(Permission.MANAGE_PRODUCTS, _services)
def reveal(request: ClientRequest, service: Service) -> HttpResponse:
    """Show one secret: as a fragment for htmx, else on the whole page.  Both are kept nowhere."""
    placement = Placement.objects.filter(service=service).select_related("service__product").first()
    if placement is None or service.status != ServiceStatus.ACTIVE:
        raise Http404
    row = credentials.reveal(
        placement, request.POST.get("secret", ""), actor=request.user, at=now()
    )
    if row is None:
        raise Http404
    if request.htmx:
        context = {"service": service, "row": row, "can_reveal": True, "revealed": row}
        return render(request, "clientarea/parts/secret.html", context)
    return service_page(request, service, revealed=row)


@require_http_methods(["GET", "POST"])
@for_row(Permission.MANAGE_PRODUCTS, _services)
def resize(request: ClientRequest, service: Service) -> HttpResponse:
    """Two steps: the new size with its price effect, then the confirmation."""
    if request.method == "GET":
        return redirect("clientarea:service", pk=service.pk)
    change = Resize(service, request.POST, at=now())
    if not change.is_offered:
        messages.error(request, f"{service} cannot be changed now.")
        return redirect("clientarea:service", pk=service.pk)
    if not change.is_valid():
        return service_page(request, service, change=change)
    if "confirm" not in request.POST:
        context = {"service": service, "change": change, "effect": change.effect(now())}
        return render(request, "clientarea/resize.html", context)
    try:
        request_change(
            service.pk,
            spec=change.new_spec,
            request_key=f"client:{service.pk}:{request.POST.get('request_key', '')[:64]}",
            at=now(),
            actor=request.user,
        )
    except PortalError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, change.done_sentence)
    return redirect("clientarea:service", pk=service.pk)


def service_page(
    request: ClientRequest,
    service: Service,
    *,
    revealed: credentials.Row | None = None,
    change: Resize | None = None,
    configuring: Configuring | None = None,
    capping: CapForm | None = None,
) -> HttpResponse:
    """The whole page, with a secret shown or a refused change if there is one."""
    at = now()
    placement = Placement.objects.filter(service=service).first()
    can_manage = request.membership.allows(Permission.MANAGE_PRODUCTS)
    is_active = service.status == ServiceStatus.ACTIVE
    resizing = change or Resize(service, None, at=at)
    configuring = configuring or Configuring(service, at=at)
    context = {
        "service": service,
        "light": service_light(service, latest_job(service)),
        "summary": summary(service),
        "answers": answered(asked_fields(service.product), service.custom_fields),
        "outlook": _outlook(service, billing_rules(), at),
        "progress": progress(latest_job(service), at=at),
        "planned": planned_termination(service.pk)
        if service.status == ServiceStatus.SUSPENDED
        else None,
        "order_id": getattr(service, "order_item", None) and service.order_item.order_id,
        "panel": panels.panel(service, placement, at=at),
        "can_reveal": can_manage and is_active,
        "revealed": revealed,
        "resize": resizing if can_manage and resizing.is_offered else None,
        "use": use_graph(service, request.GET.get("use", ""), at=at),
        "settings": configuring if can_manage and configuring.is_offered else None,
        "spending": spending(service, at=at, form=capping),
        "request_key": new_key(),
        "wishes": wishes(service, at=at),
        "addon_rows": addon_rows(service),
        "can_add": can_add(service),
        "charges": charges_of(service.pk)[:RECENT]
        if request.membership.allows(Permission.INVOICES)
        else [],
    }
    return render(request, "clientarea/service.html", context)


def _outlook(service: Service, rules: BillingSettings, at: Any) -> Outlook:
    return outlook(service, service.usage_prices.all(), rules=rules, at=at)
