"""Exchange rates, and prices of other currencies computed from them."""

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from billing_portal.automation.queries import rules
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.products.models import ExchangeRate
from billing_portal.staff.page import Crumb, member, show, staff_page
from billing_portal.workflows import convert_prices, exchange_rates


class RateForm(forms.Form):
    """What a currency is worth, by hand."""

    currency = forms.RegexField(
        r"^[A-Z]{3}$", max_length=3, error_messages={"invalid": "Three capital letters: USD."}
    )
    rate = forms.DecimalField(max_digits=18, decimal_places=8)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["rate"].label = f"For 1 {settings.DEFAULT_CURRENCY} you get"


@staff_page("products.view_exchangerate")
def page(request: HttpRequest) -> HttpResponse:
    """Every rate with its day and source; staff who may, enter one."""
    may_change = request.user.has_perm("products.change_exchangerate")
    form = RateForm(request.POST or None)
    if request.method == "POST" and may_change and form.is_valid():
        try:
            exchange_rates.keep(
                form.cleaned_data["currency"],
                form.cleaned_data["rate"],
                source="by hand",
                at=now(),
                actor=member(request),
            )
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "The rate is kept. New invoices bear it.")
            return redirect("staff:rates")
    known = {rate.currency: rate for rate in ExchangeRate.objects.all()}
    context = {
        "rates": known.values(),
        "missing": sorted(exchange_rates.currencies_in_use() - set(known)),
        "own": settings.DEFAULT_CURRENCY,
        "form": form,
        "may_change": may_change,
        "feed": settings.EXCHANGE_RATES_URL,
        "is_daily": rules().update_rates,
    }
    return show(request, "staff/rates.html", title="Exchange rates", context=context)


@staff_page("products.change_exchangerate")
def fetch(request: HttpRequest) -> HttpResponse:
    """Ask the feed now."""
    if request.method == "POST" and settings.EXCHANGE_RATES_URL:
        try:
            done = exchange_rates.update(at=now())
        except PortalError as error:
            messages.error(request, str(error))
        else:
            for sentence in done.refused:
                messages.warning(request, sentence)
            changed = ", ".join(done.changed) or "none"
            messages.success(request, f"Asked. Rates that changed: {changed}.")
    return redirect("staff:rates")


@staff_page("products.change_price")
def convert(request: HttpRequest) -> HttpResponse:
    """Prices of other currencies as the rates would make them, and making them so."""
    currencies = list(ExchangeRate.objects.values_list("currency", flat=True))
    changes = convert_prices.plan(currencies)
    if request.method == "POST":
        try:
            count = convert_prices.apply(
                changes,
                at=now(),
                actor=member(request),
                looked_at=request.POST.get("looked_at", "nothing"),
            )
        except PortalError as error:
            messages.error(request, str(error))
            return redirect("staff:convert-prices")
        messages.success(request, f"{count} prices changed. Services keep what they cost.")
        return redirect("staff:rates")
    context = {
        "changes": [
            (change, list(zip(change.before, change.after, strict=True))) for change in changes
        ],
        "looked_at": convert_prices.fingerprint(changes),
        "back": reverse("staff:rates"),
    }
    return show(
        request,
        "staff/convert_prices.html",
        title="Convert prices",
        crumbs=(Crumb("Exchange rates", reverse("staff:rates")),),
        context=context,
    )
