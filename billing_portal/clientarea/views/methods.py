"""Payment methods a client left: listed, added, made the default, removed, and used at once."""

from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing_portal.calc.periods import local_date
from billing_portal.clientarea.access import ClientRequest, for_client, for_row
from billing_portal.clientarea.forms import new_key
from billing_portal.clientarea.lights import method_light
from billing_portal.clientarea.views.paying import TEST_GATEWAY
from billing_portal.clients.models import Permission
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.invoices.models import Invoice
from billing_portal.invoices.queries import published
from billing_portal.payments import methods as storing
from billing_portal.payments import queries, registry
from billing_portal.payments.contract import StoreRequest
from billing_portal.payments.gateways import sandbox_cards
from billing_portal.payments.models import StoredMethod
from billing_portal.workflows import captures
from billing_portal.workflows.invoice_paid import apply_webhook


def _methods() -> QuerySet[StoredMethod]:
    return StoredMethod.objects.exclude(status=StoredMethod.Status.REMOVED).select_related("client")


@require_GET
@for_client(Permission.INVOICES)
def methods(request: ClientRequest) -> HttpResponse:
    """The cards and mandates left with us, and where to leave another."""
    today = local_date(now(), settings.SELLER_TIMEZONE)
    own = queries.methods_of(request.acting_client.pk)
    context = {
        "rows": [(one, method_light(one, today), storing.is_usable(one, today)) for one in own],
        "gateways": registry.capturing_gateways(),
    }
    return render(request, "clientarea/methods.html", context)


@require_POST
@for_client(Permission.INVOICES)
def add(request: ClientRequest) -> HttpResponse:
    """Send the browser to the gateway, where the card or account is entered."""
    key = request.POST.get("gateway", "")
    chosen = next((one for one in registry.capturing_gateways() if one.key == key), None)
    if chosen is None:
        messages.error(request, "Please choose which kind of payment method to add.")
        return redirect("clientarea:methods")
    back = request.build_absolute_uri(reverse("clientarea:methods"))
    return redirect(chosen.store(StoreRequest(request.acting_client.pk, back)).url)


@require_POST
@for_row(Permission.INVOICES, _methods)
def make_default(request: ClientRequest, method: StoredMethod) -> HttpResponse:
    at = now()
    today = local_date(at, settings.SELLER_TIMEZONE)
    try:
        storing.make_default(method.pk, today=today, at=at, actor=request.user)
    except PortalError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Your invoices are paid from {method} from now on.")
    return redirect("clientarea:methods")


@require_http_methods(["GET", "POST"])
@for_row(Permission.INVOICES, _methods)
def remove(request: ClientRequest, method: StoredMethod) -> HttpResponse:
    """Ask once, then forget it."""
    if request.method == "GET":
        return render(request, "clientarea/remove_method.html", {"method": method})
    try:
        storing.remove(method.pk, at=now(), actor=request.user)
    except PortalError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{method} was removed and is not charged any more.")
    return redirect("clientarea:methods")


@require_POST
@for_row(Permission.INVOICES, lambda: published().select_related("client"))
def take(request: ClientRequest, invoice: Invoice) -> HttpResponse:
    """Pay an invoice at once from a stored method; the page shows what became of it."""
    chosen = request.POST.get("method", "")
    key = request.POST.get("key", "")
    if not (chosen.isascii() and chosen.isdigit() and 16 <= len(key) <= 64):
        messages.error(request, "Please choose how you would like to pay.")
        return redirect("clientarea:invoice", pk=invoice.pk)
    try:
        captures.capture_now(
            invoice.pk, int(chosen[:18]), request_key=key, at=now(), actor=request.user
        )
    except PortalError as error:
        messages.error(request, str(error))
    return redirect("clientarea:invoice", pk=invoice.pk)


@require_http_methods(["GET", "POST"])
@for_client(Permission.INVOICES)
def test_method(request: ClientRequest) -> HttpResponse:
    """The demo's stand-in for a gateway's page.  404 where the test gateway is not offered."""
    if not any(gateway.key == TEST_GATEWAY for gateway in registry.gateways()):
        raise Http404
    card, key = request.POST.get("card", ""), request.POST.get("event_key", "")
    known = any(one.key == card for one in sandbox_cards.CARDS)
    if not known or not (16 <= len(key) <= 64 and key.isalnum()):
        context = {"cards": sandbox_cards.CARDS, "event_key": new_key()}
        return render(request, "clientarea/test_method.html", context)
    at = now()
    month = local_date(at, settings.SELLER_TIMEZONE).strftime("%Y-%m")
    event = apply_webhook(
        TEST_GATEWAY,
        event_id=f"evt_stored_{request.acting_client.pk}_{key}",
        body={
            "type": "stored",
            "client_id": request.acting_client.pk,
            "reference": f"{card}:{month}:{key}",
        },
        at=at,
    )
    if event.problem:
        messages.error(request, f"It could not be added: {event.problem}")
    else:
        messages.success(request, "Your payment method was added.")
    return redirect("clientarea:methods")


@require_http_methods(["GET", "POST"])
@for_row(Permission.INVOICES, lambda: published().select_related("client"))
def test_answer(request: ClientRequest, invoice: Invoice) -> HttpResponse:
    """The demo's bank has processed a pending payment: say what it says."""
    attempt = queries.pending_capture(invoice.pk, gateway=TEST_GATEWAY)
    if attempt is None or not any(one.key == TEST_GATEWAY for one in registry.gateways()):
        raise Http404
    if request.method == "GET":
        context = {"invoice": invoice, "attempt": attempt}
        return render(request, "clientarea/test_answer.html", context)
    body: dict[str, object] = {"payment_id": attempt.external_id}
    if "pay" in request.POST:
        body |= {"type": "paid", "invoice_id": invoice.pk, "currency": invoice.currency}
        body["amount"] = str(attempt.amount)
    else:
        body |= {"type": "capture_declined", "final": False}
        body["message"] = "The bank sent the debit back."
    event = apply_webhook(TEST_GATEWAY, event_id=f"evt_answer_{attempt.pk}", body=body, at=now())
    if event.problem:
        messages.error(request, event.problem)
    return redirect("clientarea:invoice", pk=invoice.pk)
