"""Paying several invoices at once, paying in advance, and using credit."""

from decimal import Decimal

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing_portal.calc.money import minor_units
from billing_portal.clientarea.access import ClientRequest, for_client, for_row
from billing_portal.clientarea.forms import PayForm, new_key
from billing_portal.clientarea.views.invoices import with_lights
from billing_portal.clientarea.views.paying import TEST_GATEWAY
from billing_portal.clients.models import Permission
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.invoices.models import Invoice
from billing_portal.invoices.queries import published, unpaid_of
from billing_portal.payments import queries, registry
from billing_portal.payments.contract import Instructions, PaymentRequest, Redirect
from billing_portal.payments.models import PaymentBundle
from billing_portal.workflows import bundles, client_credit
from billing_portal.workflows.invoice_paid import apply_webhook

PER_PAGE = 25
MOST_AT_ONCE = 1000


class DepositForm(PayForm):
    """How much to pay in advance, and how."""

    amount = forms.DecimalField(label="Amount", max_digits=14)

    def __init__(self, *args: object, currency: str, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        places = minor_units(currency)
        self.fields["amount"].label = f"Amount in {currency}"
        self.fields["amount"].widget.attrs["step"] = str(Decimal(1).scaleb(-places))


@require_http_methods(["GET", "POST"])
@for_client(Permission.INVOICES)
def pay_together(request: ClientRequest) -> HttpResponse:
    """Choose open invoices and pay them with one payment, the first due first."""
    client = request.acting_client
    payable = [invoice for invoice in unpaid_of(client.pk) if invoice.is_payable]
    if request.method == "POST":
        chosen = _chosen(request)
        form = PayForm(request.POST)
        try:
            if not form.is_valid():
                raise bundles.BundleRefused("Please choose how you would like to pay.")
            asked = bundles.ask_for(
                client.pk, chosen, request_key=_key(request), at=now(), actor=request.user
            )
        except PortalError as error:
            messages.error(request, str(error))
        else:
            return _start(request, asked, form.cleaned_data["gateway"])
    context = {
        "rows": with_lights(payable),
        "total": sum((invoice.balance for invoice in payable), Decimal(0)),
        "gateways": registry.gateways(),
        "key": new_key(),
    }
    return render(request, "clientarea/pay_together.html", context)


@require_http_methods(["GET", "POST"])
@for_client(Permission.INVOICES)
def credit(request: ClientRequest) -> HttpResponse:
    """The client's credit with every movement, and adding to it."""
    client = request.acting_client
    limits = bundles.deposit_limits(client)
    form = DepositForm(request.POST or None, currency=client.currency)
    if request.method == "POST" and form.is_valid():
        try:
            asked = bundles.ask_for_deposit(
                client.pk,
                form.cleaned_data["amount"],
                request_key=_key(request),
                at=now(),
                actor=request.user,
            )
        except PortalError as error:
            form.add_error("amount", str(error))
        else:
            return _start(request, asked, form.cleaned_data["gateway"])
    page = Paginator(queries.credit_of(client.pk), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "form": form,
        "limits": limits,
        "gateways": registry.gateways(),
        "key": new_key(),
    }
    return render(request, "clientarea/credit.html", context)


@require_GET
@for_row(Permission.INVOICES, lambda: PaymentBundle.objects.select_related("client"))
def bundle(request: ClientRequest, asked: PaymentBundle) -> HttpResponse:
    """What one payment is for, and what to do where the gateway only gives instructions."""
    form = PayForm(request.GET)
    gateway = registry.gateway(form.cleaned_data["gateway"]) if form.is_valid() else None
    started = gateway.start(_request(asked, return_url="")) if gateway else None
    context = {
        "bundle": asked,
        "invoices": asked.invoices.order_by("due_date", "pk"),
        "gateway": gateway,
        "instructions": started if isinstance(started, Instructions) else None,
    }
    return render(request, "clientarea/bundle.html", context)


@require_http_methods(["GET", "POST"])
@for_row(Permission.INVOICES, lambda: PaymentBundle.objects.select_related("client"))
def test_bundle(request: ClientRequest, asked: PaymentBundle) -> HttpResponse:
    """The demo's stand-in for a bank's page.  404 where the test gateway is not installed."""
    if not any(gateway.key == TEST_GATEWAY for gateway in registry.gateways()):
        raise Http404
    if asked.payment_id:
        return redirect("clientarea:bundle", pk=asked.pk)
    if request.method == "GET":
        return render(request, "clientarea/test_bundle.html", {"bundle": asked})
    if "pay" not in request.POST:
        messages.warning(request, "The payment was declined. Try again, or pay another way.")
        return redirect("clientarea:invoices")
    event = apply_webhook(
        TEST_GATEWAY,
        event_id=f"evt_{asked}",
        body={
            "type": "paid",
            "bundle_id": asked.pk,
            "payment_id": f"pay_{asked}",
            "amount": str(asked.amount),
            "currency": asked.currency,
        },
        at=now(),
    )
    if event.problem:
        messages.error(request, f"The payment did not go through: {event.problem}")
    else:
        messages.success(request, "Thank you. Your payment has arrived.")
    return redirect("clientarea:bundle", pk=asked.pk)


@require_POST
@for_row(Permission.INVOICES, lambda: published().select_related("client"))
def use_credit(request: ClientRequest, invoice: Invoice) -> HttpResponse:
    """Pay an invoice from credit, as far as it goes."""
    try:
        client_credit.apply_credit(
            invoice.pk, None, request_key=_key(request), at=now(), actor=request.user
        )
    except PortalError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Your credit is used for {invoice}.")
    return redirect("clientarea:invoice", pk=invoice.pk)


def _start(request: ClientRequest, asked: PaymentBundle, gateway_key: str) -> HttpResponse:
    """Send the browser to the gateway, or to its instructions."""
    here = reverse("clientarea:bundle", args=[asked.pk])
    back = request.build_absolute_uri(here)
    started = registry.gateway(gateway_key).start(_request(asked, return_url=back))
    return redirect(
        started.url if isinstance(started, Redirect) else f"{here}?gateway={gateway_key}"
    )


def _request(asked: PaymentBundle, *, return_url: str) -> PaymentRequest:
    return PaymentRequest(
        invoice_id=None,
        bundle_id=asked.pk,
        reference=str(asked),
        amount=asked.amount,
        currency=asked.currency,
        return_url=return_url,
    )


def _chosen(request: ClientRequest) -> list[int]:
    """Keys of invoices as they were sent; what is no key is left out."""
    sent = request.POST.getlist("invoice")[:MOST_AT_ONCE]
    return [int(key) for key in sent if key.isascii() and key.isdigit() and len(key) < 19]


def _key(request: ClientRequest) -> str:
    """The wish's name, out of the form; a form without one is a wish of its own."""
    return request.POST.get("key", "")[:64] or new_key()
