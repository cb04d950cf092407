"""What a service would become: checked against catalogue and vendor, and priced.

Reads and never writes, so that the preview shows what the change will cost.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django import forms

from billing_portal.calc.changes import Terms
from billing_portal.calc.discounts import ListPrice, discounts_of
from billing_portal.calc.invoice import Discount, LineKind
from billing_portal.calc.money import exact, round_money
from billing_portal.calc.pricing import ChosenOption
from billing_portal.errors import PortalError
from billing_portal.invoices.models import InvoiceLine
from billing_portal.orders.models import ServiceChange
from billing_portal.products.forms import OptionsForm
from billing_portal.products.models import CYCLE_MONTHS, Price, Product
from billing_portal.products.queries import offered_options
from billing_portal.promotions import queries as promotions
from billing_portal.services.models import Service
from provisioning import actions as provisioning
from provisioning import registry
from provisioning.contract import ModuleError, Spec


class ChangeRefused(PortalError):
    """The service cannot become that.  `field_errors` maps form fields to sentences."""

    def __init__(self, message: str, field_errors: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.field_errors = dict(field_errors or {})


@dataclass(frozen=True, slots=True)
class ChangeWish:
    """What a service should become, as a form sent it.

    `answers` are fields of the module's order form, `options` those of the product.
    `promotion_code` makes what is payable now cheaper.
    """

    product_id: int
    cycle: str
    quantity: int = 1
    answers: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    promotion_code: str = ""


@dataclass(frozen=True, slots=True)
class NewTerms:
    """What the service would be.  `recurring` is the list price for all units and options.

    `promotion_off` is what its promotion then takes off each period, 0 if it ends.
    """

    product: Product
    cycle: str
    recurring: Decimal
    quantity: int
    options: tuple[ChosenOption, ...]
    spec: Spec
    promotion_off: Decimal
    keeps_promotion: bool

    @property
    def summary(self) -> str:
        """Product and what it delivers: "Backup L, 1000 GB"."""
        key = self.product.module_key
        said = registry.module_class(key).summarise(self.spec) if key and self.spec else ""
        return f"{self.product.name}, {said}" if said else self.product.name


def targets_of(service: Service) -> list[Product]:
    """What a service may become: its own product first, then those it is upgraded to."""
    others = service.product.upgrades_to.filter(
        retired=False, module_key=service.product.module_key
    ).exclude(pk=service.product_id)
    return [service.product, *others.order_by("group__position", "position", "name", "pk")]


def prices_of(service: Service, products: Iterable[Product]) -> dict[int, list[Price]]:
    """By product: its recurring prices in the service's currency, the shortest cycle first."""
    found: dict[int, list[Price]] = {product.pk: [] for product in products}
    rows = Price.objects.filter(product__in=found, currency=service.currency).order_by("pk")
    for price in sorted(rows, key=lambda price: CYCLE_MONTHS[price.cycle]):
        if CYCLE_MONTHS[price.cycle]:
            found[price.product_id].append(price)
    return found


def number_form(
    service: Service, product: Product, posted: Mapping[str, Any] | None, **options: Any
) -> forms.Form | None:
    """The numbers the module asks for `product`; names stay as they were ordered."""
    if not product.module_key:
        return None
    kind = registry.module_class(product.module_key).order_form(product.module_settings)
    form = kind(posted, **options)
    for name, asked in list(form.fields.items()):
        if not isinstance(asked, forms.IntegerField) or name not in service.spec:
            del form.fields[name]
    return form


def new_terms(service: Service, wish: ChangeWish) -> NewTerms:
    """The terms a wish adds up to.  Raises ChangeRefused with a sentence."""
    product = next((p for p in targets_of(service) if p.pk == wish.product_id), None)
    if product is None:
        raise ChangeRefused(f"{service} cannot become that product.")
    prices = prices_of(service, [product])[product.pk]
    price = next((price for price in prices if price.cycle == wish.cycle), None)
    stays = product.pk == service.product_id and wish.cycle == service.cycle
    if price is None and not stays:
        raise ChangeRefused(f"{product} is not offered that way in {service.currency}.")
    _check_quantity(product, wish.quantity)
    options = _options(service, product, wish, stays=stays)
    unit_price = _standing_unit_price(service) if stays or price is None else price.recurring
    per_unit = exact(unit_price) + _options_price(options)
    recurring = round_money(per_unit * wish.quantity, service.currency)
    keeps = _keeps_promotion(service, product)
    return NewTerms(
        product=product,
        cycle=wish.cycle,
        recurring=recurring,
        quantity=wish.quantity,
        options=options,
        spec=_spec(service, product, wish, options),
        promotion_off=_promotion_off(service, recurring, unit_price, wish.quantity)
        if keeps
        else Decimal(0),
        keeps_promotion=keeps,
    )


def terms_now(service: Service) -> Terms:
    """What the service costs as it is, with the discounts its present period was billed with."""
    price = exact(service.recurring_amount) * (1 - _billed_discount(service))
    return Terms(_finely(price), service.cycle_months)


