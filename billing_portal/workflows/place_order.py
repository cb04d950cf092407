"""A client orders: services, an invoice, and what can start at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client, ClientStatus
from billing_portal.clients.notices import notify
from billing_portal.errors import PortalError
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice
from billing_portal.orders import actions as orders
from billing_portal.orders.actions import ItemTerms
from billing_portal.orders.models import Order, OrderItem
from billing_portal.payments.registry import UnknownGateway, gateway
from billing_portal.products.models import Price, Product
from billing_portal.services.models import Service
from billing_portal.workflows import advance_billing, start_services
from provisioning import registry
from provisioning.contract import ModuleError

SetUp = Product.SetUp
MAX_LABEL = OrderItem._meta.get_field("label").max_length or 0
MAX_KEY = Order._meta.get_field("submission_key").max_length or 0

STARTED = "We are setting it up now and will write again when it is ready."
REVIEWED = "We look at it ourselves first and will write again when it is ready."


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


def place_order(
    *,
    client: Client,
    placed_by: User | None,
    items: Sequence[OrderRequest],
    payment_method: str,
    submission_key: str,
    at: datetime,
    promotion_code: str = "",
) -> Order:
    """Record the order with its pending services, and invoice what is due now.

    The same `submission_key` returns the same order.  An order that costs nothing now
    has no invoice and starts at once, and so do products set up on order.
    Raises OrderRefused with a sentence per field; nothing is stored then.
    """
    if known := Order.objects.filter(submission_key=submission_key).first():
        return _own(known, client)
    if not items:
        raise OrderRefused("There is nothing in this order.")
    if not 0 < len(submission_key) <= MAX_KEY:
        raise OrderRefused("This form is damaged. Please start the order again.")
    _check_payment_method(payment_method)
    with transaction.atomic():
        # The client's lock makes a second click wait here until the first order is stored.
        locked = Client.objects.select_for_update(no_key=True).get(pk=client.pk)
        if known := Order.objects.filter(submission_key=submission_key).first():
            return _own(known, client)
        if locked.status == ClientStatus.CLOSED:
            raise OrderRefused("This account is closed.")
        terms = [check_item(item, currency=locked.currency) for item in items]
        order = orders.record_order(
            client=locked,
            placed_by=placed_by,
            items=terms,
            payment_method=payment_method,
            submission_key=submission_key,
            anchor_date=local_date(at, settings.SELLER_TIMEZONE),
            at=at,
        )
        services = [item.service for item in order.items.select_related("service__product")]
        if invoice := _first_invoice(order, services, at=at):
            orders.attach_invoice(order, invoice)
        start_services.start_on_order(order, services, at=at)
        _confirm(order, terms, at=at)
    return order


def _first_invoice(order: Order, services: Sequence[Service], *, at: datetime) -> Invoice | None:
    return advance_billing.invoice_first_period(
        order.client, services, payment_method=order.payment_method, at=at
    )


def check_item(item: OrderRequest, *, currency: str) -> ItemTerms:
    """The terms of one item, or OrderRefused.  Reads the catalogue and nothing else."""
    product = Product.objects.filter(pk=item.product_id, retired=False).first()
    if product is None:
        raise OrderRefused("This product is no longer for sale.")
    price = Price.objects.filter(product=product, currency=currency, cycle=item.cycle).first()
    if price is None:
        raise OrderRefused(f"{product} is not offered that way in {currency}.")
    label = " ".join(item.label.split())
    if len(label) > MAX_LABEL:
        sentence = f"A name has at most {MAX_LABEL} characters."
        raise OrderRefused(sentence, {"label": [sentence]})
    if not product.module_key:
        return ItemTerms(product, price, label, {})
    module = registry.module_class(product.module_key)
    form = module.order_form(product.module_settings)(data=item.answers)
    if not form.is_valid():
        errors = {name: [str(e) for e in found] for name, found in form.errors.items()}
        raise OrderRefused(_first(errors), errors)
    spec = module.spec_for(product.module_settings, form.cleaned_data)
    try:
        module.check_spec(product.module_settings, spec)
    except ModuleError as error:
        raise OrderRefused(str(error)) from error
    return ItemTerms(product, price, label, spec)


def _check_payment_method(key: str) -> None:
    try:
        gateway(key)
    except UnknownGateway as error:
        raise OrderRefused(str(error), {"payment_method": [str(error)]}) from error


def _own(order: Order, client: Client) -> Order:
    if order.client_id != client.pk:
        raise OrderRefused("This form was already used. Please start the order again.")
    return order


def _first(errors: Mapping[str, list[str]]) -> str:
    return next(iter(errors.values()))[0]


def _confirm(order: Order, terms: Sequence[ItemTerms], *, at: datetime) -> None:
    context = {
        "order": order.number,
        "items": ", ".join(item.product.name for item in terms),
        "next_step": _next_step(order, terms),
        "path": f"/orders/{order.pk}/",
    }
    notify(order.client, "order_placed", key=str(order.pk), context=context, at=at)


def _next_step(order: Order, terms: Sequence[ItemTerms]) -> str:
    """What the client does or waits for, in one or two sentences."""
    ways = {item.product.set_up for item in terms}
    if order.invoice:
        due = f"the invoice over {format_amount(order.total, order.currency)}"
        if SetUp.ON_PAYMENT in ways:
            return f"We start as soon as {due} is paid."
        asked = f"Please pay {due}."
        return f"{asked} {STARTED if SetUp.ON_ORDER in ways else REVIEWED}"
    return REVIEWED if ways == {SetUp.MANUALLY} else STARTED
