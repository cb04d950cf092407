"""A server's page: what lives there, whether it answers, and where it disagrees with us."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from billing_portal.audit import actions as audit
from billing_portal.audit.queries import history_of
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.staff.page import Crumb, member, show, staff_page
from provisioning import actions as provisioning
from provisioning import drift, registry
from provisioning.models import ModuleLog, Server

SHOWN = 50


def crumbs(server: Server | None = None) -> tuple[Crumb, ...]:
    path = [Crumb("Servers", reverse("admin:provisioning_server_changelist"))]
    if server:
        path.append(Crumb(server.name, reverse("staff:server", args=[server.pk])))
    return tuple(path)


@staff_page("provisioning.view_server")
def page(request: HttpRequest, pk: int) -> HttpResponse:
    server = get_object_or_404(Server, pk=pk)
    at = now()
    placements = server.placements.select_related("service__client", "service__product")
    module = registry.modules().get(server.module_key)
    context = {
        "server": server,
        "module": module.name if module else f"{server.module_key} (not installed)",
        "is_paused": server.paused_until is not None and server.paused_until > at,
        "placements": placements.filter(removed_at__isnull=True).order_by("-pk")[:SHOWN],
        "standing": placements.filter(removed_at__isnull=True).count(),
        "stored": sorted(name for name, value in server.credentials.items() if value),
        "log": ModuleLog.objects.filter(server=server).select_related("service__product")[:20],
        "history": history_of(server)[:20],
        "at": at,
    }
    return show(request, "staff/server.html", title=server.name, crumbs=crumbs(), context=context)


@staff_page("provisioning.view_server", "provisioning.change_job")
def test(request: HttpRequest, pk: int) -> HttpResponse:
    """Knock at the server, layer by layer."""
    server = get_object_or_404(Server, pk=pk)
    if request.method != "POST":
        return redirect("staff:server", pk=pk)
    try:
        checks = registry.connect(server).test_connection()
    except PortalError as error:
        messages.error(request, str(error))
        return redirect("staff:server", pk=pk)
    is_well = all(check.ok for check in checks)
    if is_well:
        provisioning.end_pause(server.pk)
    _note(request, server, "tested", "Connection works" if is_well else "Connection fails")
    context = {"server": server, "checks": checks, "is_well": is_well}
    return show(
        request,
        "staff/server_test.html",
        title="Connection test",
        crumbs=crumbs(server),
        context=context,
    )


@staff_page("provisioning.view_server", "provisioning.change_job")
def compare(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the vendor for everything it has and show where that differs from the portal."""
    server = get_object_or_404(Server, pk=pk)
    if request.method != "POST":
        return redirect("staff:server", pk=pk)
    try:
        found = drift.check_server(server, at=now())
    except PortalError as error:
        messages.error(request, f"{server} could not be compared: {error}")
        return redirect("staff:server", pk=pk)
    _note(request, server, "compared", f"{len(found)} differences found")
    context = {"server": server, "found": found}
    return show(request, "staff/drift.html", title="Drift", crumbs=crumbs(server), context=context)


def _note(request: HttpRequest, server: Server, verb: str, outcome: str) -> None:
    audit.record(
        f"server.{verb}",
        server,
        summary=f"{server} {verb}: {outcome}",
        at=now(),
        actor=member(request),
    )
