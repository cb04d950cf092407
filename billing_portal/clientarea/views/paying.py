"""Paying an invoice: choose a gateway, go there or read its instructions, come back."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from billing_portal.clientarea.access import ClientRequest, for_row
from billing_portal.clientarea.forms import PayForm, new_key
from billing_portal.clients.models import Permission
from billing_portal.clock.reading import now
from billing_portal.invoices.models import Invoice
from billing_portal.invoices.queries import published
from billing_portal.payments import registry
from billing_portal.payments.contract import Instructions, PaymentRequest, Redirect
from billing_portal.workflows.invoice_paid import apply_webhook

TEST_GATEWAY = "test"


@require_http_methods(["GET", "POST"])
@for_row(Permission.INVOICES, lambda: published().select_related("client", "order"))
def pay(request: ClientRequest, invoice: Invoice) -> HttpResponse:
    """POST starts a payment; GET shows the instructions of a gateway that gives some."""
    if not invoice.is_payable:
        messages.info(request, f"{invoice.document} {invoice} needs no payment now.")
        return redirect("clientarea:invoice", pk=invoice.pk)
    form = PayForm(request.POST or request.GET)
    if not form.is_valid():
        messages.error(request, "Please choose how you would like to pay.")
        return redirect("clientarea:invoice", pk=invoice.pk)
    gateway = registry.gateway(form.cleaned_data["gateway"])
    here = reverse("clientarea:pay", args=[invoice.pk], query={"gateway": gateway.key})
    if request.method == "POST":
        return start_payment(request, invoice, gateway.key, instructions=here)
    instructions = instructions_for(invoice, gateway.key)
    if instructions is None:
        return redirect("clientarea:invoice", pk=invoice.pk)
    context = {"invoice": invoice, "gateway": gateway, "instructions": instructions}
    return render(request, "clientarea/pay.html", context)


@require_http_methods(["GET", "POST"])
@for_row(Permission.INVOICES, lambda: published().select_related("client", "order"))
def test_payment(request: ClientRequest, invoice: Invoice) -> HttpResponse:
    """The demo's stand-in for a bank's page.  404 where the test gateway is not installed."""
    if not any(gateway.key == TEST_GATEWAY for gateway in registry.gateways()):
        raise Http404
    if not invoice.is_payable:
        return redirect(_after_payment(request, invoice))
    key = request.POST.get("event_key", "")
    if not 16 <= len(key) <= 64:
        context = {"invoice": invoice, "event_key": new_key()}
        return render(request, "clientarea/test_payment.html", context)
    if "pay" not in request.POST:
        messages.warning(request, "The payment was declined. Try again, or pay another way.")
        return redirect("clientarea:invoice", pk=invoice.pk)
    _report_paid(request, invoice, key)
    return redirect(_after_payment(request, invoice))


def start_payment(
    request: ClientRequest, invoice: Invoice, gateway_key: str, *, instructions: str
) -> HttpResponse:
    """Send the browser to the gateway, or to `instructions` if it only gives some.

    Raises UnknownGateway.
    """
    back = request.build_absolute_uri(_after_payment(request, invoice))
    started = registry.gateway(gateway_key).start(_payment_request(invoice, return_url=back))
    return redirect(started.url if isinstance(started, Redirect) else instructions)


def instructions_for(invoice: Invoice, gateway_key: str) -> Instructions | None:
    """What a person must do to pay this way; None if the gateway has a page of its own."""
    known = [gateway for gateway in registry.gateways() if gateway.key == gateway_key]
    started = [gateway.start(_payment_request(invoice, return_url="")) for gateway in known]
    return next((one for one in started if isinstance(one, Instructions)), None)


def _payment_request(invoice: Invoice, *, return_url: str) -> PaymentRequest:
    return PaymentRequest(
        invoice_id=invoice.pk,
        reference=str(invoice),
        amount=invoice.balance,
        currency=invoice.currency,
        return_url=return_url,
    )


def _after_payment(request: ClientRequest, invoice: Any) -> str:
    """Where a payer comes back to: the order that waits for the money, else the invoice."""
    order = getattr(invoice, "order", None)
    if order and request.membership.allows(Permission.ORDERS):
        return reverse("clientarea:order", args=[order.pk])
    return reverse("clientarea:invoice", args=[invoice.pk])


def _report_paid(request: ClientRequest, invoice: Invoice, key: str) -> None:
    """Say it the way a real gateway does: by an event, stored and then applied, once."""
    event = apply_webhook(
        TEST_GATEWAY,
        event_id=f"evt_{invoice.pk}_{key}",
        body={
            "type": "paid",
            "invoice_id": invoice.pk,
            "payment_id": f"pay_{invoice.pk}_{key}",
            "amount": str(invoice.balance),
            "currency": invoice.currency,
        },
        at=now(),
    )
    if event.problem:
        messages.error(request, f"The payment did not go through: {event.problem}")
    else:
        messages.success(request, f"Thank you. Invoice {invoice} is paid.")
