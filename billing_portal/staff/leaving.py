"""Changes and cancellations of services: what is under way, and doing something about it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from billing_portal.accounts.models import User
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.invoices.amounts import format_amount
from billing_portal.orders import changes
from billing_portal.orders.models import ServiceChange
from billing_portal.services.models import Cancellation, Service
from billing_portal.services.queries import billable_statuses
from billing_portal.services.states import ServiceStatus
from billing_portal.staff.forms import ReasonForm, TerminateForm, WishForm, new_key
from billing_portal.staff.page import Crumb, member, show, staff_page
from billing_portal.workflows import cancel_service, change_product
from billing_portal.workflows.change_choice import ChangeChoice, Target
from provisioning.models import Placement

RECENT = 20
When, Status = Cancellation.When, Cancellation.Status


@dataclass(frozen=True, slots=True)
class Deed:
    """Something staff do to a cancellation, with its consequence said before."""

    key: str
    name: str
    consequence: str
    done: str
    dangerous: bool = False


END = Deed(
    "end",
    "End it now",
    "The service is switched off where the vendor can do that, and no longer billed. Its data "
    "is kept for the grace of its product; until then it can be brought back.",
    "It has ended.",
    dangerous=True,
)
WITHDRAW = Deed(
    "withdraw",
    "Withdraw the cancellation",
    "The service goes on, and its periods are billed again.",
    "Withdrawn. The client was told.",
)
KEEP = Deed(
    "keep",
    "Bring it back",
    "The service comes back as it was and is billed again. What was stored meanwhile is billed "
    "too, with the next month of use if the last one is closed already.",
    "It comes back. The client was told.",
)
DELETE = Deed(
    "delete",
    "Delete its data now",
    "The remote object and all data in it are deleted for good, without waiting for the grace.",
    "Deletion requested.",
    dangerous=True,
)


class TargetForm(forms.Form):
    """What the service becomes, and how many units of it."""

    target = forms.ChoiceField(label="Product and billing cycle")
    quantity = forms.IntegerField(label="Units", min_value=1)

    def __init__(self, *, page: ChangeChoice) -> None:
        chosen = {"target": page.chosen.key, "quantity": page.quantity}
        super().__init__(initial=chosen)
        target = self.fields["target"]
        assert isinstance(target, forms.ChoiceField)
        target.choices = [(one.key, _offered(one)) for one in page.targets]
        if page.most_units == 1:
            del self.fields["quantity"]


class CancelForm(WishForm):
    """On behalf of a client."""

    when = forms.ChoiceField(choices=When.choices, initial=When.PERIOD_END, label="It ends")
    reason = forms.CharField(
        max_length=2000, label="Reason", widget=forms.Textarea(attrs={"rows": 3}), required=False
    )


@staff_page("services.view_service")
def overview(request: HttpRequest) -> HttpResponse:
    """Cancelled services that still run, ended ones whose data is kept, open changes."""
    found = Cancellation.objects.select_related("service__client", "service__product")
    open_ones = found.filter(status=Status.OPEN)
    related = ("service__client", "service__product", "invoice")
    context = {
        "running": open_ones.exclude(service__status=ServiceStatus.CANCELLED).order_by(
            "ends_on", "pk"
        ),
        "kept": open_ones.filter(service__status=ServiceStatus.CANCELLED).order_by(
            "deletes_at", "pk"
        ),
        "changes": ServiceChange.objects.filter(status__in=changes.OPEN).select_related(*related),
        "over": found.exclude(status=Status.OPEN).order_by("-closed_at", "-pk")[:RECENT],
        "changed": ServiceChange.objects.exclude(status__in=changes.OPEN).select_related(*related)[
            :RECENT
        ],
    }
    return show(request, "staff/leaving.html", title="Changes and cancellations", context=context)


@staff_page("services.change_service")
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Cancel a service for its client."""
    service = _service(pk)
    if service.status not in billable_statuses():
        messages.error(request, f"{service} does not run, so it cannot be cancelled.")
        return redirect("staff:service", pk=pk)
    form = CancelForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            found = cancel_service.request(
                pk,
                when=When(form.cleaned_data["when"]),
                reason=form.cleaned_data["reason"],
                at=now(),
                actor=member(request),
            )
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Cancelled: it ends on {found.ends_on}.")
            return redirect("staff:service", pk=pk)
    consequence = (
        "Unpaid invoices for later periods are taken back, nothing new is billed in advance, and "
        f"after the end its data is kept for {service.product.deletion_grace_days} days. The "
        "client is told."
    )
    return _confirm(request, service, "Cancel", consequence, form, dangerous=True)


