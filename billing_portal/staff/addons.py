"""Add-ons of a service: adding one, letting it begin, and ending it, each after a question."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from billing_portal.accounts.models import User
from billing_portal.admin_print import dress, money
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.services import addons
from billing_portal.services.addons import BILLABLE
from billing_portal.services.models import Service, ServiceAddon
from billing_portal.services.states import ENDED, ServiceStatus
from billing_portal.staff.clients import crumbs as client_crumbs
from billing_portal.staff.forms import WishForm
from billing_portal.staff.page import Crumb, member, show, staff_page
from billing_portal.workflows import addon_orders, addon_starts


class AddAddonForm(WishForm):
    """Which add-on, on which cycle, and how many; hidden ones too."""

    choice = forms.ChoiceField(label="Add-on")
    quantity = forms.IntegerField(min_value=1, initial=1)

    def __init__(self, *args: Any, service: Service, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What was just added is still a choice: the same form may be sent twice.
        offered = addons.offered(service.product, currency=service.currency, staff=True)
        found = offered if self.is_bound else addons.available(service, staff=True)
        field = self.fields["choice"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            (
                f"{addon.pk}:{price.cycle}",
                f"{addon.name}: {money(price.recurring, price.currency)} "
                f"{price.get_cycle_display().lower()}",
            )
            for addon in found
            for price in addons.prices_of(addon, service.currency)
        ]
        dress([field, self.fields["quantity"]])

    @property
    def wish(self) -> dict[str, Any]:
        addon_id, _, cycle = self.cleaned_data["choice"].partition(":")
        quantity = self.cleaned_data["quantity"]
        return {"addon_id": int(addon_id), "cycle": cycle, "quantity": quantity}


@dataclass(frozen=True, slots=True)
class Deed:
    """What staff can have done to an add-on in some of its states."""

    name: str
    icon: str
    states: tuple[ServiceStatus, ...]
    consequence: str
    done: str
    do: Callable[[ServiceAddon, datetime, User], object]


DEEDS: Mapping[str, Deed] = {
    "start": Deed(
        "Start",
        "play_circle",
        (ServiceStatus.PENDING,),
        "It begins now, paid or not, and renews like any other. The client is told.",
        "It has begun.",
        lambda row, at, actor: addon_starts.start([row], at=at, actor=actor),
    ),
    "end-later": Deed(
        "End with its period",
        "event_busy",
        BILLABLE,
        "It runs on until the end of what is invoiced and then ends. The client is told.",
        "It ends with its period.",
        lambda row, at, actor: addon_orders.cancel(row.pk, at=at, actor=actor),
    ),
    "end": Deed(
        "End now",
        "cancel",
        (ServiceStatus.PENDING, *BILLABLE),
        "It ends at once. Nothing that is invoiced for it is taken back: write a credit note "
        "if the client is to get something back.",
        "It has ended.",
        lambda row, at, actor: addons.end(row.pk, at=at, actor=actor, reason="ended by staff"),
    ),
}


def rows_of(service: Service) -> list[tuple[ServiceAddon, list[tuple[str, Deed]]]]:
    """The add-ons of a service with what can be done to each."""
    return [
        (row, [(key, deed) for key, deed in DEEDS.items() if _fits(row, key)])
        for row in addons.addons_of(service)
    ]


@staff_page("services.change_service")
def add(request: HttpRequest, pk: int) -> HttpResponse:
    """Add something to a running service; what is due now is invoiced at once."""
    service = get_object_or_404(Service.objects.select_related("client", "product"), pk=pk)
    form = AddAddonForm(request.POST or None, service=service)
    if request.method == "POST" and form.is_valid():
        try:
            row = addon_orders.order(
                pk,
                **form.wish,
                request_key=form.cleaned_data["key"][:80],
                at=now(),
                actor=member(request),
                staff=True,
            )
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            waits = row.status == ServiceStatus.PENDING
            then = "It begins when its invoice is paid." if waits else "It has begun."
            messages.success(request, f"{row.addon} added. {then}")
            return redirect("staff:service", pk=pk)
    return show(
        request,
        "staff/add_addon.html",
        title="Add an add-on",
        crumbs=_crumbs(service),
        context={"service": service, "form": form},
    )


@staff_page("services.change_service")
def deed(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """Say what happens; on confirmation do it."""
    rows = ServiceAddon.objects.select_related("addon", "service__client", "service__product")
    row = get_object_or_404(rows, pk=pk)
    wanted = DEEDS.get(key)
    if wanted is None:
        raise Http404
    back = redirect("staff:service", pk=row.service_id)
    if not _fits(row, key):
        messages.error(request, f"{wanted.name} does not apply to {row} as it stands.")
        return back
    if request.method == "POST":
        try:
            wanted.do(row, now(), member(request))
        except PortalError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"{row.addon}: {wanted.done}")
        return back
    return show(
        request,
        "staff/addon_deed.html",
        title=wanted.name,
        crumbs=_crumbs(row.service),
        context={"row": row, "deed": wanted},
    )


def _crumbs(service: Service) -> tuple[Crumb, ...]:
    itself = Crumb(str(service), reverse("staff:service", args=[service.pk]))
    return (*client_crumbs(service.client), itself)


def _fits(row: ServiceAddon, key: str) -> bool:
    if row.status in ENDED or row.status not in DEEDS[key].states:
        return False
    return key != "end-later" or row.ends_on is None
