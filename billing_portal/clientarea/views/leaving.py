"""Changing what a service is, and giving it up."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from billing_portal.clientarea.access import ClientRequest, for_row
from billing_portal.clientarea.forms import new_key
from billing_portal.clientarea.leaving import Leaving, choice, leaving, wishes
from billing_portal.clientarea.standing import with_standing
from billing_portal.clients.models import Permission
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.invoices.amounts import format_day
from billing_portal.orders import changes
from billing_portal.orders.models import ServiceChange
from billing_portal.services.models import Cancellation, Service
from billing_portal.services.queries import open_cancellation
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import cancel_service, change_product, spend_cap

When = Cancellation.When


def _services() -> QuerySet[Service]:
    return with_standing(Service.objects.select_related("client__group", "promotion"))


class CancelForm(forms.Form):
    """When a service ends and why; its name, if nothing brings it back."""

    when = forms.ChoiceField(
        choices=When.choices,
        initial=When.PERIOD_END,
        error_messages={"required": "Please choose when it ends."},
    )
    reason = forms.CharField(
        label="Why do you give it up?",
        help_text="It helps us to do better.",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        required=False,
    )
    name = forms.CharField(label="Type its name to confirm", required=False)

    def __init__(self, *args: Any, service: Service, facts: Leaving) -> None:
        super().__init__(*args)
        self.expected = service.label or service.product.name
        self.fields["name"].help_text = self.expected
        if not facts.at_once:
            del self.fields["name"]

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"]).strip()
        if name != self.expected:
            raise forms.ValidationError(f"That is not its name. Type: {self.expected}")
        return name


@require_http_methods(["GET", "POST"])
@for_row(Permission.MANAGE_PRODUCTS, _services)
def change(request: ClientRequest, service: Service) -> HttpResponse:
    """Choose what the service becomes and see what that costs; the confirmation is a POST."""
    at = now()
    asked = request.POST if request.method == "POST" else request.GET
    page = choice(service, asked.dict(), at=at)
    if page.refusal:
        messages.error(request, page.refusal)
        return redirect("clientarea:service", pk=service.pk)
    if request.method == "POST" and page.offer:
        new = page.offer.new
        try:
            spend_cap.check_size(service, new.spec, at=at, change=f"With {new.summary}")
            done = change_product.request(
                service.pk,
                page.wish,
                shown_total=_amount(request.POST.get("shown_total", "")),
                request_key=f"client:{service.pk}:{request.POST.get('request_key', '')[:64]}",
                at=at,
                actor=request.user,
            )
        except PortalError as error:
            messages.error(request, str(error))
        else:
            return _after_change(request, done)
    context = {"service": service, "page": page, "request_key": new_key()}
    return render(request, "clientarea/change.html", context)


@require_POST
@for_row(Permission.MANAGE_PRODUCTS, _services)
def withdraw_change(request: ClientRequest, service: Service) -> HttpResponse:
    """Take back a change that is not paid."""
    open_change = changes.open_change(service.pk)
    if open_change:
        try:
            change_product.withdraw(
                open_change.pk, reason="its client withdrew it", at=now(), actor=request.user
            )
        except PortalError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "Withdrawn. The service stays as it is.")
    return redirect("clientarea:service", pk=service.pk)


@require_http_methods(["GET", "POST"])
@for_row(Permission.MANAGE_PRODUCTS, _services)
def cancel(request: ClientRequest, service: Service) -> HttpResponse:
    """What happens to the service and its data, and when; then do it."""
    at = now()
    if not wishes(service, at=at).may_cancel:
        messages.error(request, f"{service} cannot be cancelled now.")
        return redirect("clientarea:service", pk=service.pk)
    facts = leaving(service, at=at)
    form = CancelForm(request.POST or None, service=service, facts=facts)
    if request.method == "POST" and form.is_valid():
        try:
            found = cancel_service.request(
                service.pk,
                when=When(form.cleaned_data["when"]),
                reason=form.cleaned_data["reason"],
                at=at,
                actor=request.user,
            )
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _cancelled(found))
            return redirect("clientarea:service", pk=service.pk)
    context = {"service": service, "form": form, "facts": facts}
    return render(request, "clientarea/cancel.html", context)


@require_POST
@for_row(Permission.MANAGE_PRODUCTS, _services)
def keep(request: ClientRequest, service: Service) -> HttpResponse:
    """Keep a service after all: before its end, or while its data is still there."""
    found = open_cancellation(service.pk)
    try:
        if found and service.status == ServiceStatus.CANCELLED:
            cancel_service.keep(found.pk, at=now(), actor=request.user, by_client=True)
        elif found:
            cancel_service.withdraw(found.pk, at=now(), actor=request.user)
    except PortalError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "You keep it. It goes on as before.")
    return redirect("clientarea:service", pk=service.pk)


def _after_change(request: ClientRequest, done: ServiceChange) -> HttpResponse:
    if done.status == changes.Status.PENDING and done.invoice_id:
        messages.success(request, "Your change is noted. It is made as soon as this is paid.")
        if request.membership.allows(Permission.INVOICES):
            return redirect("clientarea:invoice", pk=done.invoice_id)
    elif done.status == changes.Status.APPLIED:
        messages.success(request, f"Done: it is now {done.after['summary']}.")
    else:
        messages.success(request, "Your change is under way. This page updates itself.")
    return redirect("clientarea:service", pk=done.service_id)


def _cancelled(found: Cancellation) -> str:
    if found.when == When.PERIOD_END:
        return f"Cancelled. It runs until the day before {format_day(found.ends_on)}."
    return "Cancelled. You find below what becomes of its data."


def _amount(text: str) -> Decimal:
    """An amount as it was sent; what is none equals no amount, and can be compared."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")
    return amount if amount.is_finite() else Decimal("NaN")
