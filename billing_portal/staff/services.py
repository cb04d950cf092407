"""A service's pages: how it stands, its commands, its credentials, its live jobs."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from billing_portal.audit import actions as audit
from billing_portal.audit.queries import history_of
from billing_portal.automation.queries import planned_termination
from billing_portal.clock.reading import now
from billing_portal.custom_fields import answered
from billing_portal.errors import PortalError
from billing_portal.invoices import queries as invoices
from billing_portal.orders.changes import open_change
from billing_portal.products.queries import asked_fields
from billing_portal.services.models import Service
from billing_portal.services.queries import billable_statuses, open_cancellation
from billing_portal.staff import addons, commands, families
from billing_portal.staff.clients import crumbs as client_crumbs
from billing_portal.staff.commands import COMMANDS, Command
from billing_portal.staff.forms import ReasonForm, SuspendForm, TerminateForm, WishForm
from billing_portal.staff.page import Crumb, member, show, staff_page
from billing_portal.workflows.running_usage import month_of
from billing_portal.workflows.usage_alerts import limits_of
from provisioning import queries, registry
from provisioning.models import Job, Placement

HISTORY = 20


def crumbs(service: Service, *, itself: bool = False) -> tuple[Crumb, ...]:
    path = client_crumbs(service.client)
    if itself:
        path += (Crumb(str(service), reverse("staff:service", args=[service.pk])),)
    return path


@staff_page("services.view_service")
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """State, live details, commands, jobs, charges and the exchanges with the vendor."""
    service = _service(pk)
    placement = _placement(service)
    can_run = request.user.has_perm("services.change_service")
    offered = commands.commands_for(service) if can_run else []
    context = {
        "service": service,
        "summary": _summary(service, service.spec),
        "answers": answered(asked_fields(service.product, by_staff=True), service.custom_fields),
        "stands": _summary(service, placement.spec) if placement and placement.spec else "",
        "placement": placement,
        "planned": planned_termination(pk),
        "cancellation": open_cancellation(pk),
        "open_change": open_change(pk),
        "runs": service.status in billable_statuses(),
        "commands": offered,
        "has_danger": any(one.dangerous for one in offered),
        "has_credentials": bool(placement and placement.credentials),
        "cannot": commands.cannot(service),
        "usage_prices": service.usage_prices.all(),
        "addons": addons.rows_of(service),
        "charges": invoices.charges_of(pk)[:HISTORY],
        "lines": service.invoice_lines.select_related("invoice").order_by("-pk")[:HISTORY],
        "log": service.module_log.select_related("server").order_by("-at", "-pk")[:HISTORY],
        "history": history_of(service)[:HISTORY],
        "reason_form": ReasonForm(),
        **_live(service),
        **families.panel(service, now()),
        **_month(service),
    }
    return show(
        request, "staff/service.html", title=str(service), crumbs=crumbs(service), context=context
    )


@staff_page("services.view_service")
def live(request: HttpRequest, pk: int) -> HttpResponse:
    """The part of the service page that changes while a job runs; then the whole page."""
    context = _live(_service(pk))
    response = render(request, "staff/parts/jobs.html", context)
    if not context["has_open_job"]:
        response.headers["HX-Refresh"] = "true"
    return response


@staff_page("services.change_service")
def command(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """Restate the consequence; on confirmation have it done."""
    service = _service(pk)
    wanted = COMMANDS.get(key)
    if wanted is None:
        raise Http404
    if wanted not in commands.commands_for(service):
        messages.error(request, f"{wanted.name} does not apply to {service} as it stands.")
        return redirect("staff:service", pk=pk)
    form, spec_form = _forms(service, wanted, request.POST or None)
    if request.method == "POST" and form.is_valid() and (not spec_form or spec_form.is_valid()):
        try:
            answers = dict(form.cleaned_data)
            if spec_form:
                answers["spec"] = {**service.spec, **spec_form.cleaned_data}
            commands.run(service, wanted, answers=answers, at=now(), actor=member(request))
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, wanted.next_step)
            return redirect("staff:service", pk=pk)
    context = {
        "service": service,
        "command": wanted,
        "consequence": commands.consequence(service, wanted),
        "form": form,
        "spec_form": spec_form,
        "summary": _summary(service, service.spec),
    }
    return show(
        request,
        "staff/command.html",
        title=wanted.name,
        crumbs=crumbs(service, itself=True),
        context=context,
    )


@staff_page("services.change_service")
def reveal(request: HttpRequest, pk: int) -> HttpResponse:
    """The client's credentials, shown once and noted in the audit log."""
    service = _service(pk)
    placement = _placement(service)
    if request.method != "POST" or placement is None:
        return redirect("staff:service", pk=pk)
    audit.record(
        "service.credentials_revealed",
        service,
        summary=f"Credentials of {service} revealed",
        at=now(),
        actor=member(request),
        client_id=service.client_id,
    )
    context = {"credentials": _flat(placement.credentials), "service": service}
    return show(
        request,
        "staff/credentials.html",
        title="Credentials",
        crumbs=crumbs(service, itself=True),
        context=context,
    )


def _service(pk: int) -> Service:
    return get_object_or_404(
        Service.objects.select_related("client", "product__group", "order_item__order"), pk=pk
    )


def _placement(service: Service) -> Placement | None:
    return Placement.objects.filter(service=service).select_related("server").first()


def _live(service: Service) -> dict[str, Any]:
    jobs = list(queries.jobs_of(service.pk)[:HISTORY])
    return {
        "service": service,
        "jobs": jobs,
        "has_open_job": any(job.status in Job.OPEN for job in jobs),
        "at": now(),
    }


def _month(service: Service) -> dict[str, Any]:
    at = now()
    month = month_of(service, at=at)
    if month is None:
        return {"month": None}
    return {"month": month, "limits": list(limits_of(month)), "days_left": month.days_left(at)}


def _summary(service: Service, spec: Any) -> str:
    module = registry.modules().get(service.product.module_key)
    return module.summarise(spec) if module and spec else ""


def _forms(service: Service, wanted: Command, posted: Any) -> tuple[forms.Form, forms.Form | None]:
    """The confirmation, and for a resize the module's own questions."""
    if wanted.key in ("suspend", "hold"):
        return SuspendForm(posted), None
    if wanted.key == "terminate":
        return TerminateForm(posted, expected=service.label or str(service)), None
    if wanted.key == "resize":
        module = registry.module_class(service.product.module_key)
        asked = module.order_form(service.product.module_settings)
        return WishForm(posted), _numbers_of(asked(posted, initial=service.spec), service)
    return WishForm(posted), None


def _numbers_of(form: forms.Form, service: Service) -> forms.Form:
    """The order form without what cannot change afterwards: names stay as ordered."""
    for name, field in list(form.fields.items()):
        if not isinstance(field, forms.IntegerField) or name not in service.spec:
            del form.fields[name]
    return form


def _flat(credentials: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested credentials as rows: the path to each value, and the value."""
    pairs: Iterable[tuple[Any, Any]]
    if isinstance(credentials, dict):
        pairs = credentials.items()
    elif isinstance(credentials, list):
        pairs = enumerate(credentials, start=1)
    else:
        return [(prefix, str(credentials))]
    return [row for key, value in pairs for row in _flat(value, f"{prefix} {key}".strip())]
