"""All datastores of all accounts: size, use, whose they are, what is odd, what they earn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from backups import actions, findings, totals
from backups import queries as backups
from backups.models import Datastore
from backups.sizes import SizeSource
from billing_portal.accounts.models import User
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.services.models import Service
from billing_portal.staff.page import Crumb, member, show, staff_page
from provisioning import registry

PER_PAGE = 50
SHOWN_DAYS = 30
LOG_DAYS = 90


@dataclass(frozen=True, slots=True)
class Row:
    """A datastore with what is odd about it, who it is named after, and what it earns."""

    store: Datastore
    findings: list[findings.Finding]
    namesake: Service | None
    margin: totals.Margin


@staff_page("backups.view_datastore")
def overview(request: HttpRequest) -> HttpResponse:
    """What needs someone first, then the accounts, then every datastore."""
    at = now()
    asked = request.GET.get("q", "").strip()
    page = Paginator(_matching(asked), PER_PAGE).get_page(request.GET.get("page"))
    odd = findings.datastores_with_findings()
    context = {
        "odd": _rows([row for row, _ in odd[:PER_PAGE]]),
        "odd_count": len(odd),
        "without": list(findings.services_without()[:PER_PAGE]),
        "accounts": totals.account_totals(),
        "sizes": _size_line(at),
        "page": page,
        "rows": _rows(list(page.object_list)),
        "asked": asked,
        "at": at,
    }
    return show(request, "staff/datastores.html", title="Datastores", context=context)


@staff_page("backups.view_datastore", "provisioning.change_job")
def deed(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """Say what will happen, ask what is to be known, and do it."""
    todo = DEEDS.get(key)
    if todo is None:
        raise Http404
    store = get_object_or_404(backups.datastores(), pk=pk)
    form = todo.form(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            todo.act(store, form.cleaned_data, now(), member(request))
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{store.name}: {todo.done}")
            return redirect("staff:datastores")
    context = {"store": store, "deed": todo, "form": form, "namesake": actions.adoptable_by(store)}
    return show(
        request, "staff/datastore_deed.html", title=todo.title, crumbs=_crumbs(), context=context
    )


@staff_page("backups.view_datastore", "provisioning.change_job")
def rescale_log(request: HttpRequest, pk: int) -> HttpResponse:
    """The vendor's log of size changes beside what was recorded."""
    store = get_object_or_404(Datastore.objects.select_related("server"), pk=pk)
    if request.method != "POST":
        return redirect("staff:datastores")
    at = now()
    try:
        source = cast("SizeSource", registry.connect(store.server, service_id=store.service_id))
        log = source.rescale_log(store.remote_id, days=LOG_DAYS)
    except PortalError as error:
        messages.error(request, f"The vendor's log could not be read: {error}")
        return redirect("staff:datastores")
    since = at - timedelta(days=LOG_DAYS)
    recorded = backups.recorded_changes(store.pk, since=since)
    context = {
        "store": store,
        "entries": [
            (entry, any(backups.is_recorded(entry, change) for change in recorded))
            for entry in log[::-1]
        ],
        "recorded": recorded[::-1],
        "days": LOG_DAYS,
        "at": at,
    }
    return show(
        request, "staff/rescale_log.html", title="Rescale log", crumbs=_crumbs(), context=context
    )


class Nothing(forms.Form):
    """A confirmation that asks for nothing."""


class LinkForm(forms.Form):
    service = forms.IntegerField(
        label="Service number", min_value=1, help_text="Backup storage that has no datastore yet."
    )


class IgnoreForm(forms.Form):
    reason = forms.CharField(max_length=200, label="Why it is all right")


@dataclass(frozen=True, slots=True)
class Deed:
    title: str
    consequence: str
    done: str
    form: type[forms.Form]
    act: Callable[[Datastore, Mapping[str, Any], datetime, User], Any]


def _adopt(store: Datastore, answers: Mapping[str, Any], at: datetime, actor: User) -> None:
    actions.adopt(store.pk, at=at, actor=actor)


def _link(store: Datastore, answers: Mapping[str, Any], at: datetime, actor: User) -> None:
    if not Service.objects.filter(pk=answers["service"]).exists():
        raise actions.NotLinkable(f"There is no service {answers['service']}.")
    actions.link(store.pk, answers["service"], at=at, actor=actor)


def _ignore(store: Datastore, answers: Mapping[str, Any], at: datetime, actor: User) -> None:
    actions.ignore(store.pk, reason=answers["reason"], at=at, actor=actor)


def _heed(store: Datastore, answers: Mapping[str, Any], at: datetime, actor: User) -> None:
    actions.heed(store.pk, at=at, actor=actor)


_LINKED = "linked; its credentials are being fetched."
_CONSEQUENCE = (
    "The datastore becomes the service's, with the size it has. From the day the service was"
    " ordered on it is billed. Nothing is changed at the vendor."
)
DEEDS: Mapping[str, Deed] = {
    "adopt": Deed("Adopt", _CONSEQUENCE, _LINKED, Nothing, _adopt),
    "link": Deed("Link", _CONSEQUENCE, _LINKED, LinkForm, _link),
    "ignore": Deed(
        "Ignore",
        "It stays in the list but is no longer reported. Nothing is changed at the vendor.",
        "ignored.",
        IgnoreForm,
        _ignore,
    ),
    "heed": Deed(
        "Report again", "What is odd about it is reported again.", "reported again.", Nothing, _heed
    ),
}


def _crumbs() -> tuple[Crumb, ...]:
    return (Crumb("Datastores", reverse("staff:datastores")),)


def _matching(asked: str) -> QuerySet[Datastore]:
    words = (
        Q(name__icontains=asked)
        | Q(remote_id__icontains=asked)
        | Q(service__client__company_name__icontains=asked)
        | Q(server__name__icontains=asked)
    )
    return backups.datastores().filter(words) if asked else backups.datastores()


def _rows(stores: list[Datastore]) -> list[Row]:
    costs = totals.costs()
    prices = totals.prices([store.service for store in stores if store.service])
    namesakes = _namesakes(stores)
    return [
        Row(
            store=store,
            findings=findings.findings(store),
            namesake=namesakes.get(store.pk),
            margin=totals.margin_of(
                store, costs.get(store.server_id), prices.get(store.service_id or 0)
            ),
        )
        for store in stores
    ]


def _namesakes(stores: list[Datastore]) -> dict[int, Service]:
    """The services that orphans are named after, by datastore, in one query."""
    named = {
        store.pk: found
        for store in stores
        if store.service_id is None and (found := findings.named_service_id(store.name))
    }
    wanted = Service.objects.filter(
        pk__in=[service_id for _, service_id in named.values()],
        product__module_key=backups.MODULE_KEY,
    ).select_related("product", "client")
    services = {(service.client_id, service.pk): service for service in wanted}
    return {pk: services[found] for pk, found in named.items() if found in services}


def _size_line(at: datetime) -> dict[str, Any]:
    """What all accounts held at each of the last midnights (UTC) and now."""
    today = at.replace(hour=0, minute=0, second=0, microsecond=0)
    moments = [today - timedelta(days=days) for days in reversed(range(SHOWN_DAYS))] + [at]
    return {
        "type": "line",
        "stepped": True,
        "unit": "GB",
        "times": [int(moment.timestamp()) * 1000 for moment in moments],
        "series": [
            {"name": "Provisioned", "values": [str(size) for size in totals.sizes_at(moments)]}
        ],
    }
