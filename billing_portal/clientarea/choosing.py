"""What a person chose for one offer: the forms of the order page, and what they add up to.

The order is checked by `workflows.order_terms` alone; its refusals come back to the fields.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django import forms
from django.conf import settings
from django.forms.boundfield import BoundField

from billing_portal.calc.periods import local_date
from billing_portal.calc.pricing import ChosenOption
from billing_portal.clientarea import printing, quoting
from billing_portal.clientarea.extras import AddonsForm
from billing_portal.clientarea.forms import ConfigureForm
from billing_portal.clientarea.offers import PER_CYCLE, Offer
from billing_portal.clientarea.quoting import Quote
from billing_portal.clients.models import Client
from billing_portal.clock.reading import now
from billing_portal.custom_fields import answered
from billing_portal.orders.actions import ItemTerms
from billing_portal.products.forms import OptionsForm, PriceLabel, QuestionsForm
from billing_portal.products.models import Cycle, Price, Product
from billing_portal.products.queries import Rate, asked_fields, offered_options
from billing_portal.services.addons import offered as offered_addons
from billing_portal.workflows.order_terms import (
    OrderRefused,
    OrderRequest,
    answered_for_module,
    price_choice,
    terms_of,
)
from billing_portal.workflows.place_order import preview
from provisioning import registry
from provisioning.contract import Spec

OPTIONS, QUESTIONS, ANSWERS, ADDONS = "option", "question", "spec", "addon"
"""Prefixes of the options, the product's own questions, the module's and the add-ons: their
keys are the operator's and the module's to choose."""


class Choice:
    """The forms of one offer, empty or filled in by `answered`, for one client."""

    def __init__(self, offer: Offer, client: Client, answered: Any = None) -> None:
        self.offer, self.client = offer, client
        data = answered or None
        product = offer.product
        self.form = ConfigureForm(data, prices=offer.prices, product=product)
        offered = offered_options(product, currency=client.currency)
        self.options = OptionsForm(
            data,
            prefix=OPTIONS,
            offered=offered,
            cycle=self.price.cycle,
            price_label=_price_label(client.currency, self.price.cycle),
        )
        self.questions = QuestionsForm(data, prefix=QUESTIONS, asked=asked_fields(product))
        self.addons = AddonsForm(
            data,
            prefix=ADDONS,
            offered=offered_addons(product, currency=client.currency),
            currency=client.currency,
            cycle=self.price.cycle,
        )
        self.module_form = self._module_form(data)

    @cached_property
    def is_valid(self) -> bool:
        """Whether it could be ordered as it is; if not, the forms say why not."""
        ours = (self.form, self.options, self.questions, self.addons)
        if not all([form.is_valid() for form in ours]):
            return False
        if self.module_form is not None and not self.module_form.is_valid():
            self._explain_elsewhere(self.module_form)
            return False
        try:
            terms_of(self.request, currency=self.client.currency)
        except OrderRefused as refused:
            self.explain(refused)
            return False
        return True

    @property
    def can_be_priced(self) -> bool:
        """Whether what is answered so far has a price; what is still empty does not matter."""
        if not self.form.is_bound or self.is_valid:
            return True
        if self.form.errors or self.options.errors or self.addons.errors:
            return False
        return all(
            name in form.fields and not form[name].data
            for form in (self.questions, self.module_form)
            if form is not None
            for name in form.errors
        )

    @property
    def chosen_cycle(self) -> str:
        return str(self.form["cycle"].value() or "")

    @property
    def price(self) -> Price:
        """The price of the chosen cycle, the first one's if none fits."""
        return self.offer.price_for(self.chosen_cycle) or self.offer.first_price

    @property
    def request(self) -> OrderRequest:
        """The choice as it is ordered; the forms are valid."""
        return OrderRequest(
            product_id=self.offer.product.pk,
            cycle=self.form.cleaned_data["cycle"],
            label=self.form.cleaned_data["label"],
            answers=_raw(self.module_form),
            quantity=self.quantity,
            options=_raw(self.options),
            custom_fields=_raw(self.questions),
            addons=self.addons.wanted(),
        )

    @property
    def quantity(self) -> int:
        if not self.form.is_bound:
            return 1
        return int(self.form.cleaned_data.get("quantity") or 1)

    @property
    def answered(self) -> list[tuple[str, str]]:
        """The further questions of a valid choice with their answers, for people."""
        return answered(self.questions.asked, self.questions.cleaned_data)

    @property
    def module_fields(self) -> list[BoundField]:
        """The module's questions that no option and no further question answers."""
        if self.module_form is None:
            return []
        known = {*self.options.fields, *self.questions.fields}
        return [bound for bound in self.module_form if bound.name not in known]

    @property
    def spec(self) -> Spec:
        """The spec the answers add up to; with no or bad answers, the product's own start."""
        if self.module_form is None:
            return {}
        product = self.offer.product
        if self.module_form.is_bound and not self.module_form.errors:
            module = registry.module_class(product.module_key)
            return module.spec_for(product.module_settings, self.module_form.cleaned_data)
        return {name: field.initial for name, field in self.module_form.fields.items()}

    def terms(self) -> list[ItemTerms]:
        """What is chosen so far, at its price."""
        return price_choice(
            self.offer.product,
            self.price,
            options=self._chosen,
            quantity=self.quantity,
            spec=self.spec,
            extras=self.addons.terms(),
        )

    def quote(self, *, promotion_code: str = "") -> Quote:
        """What it costs.  Raises PromotionRefused if the code does not hold."""
        at = now()
        terms = self.terms()
        today = local_date(at, settings.SELLER_TIMEZONE)
        shown = preview(self.client, terms, at=at, promotion_code=promotion_code)
        return quoting.quote(self.offer, terms, shown, today=today)

    def explain(self, refused: OrderRefused) -> None:
        """Put each sentence of a refusal beside its field, what has none above the form."""
        told = False
        for name, sentences in refused.field_errors.items():
            for form in filter(None, (self.form, self.options, self.questions, self.module_form)):
                if name in form.fields:
                    form.add_error(name, sentences)
                    told = True
                    break
        if not told:
            self.form.add_error(None, str(refused))

    def _explain_elsewhere(self, module_form: forms.Form) -> None:
        """Beside an option that answers a question of the module: what the module says to it."""
        for name, sentences in list(module_form.errors.items()):
            for form in (self.options, self.questions):
                if name in form.fields:
                    form.add_error(name, list(sentences))

    @property
    def _chosen(self) -> tuple[ChosenOption, ...]:
        return self.options.chosen() if self.options.is_bound else self.options.initial_choice()

    def _module_form(self, data: Any) -> forms.Form | None:
        product: Product = self.offer.product
        if not product.module_key:
            return None
        kind = registry.module_class(product.module_key).order_form(product.module_settings)
        if data is None:
            return kind(prefix=ANSWERS)
        given: Mapping[str, Any] = {}
        if self.options.is_valid() and self.questions.is_valid():
            given = answered_for_module(self.options.chosen(), self.questions.cleaned_data)
        answers = {f"{ANSWERS}-{name}": value for name, value in given.items()}
        return kind({**data.dict(), **answers}, prefix=ANSWERS)


def _raw(form: forms.Form | None) -> dict[str, Any]:
    """The answers as they were sent, without the prefix; those not sent are left out."""
    if form is None:
        return {}
    sent = ((name, form[name].data) for name in form.fields)
    return {name: value for name, value in sent if value is not None}


def _price_label(currency: str, cycle: str) -> PriceLabel:
    """Writes "+€4.00 per month, €5.00 set-up"."""

    def label(rate: Rate) -> str:
        parts = []
        if rate.recurring:
            parts.append(f"+{printing.money(rate.recurring, currency)} {PER_CYCLE[Cycle(cycle)]}")
        if rate.setup_fee:
            parts.append(f"{printing.money(rate.setup_fee, currency)} set-up")
        return ", ".join(parts)

    return label
