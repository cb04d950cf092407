"""What is for sale: the shelves, one product with its questions, and the live price."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from billing_portal.clientarea import offers
from billing_portal.clientarea.choosing import Choice
from billing_portal.clients.models import Client
from billing_portal.taxes.queries import tax_settings


def buyer(request: Any) -> Client:
    """The client acted for; for a visitor one that is not stored, at home where the seller is."""
    client: Client | None = getattr(request, "acting_client", None)
    if client:
        return client
    country = tax_settings().seller_country
    return Client(pk=0, currency=settings.DEFAULT_CURRENCY, country=country)


def choice_from(request: HttpRequest, slug: str, *, answered: Any = None) -> Choice:
    """One offer with its forms, filled from `answered`.  404 if it is not for sale."""
    client = buyer(request)
    offer = offers.offer(slug, client.currency)
    if offer is None:
        raise Http404
    return Choice(offer, client, answered)


@require_GET
def catalogue(request: HttpRequest) -> HttpResponse:
    currency = buyer(request).currency
    context = {"shelves": offers.shelves(currency), "currency": currency}
    return render(request, "clientarea/catalogue.html", context)


@require_GET
def product(request: HttpRequest, slug: str) -> HttpResponse:
    """The order form of one product.  It is sent to the checkout."""
    currency = buyer(request).currency
    if offers.offer(slug, currency) is None and (product := offers.priced_elsewhere(slug)):
        context = {"product": product, "currency": currency}
        return render(request, "clientarea/unavailable.html", context, status=404)
    return product_page(request, choice_from(request, slug))


@require_GET
def price(request: HttpRequest, slug: str) -> HttpResponse:
    """What the present answers cost, as a fragment; with bad answers, nothing but a hint.

    With another cycle the options have other prices, so they come along.
    """
    choice = choice_from(request, slug, answered=request.GET)
    context = {
        "choice": choice,
        "quote": choice.quote() if choice.can_be_priced else None,
        "with_options": request.headers.get("HX-Trigger-Name") == "cycle",
    }
    return render(request, "clientarea/parts/live_quote.html", context)


def product_page(request: HttpRequest, choice: Choice) -> HttpResponse:
    context = {
        "choice": choice,
        "offer": choice.offer,
        "quote": choice.quote() if choice.can_be_priced else None,
    }
    return render(request, "clientarea/product.html", context)