@staff_page("services.change_service")
def deed(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """End, withdraw, bring back or delete: say what happens, then do it."""
    found = get_object_or_404(
        Cancellation.objects.select_related("service__client", "service__product"), pk=pk
    )
    service = found.service
    wanted = next((one for one in deeds_for(found) if one.key == key), None)
    if wanted is None:
        raise Http404
    form: forms.Form = WishForm(request.POST or None)
    if wanted is DELETE:
        form = TerminateForm(request.POST or None, expected=service.label or str(service))
    if request.method == "POST" and form.is_valid():
        try:
            _DEEDS[key](pk, now(), member(request))
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, wanted.done)
            return redirect("staff:service", pk=service.pk)
    return _confirm(
        request, service, wanted.name, wanted.consequence, form, dangerous=wanted.dangerous
    )


def deeds_for(found: Cancellation) -> list[Deed]:
    """What can be done about a cancellation now."""
    if found.status != Status.OPEN:
        return []
    return [KEEP, DELETE] if found.service.status == ServiceStatus.CANCELLED else [WITHDRAW, END]


@staff_page("services.change_service")
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """What a service becomes and what that costs, for its client."""
    service = _service(pk)
    asked = request.POST if request.method == "POST" else request.GET
    placement = Placement.objects.filter(service=service).first()
    standing = {**service.spec, **(placement.spec if placement else {})}
    at = now()
    page = ChangeChoice(service, asked.dict(), standing=standing, at=at)
    if page.refusal:
        messages.error(request, page.refusal)
        return redirect("staff:service", pk=pk)
    if request.method == "POST" and page.offer:
        try:
            change_product.request(
                pk,
                page.wish,
                shown_total=_amount(request.POST.get("shown_total", "")),
                request_key=request.POST.get("request_key", "")[:100],
                at=at,
                actor=member(request),
            )
        except PortalError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "Noted. What costs something waits until it is paid.")
            return redirect("staff:service", pk=pk)
    context = {
        "service": service,
        "page": page,
        "target_form": TargetForm(page=page),
        "request_key": new_key(),
    }
    return show(
        request,
        "staff/change.html",
        title="Change",
        crumbs=_crumbs(service),
        context=context,
    )


@staff_page("services.change_service")
def withdraw_change(request: HttpRequest, pk: int) -> HttpResponse:
    """Withdraw a change that is unpaid, or one the vendor refused before it gave money back."""
    open_change = get_object_or_404(
        ServiceChange.objects.select_related("service__client", "service__product"), pk=pk
    )
    service = open_change.service
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        take_back = (
            change_product.withdraw
            if open_change.status == changes.Status.PENDING
            else change_product.give_up
        )
        try:
            take_back(pk, reason=form.cleaned_data["reason"], at=now(), actor=member(request))
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Withdrawn. The service stays as it is.")
            return redirect("staff:service", pk=service.pk)
    consequence = (
        f"{service} does not become {open_change.after['summary']}. An unpaid invoice for it is "
        "cancelled; one that is paid, or a change the client already has, cannot be withdrawn."
    )
    return _confirm(request, service, "Withdraw the change of", consequence, form)


def _confirm(
    request: HttpRequest,
    service: Service,
    name: str,
    consequence: str,
    form: forms.Form,
    *,
    dangerous: bool = False,
) -> HttpResponse:
    context = {
        "service": service,
        "name": name,
        "consequence": consequence,
        "form": form,
        "dangerous": dangerous,
    }
    crumbs = _crumbs(service)
    return show(request, "staff/leaving_deed.html", title=name, crumbs=crumbs, context=context)


def _crumbs(service: Service) -> tuple[Crumb, ...]:
    return (
        Crumb("Changes and cancellations", reverse("staff:leaving")),
        Crumb(str(service), reverse("staff:service", args=[service.pk])),
    )


def _service(pk: int) -> Service:
    related = ("client__group", "product", "promotion")
    return get_object_or_404(Service.objects.select_related(*related), pk=pk)


def _offered(target: Target) -> str:
    price = "billed by usage"
    if target.amount:
        price = format_amount(target.amount, target.currency)
    now_too = " (as it is now)" if target.is_present else ""
    return f"{target.product.name}, {target.cycle_name.lower()}, {price}{now_too}"


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def _end(pk: int, at: datetime, actor: User) -> None:
    cancel_service.end(pk, at=at, actor=actor)


def _withdraw(pk: int, at: datetime, actor: User) -> None:
    cancel_service.withdraw(pk, at=at, actor=actor)


def _keep(pk: int, at: datetime, actor: User) -> None:
    cancel_service.keep(pk, at=at, actor=actor)


def _delete(pk: int, at: datetime, actor: User) -> None:
    cancel_service.delete(pk, at=at, actor=actor)


_DEEDS: dict[str, Callable[[int, datetime, User], None]] = {
    "end": _end,
    "withdraw": _withdraw,
    "keep": _keep,
    "delete": _delete,
}
