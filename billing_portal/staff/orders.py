"""An order's page: what was ordered, how far it is, and setting it up by hand."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from billing_portal.audit import actions as audit
from billing_portal.audit.queries import history_of
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.orders.models import Order
from billing_portal.orders.queries import Step, services_of, step_of
from billing_portal.staff.forms import ReasonForm, WishForm
from billing_portal.staff.page import Crumb, member, show, staff_page
from billing_portal.workflows import start_services
from billing_portal.workflows.cancel_order import cancel_order

STEP_LIGHTS = {
    Step.PAYMENT: ("waiting", "Waits for payment"),
    Step.REVIEW: ("waiting", "Waits for staff"),
    Step.SETTING_UP: ("running", "Being set up"),
    Step.DELAYED: ("failed", "Delayed"),
    Step.READY: ("active", "Ready"),
    Step.ENDED: ("ended", "Ended"),
}
STARTABLE = (Step.REVIEW, Step.PAYMENT)


def crumbs(order: Order | None = None) -> tuple[Crumb, ...]:
    path = [Crumb("Orders", reverse("admin:orders_order_changelist"))]
    if order:
        path.append(Crumb(order.number, reverse("staff:order", args=[order.pk])))
    return tuple(path)


@staff_page("orders.view_order")
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """The items with their progress, the invoice, and what staff can do."""
    order = _order(pk)
    items = {item.service_id: item for item in order.items.select_related("product")}
    steps = [(service, step_of(order, service)) for service in services_of(order)]
    is_open = order.status == Order.Status.PLACED
    context = {
        "order": order,
        "rows": [(s, items[s.pk], STEP_LIGHTS[step]) for s, step in steps],
        "can_start": is_open and any(step in STARTABLE for _, step in steps),
        "can_cancel": is_open and all(step in STARTABLE for _, step in steps),
        "history": history_of(order),
    }
    title = f"Order {order.number}"
    return show(request, "staff/order.html", title=title, crumbs=crumbs(), context=context)


@staff_page("orders.change_order")
def set_up(request: HttpRequest, pk: int) -> HttpResponse:
    """Start every service of the order that still waits, paid or not."""
    order = _order(pk)
    steps = [(service, step_of(order, service)) for service in services_of(order)]
    waiting = [service for service, step in steps if step in STARTABLE]
    if order.status != Order.Status.PLACED or not waiting:
        messages.info(request, "Nothing of this order waits for set-up.")
        return redirect("staff:order", pk=pk)
    form = WishForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        at = now()
        try:
            with transaction.atomic():
                for service in waiting:
                    start_services.start(service, at=at, actor=member(request))
                audit.record(
                    "order.set_up_requested",
                    order,
                    summary=f"Set-up of order {order.number} started by hand",
                    at=at,
                    actor=member(request),
                    client_id=order.client_id,
                )
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Set-up requested. It usually takes less than a minute.")
            return redirect("staff:order", pk=pk)
    unpaid = order.invoice is not None and order.invoice.is_owed
    context = {"order": order, "waiting": waiting, "form": form, "is_unpaid": unpaid}
    return show(
        request, "staff/set_up.html", title="Set up now", crumbs=crumbs(order), context=context
    )


@staff_page("orders.change_order")
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an order back of which nothing has started or been paid."""
    order = _order(pk)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            cancel_order(pk, reason=form.cleaned_data["reason"], at=now(), actor=member(request))
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Order {order.number} is cancelled, and so is its invoice.")
            return redirect("staff:order", pk=pk)
    context = {"order": order, "form": form}
    return show(
        request, "staff/cancel_order.html", title="Cancel", crumbs=crumbs(order), context=context
    )


def _order(pk: int) -> Order:
    return get_object_or_404(Order.objects.select_related("client", "invoice", "placed_by"), pk=pk)
