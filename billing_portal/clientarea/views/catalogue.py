"""What is for sale: the shelves, one product with its questions, and the live price."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from billing_portal.calc.periods import local_date
from billing_portal.clientarea import offers
from billing_portal.clientarea.forms import ConfigureForm
from billing_portal.clientarea.offers import Offer, Quote
from billing_portal.clients.models import Client
from billing_portal.clock.reading import now
from provisioning import registry
from provisioning.contract import ModuleError, Spec

ANSWERS = "spec"
"""Prefix of the module's own questions, which may be called like ours."""


@dataclass(slots=True)
class Choice:
    """What a person chose for one offer: our form, the module's form, and whether both hold."""

    offer: Offer
    form: ConfigureForm
    module_form: forms.Form | None

    def is_valid(self) -> bool:
        ours = self.form.is_valid()
        theirs = self.module_form is None or self.module_form.is_valid()
        return ours and theirs and self._fits()

    @property
    def answers(self) -> dict[str, Any]:
        """The module's questions as they were answered, without our prefix."""
        if self.module_form is None:
            return {}
        raw = ((name, self.module_form[name].data) for name in self.module_form.fields)
        return {name: value for name, value in raw if value is not None}

    @property
    def spec(self) -> Spec:
        """The spec the answers add up to; with no or bad answers, the product's own start."""
        if self.module_form is None:
            return {}
        if self.module_form.is_bound and not self.module_form.errors:
            return self._spec_for(self.module_form.cleaned_data)
        return {name: field.initial for name, field in self.module_form.fields.items()}

    @property
    def chosen_cycle(self) -> str:
        return str(self.form["cycle"].value() or "")

    def quote(self) -> Quote:
        cycle = self.form.cleaned_data["cycle"] if self.form.is_bound else ""
        today = local_date(now(), settings.SELLER_TIMEZONE)
        return offers.quote(self.offer, cycle=cycle, spec=self.spec, today=today)

    def _spec_for(self, cleaned: dict[str, Any]) -> Spec:
        product = self.offer.product
        module = registry.module_class(product.module_key)
        return module.spec_for(product.module_settings, cleaned)

    def _fits(self) -> bool:
        """Whether product and vendor allow the spec; if not, the form says why."""
        if self.module_form is None:
            return True
        product = self.offer.product
        module = registry.module_class(product.module_key)
        try:
            module.check_spec(product.module_settings, self.spec)
        except ModuleError as error:
            self.module_form.add_error(None, str(error))
            return False
        return True


def currency_for(request: Any) -> str:
    """The currency of the client acted for, else the portal's."""
    client: Client | None = getattr(request, "acting_client", None)
    return client.currency if client else str(settings.DEFAULT_CURRENCY)


def choice_from(request: HttpRequest, slug: str, *, answered: Any = None) -> Choice:
    """One offer with its forms, filled from `answered`.  404 if it is not for sale."""
    offer = offers.offer(slug, currency_for(request))
    if offer is None:
        raise Http404
    data = answered or None
    form = ConfigureForm(data, prices=offer.prices)
    product = offer.product
    if not product.module_key:
        return Choice(offer, form, None)
    kind = registry.module_class(product.module_key).order_form(product.module_settings)
    return Choice(offer, form, kind(data, prefix=ANSWERS))


@require_GET
def catalogue(request: HttpRequest) -> HttpResponse:
    context = {"shelves": offers.shelves(currency_for(request)), "currency": currency_for(request)}
    return render(request, "clientarea/catalogue.html", context)


@require_GET
def product(request: HttpRequest, slug: str) -> HttpResponse:
    """The order form of one product.  It is sent to the checkout."""
    return product_page(request, choice_from(request, slug))


@require_GET
def price(request: HttpRequest, slug: str) -> HttpResponse:
    """What the present answers cost, as a fragment; with bad answers, nothing but a hint."""
    choice = choice_from(request, slug, answered=request.GET)
    quote = choice.quote() if choice.is_valid() else None
    return render(request, "clientarea/parts/quote.html", {"quote": quote})


def product_page(request: HttpRequest, choice: Choice) -> HttpResponse:
    bad = choice.form.is_bound
    context = {"choice": choice, "offer": choice.offer, "quote": None if bad else choice.quote()}
    return render(request, "clientarea/product.html", context)
