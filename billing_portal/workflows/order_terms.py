"""What a client asks for, checked against the catalogue and priced.

Reads and never writes, so that the checkout shows what the order will charge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from django import forms

from billing_portal.calc.pricing import ChosenOption, PricedItem, price_item
from billing_portal.errors import PortalError
from billing_portal.orders.actions import ItemTerms
from billing_portal.orders.models import OrderItem
from billing_portal.products.actions import left
from billing_portal.products.forms import OptionsForm, QuestionsForm
from billing_portal.products.models import Option, Price, Product
from billing_portal.products.queries import asked_fields, offered_options
from billing_portal.services import addons
from billing_portal.services.addons import AddonRefused, AddonTerms
from provisioning import registry
from provisioning.contract import ModuleError, Spec

MAX_LABEL = OrderItem._meta.get_field("label").max_length or 0
MAX_AMOUNT = Decimal("999999999.999")
"""What a service's price has room for."""


class OrderRefused(PortalError):
    """The order cannot be placed as asked.

    `field_errors` maps names of the order form's fields to sentences.
    """

    def __init__(self, message: str, field_errors: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.field_errors = dict(field_errors or {})


@dataclass(frozen=True, slots=True)
class AddonRequest:
    """An add-on wanted together with a product."""

    addon_id: int
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One thing a client wants, as a form sent it; nothing is checked yet.

    `answers` are the fields of the module's order form, `options` and `custom_fields`
    those of the product's own questions, by key.
    """

    product_id: int
    cycle: str
    label: str
    answers: Mapping[str, Any]
    quantity: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    custom_fields: Mapping[str, Any] = field(default_factory=dict)
    addons: Sequence[AddonRequest] = ()


def terms_of(item: OrderRequest, *, currency: str) -> list[ItemTerms]:
    """The terms of one item: one for each service it becomes.

    Raises OrderRefused with a sentence per field.
    """
    product = Product.objects.filter(pk=item.product_id, retired=False).first()
    if product is None:
        raise OrderRefused("This product is no longer for sale.")
    price = Price.objects.filter(product=product, currency=currency, cycle=item.cycle).first()
    if price is None:
        raise OrderRefused(f"{product} is not offered that way in {currency}.")
    _check_quantity(product, item.quantity)
    options = _chosen_options(product, price, item.options)
    asked = QuestionsForm(item.custom_fields, asked=asked_fields(product))
    answers = _cleaned(asked)
    return price_choice(
        product,
        price,
        options=options,
        quantity=item.quantity,
        label=_label(item.label),
        spec=_spec(product, item.answers, answered_for_module(options, answers)),
        custom_fields=answers,
        extras=_addons(product, price, item.addons),
    )


def price_choice(
    product: Product,
    price: Price,
    *,
    options: tuple[ChosenOption, ...],
    quantity: int,
    label: str = "",
    spec: Spec | None = None,
    custom_fields: Mapping[str, Any] | None = None,
    extras: tuple[AddonTerms, ...] = (),
) -> list[ItemTerms]:
    """The terms of checked choices: one for each service they become."""
    units = quantity if product.quantity_mode == Product.QuantityMode.SCALING else 1
    terms = ItemTerms(
        product=product,
        price=price,
        label=label,
        spec=spec or {},
        priced=_priced(product, price, options, units),
        quantity=units,
        options=options,
        custom_fields=custom_fields or {},
        addons=extras,
    )
    if product.quantity_mode != Product.QuantityMode.SERVICES:
        return [terms]
    return [
        replace(terms, label=_numbered(label, number, quantity))
        for number in range(1, quantity + 1)
    ]


def answered_for_module(
    options: Sequence[ChosenOption], custom_fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Answers by key: those a module also asks for are its answers, and not asked twice."""
    return {**custom_fields, **{option.key: option.value for option in options}}


def _check_quantity(product: Product, quantity: int) -> None:
    most = product.maximum_quantity
    if product.quantity_mode == Product.QuantityMode.ONE:
        most = 1
    if not 1 <= quantity <= most:
        sentence = f"Please order {f'from 1 to {most}' if most > 1 else 'just one'}."
        raise OrderRefused(sentence, {"quantity": [sentence]})
    if product.stock is not None and quantity > product.stock:
        raise OrderRefused(left(product), {"quantity": [left(product)]})


def _chosen_options(
    product: Product, price: Price, answers: Mapping[str, Any]
) -> tuple[ChosenOption, ...]:
    offered = offered_options(product, currency=price.currency)
    # Who does not speak of a quantity at all wants the least; a form always sends it.
    least = {one.key: one.minimum for one in offered if one.kind == Option.Kind.QUANTITY}
    form = OptionsForm({**least, **answers}, offered=offered, cycle=price.cycle)
    _cleaned(form)
    return form.chosen()


def _addons(
    product: Product, price: Price, wanted: Sequence[AddonRequest]
) -> tuple[AddonTerms, ...]:
    """Add-ons take the product's cycle if they have a price for it, else their shortest."""
    try:
        return tuple(
            addons.terms(
                product,
                addon_id=one.addon_id,
                currency=price.currency,
                cycle=price.cycle,
                quantity=one.quantity,
            )
            for one in wanted
        )
    except AddonRefused as error:
        raise OrderRefused(str(error), {"addons": [str(error)]}) from error


def _priced(
    product: Product, price: Price, options: Sequence[ChosenOption], units: int
) -> PricedItem:
    priced = price_item(
        name=product.name,
        setup_fee=price.setup_fee,
        recurring=price.recurring,
        options=options,
        quantity=units,
        currency=price.currency,
    )
    if max(priced.setup_fee, priced.recurring) > MAX_AMOUNT:
        raise OrderRefused("This order is too large to place here. Please write to us.")
    return priced


def _label(text: str) -> str:
    label = " ".join(text.split())
    if len(label) > MAX_LABEL:
        sentence = f"A name has at most {MAX_LABEL} characters."
        raise OrderRefused(sentence, {"label": [sentence]})
    return label


def _numbered(label: str, number: int, of: int) -> str:
    """Tells services of one item apart: "Office 1", "Office 2"."""
    if not label or of == 1:
        return label
    ending = f" {number}"
    return label[: MAX_LABEL - len(ending)] + ending


def _spec(product: Product, answers: Mapping[str, Any], given: Mapping[str, Any]) -> Spec:
    """What the module makes of its own questions and of those already answered."""
    if not product.module_key:
        return {}
    module = registry.module_class(product.module_key)
    order_form = module.order_form(product.module_settings)
    known = {name: given[name] for name in order_form.base_fields if name in given}
    cleaned = _cleaned(order_form(data={**answers, **known}))
    spec = module.spec_for(product.module_settings, cleaned)
    try:
        module.check_spec(product.module_settings, spec)
    except ModuleError as error:
        raise OrderRefused(str(error)) from error
    return spec


def _cleaned(form: forms.Form) -> dict[str, Any]:
    if not form.is_valid():
        errors = {name: [str(e) for e in found] for name, found in form.errors.items()}
        raise OrderRefused(next(iter(errors.values()))[0], errors)
    return form.cleaned_data