def terms_then(service: Service, new: NewTerms) -> Terms:
    """What each period would cost, with the discounts that remain."""
    off = Discount("", new.promotion_off) if new.promotion_off else None
    less = _discounts(service, new.recurring, off)
    return Terms(new.recurring - less, CYCLE_MONTHS[new.cycle])


def _check_quantity(product: Product, quantity: int) -> None:
    scales = product.quantity_mode == Product.QuantityMode.SCALING
    most = product.maximum_quantity if scales else 1
    if not 1 <= quantity <= most:
        sentence = f"{product} has {f'from 1 to {most} units' if most > 1 else 'no quantity'}."
        raise ChangeRefused(sentence, {"quantity": [sentence]})


def _options(
    service: Service, product: Product, wish: ChangeWish, *, stays: bool
) -> tuple[ChosenOption, ...]:
    """The options chosen; one that stays as it is keeps the price agreed for it."""
    offered = offered_options(product, currency=service.currency)
    form = OptionsForm(wish.options, offered=offered, cycle=wish.cycle)
    _clean(form)
    if not stays:
        return form.chosen()
    agreed = {one["key"]: ChosenOption.read(one) for one in service.options}
    chosen = {one.key: one for one in form.chosen()}
    kept = {key: one for key, one in agreed.items() if key not in chosen}
    same = {
        key: agreed[key]
        for key, one in chosen.items()
        if key in agreed and agreed[key].value == one.value
    }
    return tuple({**kept, **chosen, **same}.values())


def _options_price(options: Sequence[ChosenOption]) -> Fraction:
    return sum((exact(one.recurring) * one.units for one in options), Fraction())


def _standing_unit_price(service: Service) -> Decimal:
    """The product's own price per unit as agreed, without options: no less than nothing."""
    options = _options_price([ChosenOption.read(one) for one in service.options])
    per_unit = exact(service.recurring_amount) / service.quantity - options
    return _finely(max(per_unit, Fraction()))


def _spec(
    service: Service, product: Product, wish: ChangeWish, options: Sequence[ChosenOption]
) -> Spec:
    """The spec as it stands with the numbers of the new product, checked by module and use."""
    given = {one.key: one.value for one in options}
    spec: dict[str, Any] = dict(service.spec)
    form = number_form(service, product, {**spec, **wish.answers, **given})
    if form is None:
        return spec
    _clean(form)
    spec |= form.cleaned_data
    try:
        provisioning.check_change(
            service,
            settings=product.module_settings,
            spec=spec,
            may_remove=product.pk == service.product_id,
        )
    except ModuleError as error:
        raise ChangeRefused(str(error)) from error
    return spec


def _clean(form: forms.Form) -> None:
    if not form.is_valid():
        errors = {name: [str(e) for e in found] for name, found in form.errors.items()}
        raise ChangeRefused(next(iter(errors.values()))[0], errors)


def _keeps_promotion(service: Service, product: Product) -> bool:
    promotion = service.promotion
    if promotion is None or service.discounts_left == 0:
        return False
    return promotion.survives_changes or product.pk == service.product_id


def _promotion_off(
    service: Service, recurring: Decimal, unit_price: Decimal, quantity: int
) -> Decimal:
    """What the promotion takes off a period at the new price."""
    assert service.promotion is not None  # it keeps one
    listed = ListPrice(recurring, Decimal(0), unit_price, quantity)
    effect = promotions.effect(service.promotion, listed, currency=service.currency)
    return effect.off_period


def _billed_discount(service: Service) -> Fraction:
    """Which part of its present period's price a service did not pay: 1/5 with 20 % off."""
    lines = InvoiceLine.objects.filter(service=service, addon=None, billed=True)
    period = (
        lines.filter(kind=LineKind.RECURRING, period_end=service.billed_until)
        .select_related("invoice")
        .order_by("-pk")
        .first()
    )
    if period is None or not period.amount or _changed_since(service, period):
        price = service.recurring_amount
        promised = Discount("", service.discount_amount) if _has_promotion(service) else None
        return exact(_discounts(service, price, promised)) / exact(price) if price else Fraction()
    taken = lines.filter(
        kind=LineKind.DISCOUNT, invoice=period.invoice, period_start=period.period_start
    )
    off = sum((exact(line.amount) for line in taken), Fraction())
    return -off / exact(period.amount)


def _changed_since(service: Service, line: InvoiceLine) -> bool:
    applied = service.changes.filter(status=ServiceChange.Status.APPLIED)
    return applied.filter(closed_at__gte=line.invoice.issued_at).exists()


def _has_promotion(service: Service) -> bool:
    return bool(service.discount_amount) and service.discounts_left != 0


def _discounts(service: Service, amount: Decimal, promotion: Discount | None) -> Decimal:
    group = service.client.group
    found = discounts_of(
        amount,
        promotion=promotion,
        group_percent=group.discount_percent if group else Decimal(0),
        group_name=group.name if group else "",
        currency=service.currency,
    )
    return sum((one.amount for one in found), Decimal(0))


def _finely(amount: Fraction) -> Decimal:
    """Far below any minor unit: what is rounded later is rounded once."""
    return Decimal(amount.numerator) / Decimal(amount.denominator)
