"""Ordering: the checkout, the confirmation, and how the order gets on."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from billing_portal.clientarea import lights
from billing_portal.clientarea.access import ClientRequest, for_client, for_row
from billing_portal.clientarea.choosing import Choice
from billing_portal.clientarea.forms import PlaceOrderForm
from billing_portal.clientarea.views.catalogue import choice_from, product_page
from billing_portal.clientarea.views.paying import instructions_for, start_payment
from billing_portal.clients.models import Permission
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.invoices.models import InvoiceStatus
from billing_portal.orders import queries as orders
from billing_portal.orders.models import Order
from billing_portal.orders.queries import Step
from billing_portal.workflows.place_order import place_order

STEP_WORDS = {
    Step.PAYMENT: lights.Light("waiting", "Waiting for payment"),
    Step.REVIEW: lights.Light("waiting", "Being reviewed"),
    Step.SETTING_UP: lights.Light("info", "Being set up"),
    Step.DELAYED: lights.Light("suspended", "Delayed"),
    Step.READY: lights.Light("active", "Ready"),
    Step.ENDED: lights.Light("ended", "Ended"),
}
MOVING = (Step.SETTING_UP, Step.DELAYED)
"""Steps in which something happens without the client: the page looks again by itself."""


@require_http_methods(["GET", "POST"])
def checkout(request: HttpRequest, slug: str) -> HttpResponse:
    """Review and order.  Logged out: sign up (or log in) first, and come back here."""
    if not request.user.is_authenticated:
        if request.method == "GET" and choice_from(request, slug, answered=request.GET).is_valid:
            return redirect(reverse("account_signup", query={"next": request.get_full_path()}))
        return product_page(request, choice_from(request, slug, answered=request.GET))
    return _checkout(request, slug=slug)


@for_client(Permission.ORDERS)
def _checkout(request: ClientRequest, slug: str) -> HttpResponse:
    answered = request.POST if request.method == "POST" else request.GET
    choice = choice_from(request, slug, answered=answered)
    if not answered or not choice.is_valid:
        return product_page(request, choice)
    form = PlaceOrderForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            order = _place(request, choice, form)
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            return _after_order(request, order)
    context = {
        "choice": choice,
        "offer": choice.offer,
        "quote": choice.quote(),
        "form": form,
        "answered": [(name, value) for name, value in answered.items() if _is_answer(name)],
    }
    return render(request, "clientarea/checkout.html", context)


@require_GET
@for_row(Permission.ORDERS, lambda: Order.objects.select_related("invoice", "client"))
def order(request: ClientRequest, order: Order) -> HttpResponse:
    """What was ordered, how far it is, and what happens next."""
    return render(request, "clientarea/order.html", _progress(request, order))


@require_GET
@for_row(Permission.ORDERS, lambda: Order.objects.select_related("invoice", "client"))
def progress(request: ClientRequest, order: Order) -> HttpResponse:
    """The part of the order page that changes by itself."""
    return render(request, "clientarea/parts/order_progress.html", _progress(request, order))


def _place(request: ClientRequest, choice: Choice, form: PlaceOrderForm) -> Order:
    return place_order(
        client=request.acting_client,
        placed_by=request.user,
        items=[choice.request],
        payment_method=form.cleaned_data["payment_method"],
        submission_key=form.cleaned_data["submission_key"],
        at=now(),
    )


def _after_order(request: ClientRequest, order: Order) -> HttpResponse:
    """Straight on to paying if the chosen way to pay has a page of its own."""
    page = reverse("clientarea:order", args=[order.pk])
    if order.invoice and order.invoice.status == InvoiceStatus.UNPAID:
        try:
            return start_payment(request, order.invoice, order.payment_method, instructions=page)
        except PortalError as error:
            messages.error(request, str(error))
    return redirect(page)


def _progress(request: ClientRequest, order: Order) -> dict[str, object]:
    services = orders.services_of(order)
    steps = {service: orders.step_of(order, service) for service in services}
    unpaid = order.invoice is not None and order.invoice.status == InvoiceStatus.UNPAID
    return {
        "order": order,
        "services": [(service, step, STEP_WORDS[step]) for service, step in steps.items()],
        "unpaid": unpaid,
        "instructions": instructions_for(order.invoice, order.payment_method)
        if order.invoice and unpaid
        else None,
        "is_moving": any(step in MOVING for step in steps.values()),
        "is_ready": all(step in (Step.READY, Step.ENDED) for step in steps.values()),
        "is_delayed": Step.DELAYED in steps.values(),
        "in_review": Step.REVIEW in steps.values(),
        "is_cancelled": order.status == Order.Status.CANCELLED,
    }


def _is_answer(name: str) -> bool:
    return name not in ("csrfmiddlewaretoken", "submission_key", "payment_method")
