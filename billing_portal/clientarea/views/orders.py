"""Ordering: the checkout, the confirmation, and how the order gets on."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from billing_portal.clientarea import lights
from billing_portal.clientarea.access import ClientRequest, for_client, for_row
from billing_portal.clientarea.choosing import Choice
from billing_portal.clientarea.extras import TypedCode, typed_code
from billing_portal.clientarea.forms import PlaceOrderForm
from billing_portal.clientarea.quoting import Quote
from billing_portal.clientarea.views.catalogue import choice_from, product_page
from billing_portal.clientarea.views.paying import instructions_for, start_payment
from billing_portal.clients.models import Permission
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.orders import queries as orders
from billing_portal.orders.models import Order
from billing_portal.orders.queries import Step
from billing_portal.promotions.queries import PromotionRefused
from billing_portal.workflows.place_order import OrderRefused, place_order

STEP_WORDS = {
    Step.PAYMENT: lights.Light("waiting", "Waiting for payment"),
    Step.REVIEW: lights.Light("waiting", "Being reviewed"),
    Step.SETTING_UP: lights.Light("info", "Being set up"),
    Step.DELAYED: lights.Light("suspended", "Delayed"),
    Step.READY: lights.Light("active", "Ready"),
    Step.ENDED: lights.Light("ended", "Ended"),
}
NOT_ANSWERS = {
    *("csrfmiddlewaretoken", "submission_key", "payment_method"),
    *("promotion_code", "apply_code", "remove_code"),
}
"""Fields of the checkout itself."""
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
    code = "" if "remove_code" in answered else answered.get("promotion_code", "").strip()
    places = request.method == "POST" and not {"apply_code", "remove_code"} & set(answered)
    form = PlaceOrderForm(request.POST if places else None, initial=_kept(answered))
    if places and form.is_valid():
        try:
            order = _place(request, choice, form, code)
        except OrderRefused as error:
            if "promotion_code" not in error.field_errors:
                form.add_error(None, str(error))
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            return _after_order(request, order)
    quote, typed = _quoted(choice, code)
    if "apply_code" in answered and not code:
        typed = TypedCode(error="Please enter a code.")
    context = {
        "choice": choice,
        "offer": choice.offer,
        "quote": quote,
        "promotion": typed,
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


def _quoted(choice: Choice, code: str) -> tuple[Quote, TypedCode]:
    """What the choice costs with the code, or without it if it does not hold."""
    try:
        return choice.quote(promotion_code=code), typed_code(code)
    except PromotionRefused as error:
        return choice.quote(), TypedCode(code, error=str(error))


def _kept(answered: Any) -> dict[str, str]:
    """What was chosen on this page already, when only a code is tried."""
    names = ("submission_key", "payment_method")
    return {name: answered[name] for name in names if answered.get(name)}


def _place(request: ClientRequest, choice: Choice, form: PlaceOrderForm, code: str) -> Order:
    return place_order(
        client=request.acting_client,
        placed_by=request.user,
        items=[choice.request],
        payment_method=form.cleaned_data["payment_method"],
        submission_key=form.cleaned_data["submission_key"],
        at=now(),
        promotion_code=code,
    )


def _after_order(request: ClientRequest, order: Order) -> HttpResponse:
    """Straight on to paying if the chosen way has a page of its own and the member may pay."""
    page = reverse("clientarea:order", args=[order.pk])
    may_pay = request.membership.allows(Permission.INVOICES)
    if may_pay and order.invoice and order.invoice.is_payable:
        try:
            return start_payment(request, order.invoice, order.payment_method, instructions=page)
        except PortalError as error:
            messages.error(request, str(error))
    return redirect(page)


def _progress(request: ClientRequest, order: Order) -> dict[str, object]:
    services = orders.services_of(order)
    steps = {service: orders.step_of(order, service) for service in services}
    unpaid = order.invoice is not None and order.invoice.is_payable
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
    return name not in NOT_ANSWERS
