"""A client orders: services, an invoice, and what can start at once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.calc.invoice import DraftInvoice
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client, ClientStatus
from billing_portal.clients.notices import notify
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.orders import actions as orders
from billing_portal.orders.actions import ItemTerms
from billing_portal.orders.models import Order
from billing_portal.payments.registry import UnknownGateway, gateway
from billing_portal.products import actions as products
from billing_portal.products.actions import OutOfStock
from billing_portal.products.models import Product
from billing_portal.promotions.queries import PromotionRefused
from billing_portal.services.models import Service, ServiceAddon
from billing_portal.workflows import (
    addon_starts,
    advance_billing,
    settled,
    start_services,
    use_promotion,
)
from billing_portal.workflows.order_terms import (
    AddonRequest,
    OrderRefused,
    OrderRequest,
    terms_of,
)

__all__ = ["AddonRequest", "OrderPreview", "OrderRefused", "OrderRequest", "place_order", "preview"]

SetUp = Product.SetUp
MAX_KEY = Order._meta.get_field("submission_key").max_length or 0

STARTED = "We are setting it up now and will write again when it is ready."
REVIEWED = "We look at it ourselves first and will write again when it is ready."


@dataclass(frozen=True, slots=True)
class OrderPreview:
    """What an order would charge: its invoice, and each later one; None if nothing is due."""

    due_now: DraftInvoice | None
    per_cycle: DraftInvoice | None


def preview(
    client: Client, terms: Sequence[ItemTerms], *, at: datetime, promotion_code: str = ""
) -> OrderPreview:
    """What an order on these terms would charge now and from then on, to the cent.

    Stores nothing.  `client` may be unstored, for somebody who has no account yet.
    Raises PromotionRefused if the code does not hold.
    """
    if promotion_code:
        terms = use_promotion.judged(promotion_code, client, terms, at=at)
    today = local_date(at, settings.SELLER_TIMEZONE)
    services = [item.as_service(client, anchor_date=today, at=at) for item in terms]
    for number, service in enumerate(services, start=FIRST_UNSTORED):
        service.pk = number
    extras = [
        row
        for item, service in zip(terms, services, strict=True)
        for row in item.as_addons(service, day=today, at=at)
    ]
    for number, extra in enumerate(extras, start=FIRST_UNSTORED):
        extra.pk = number
    return OrderPreview(
        advance_billing.draft_first_periods(
            client, services, payment_method="", at=at, extras=extras
        ),
        advance_billing.draft_second_periods(client, services, at=at, extras=extras),
    )


FIRST_UNSTORED = 2**62
"""Tells unstored services apart; no stored one comes near."""


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
        terms = _terms(items, locked)
        _take_stock(terms)
        if promotion_code.strip():
            terms = _promoted(promotion_code, locked, terms, at=at)
        order = orders.record_order(
            client=locked,
            placed_by=placed_by,
            items=terms,
            payment_method=payment_method,
            submission_key=submission_key,
            anchor_date=local_date(at, settings.SELLER_TIMEZONE),
            at=at,
            promotion_code=promotion_code.strip().upper(),
        )
        services = [item.service for item in order.items.select_related("service__product")]
        if invoice := _first_invoice(order, services, at=at):
            orders.attach_invoice(order, invoice)
            if invoice.status == InvoiceStatus.PAID:  # by credit, or it costs nothing
                settled.follow_up(invoice, at=at)
        else:
            addon_starts.start(ServiceAddon.objects.filter(service__in=services), at=at)
        start_services.start_on_order(order, services, at=at)
        _confirm(order, terms, at=at)
    return order


def _first_invoice(order: Order, services: Sequence[Service], *, at: datetime) -> Invoice | None:
    extras = ServiceAddon.objects.filter(service__in=services)
    return advance_billing.invoice_first_period(
        order.client,
        services,
        payment_method=order.payment_method,
        at=at,
        extras=list(extras.select_related("addon", "service__product").order_by("pk")),
    )


def _promoted(
    code: str, client: Client, terms: Sequence[ItemTerms], *, at: datetime
) -> list[ItemTerms]:
    try:
        return use_promotion.taken(code, client, terms, at=at)
    except PromotionRefused as error:
        raise OrderRefused(str(error), {"promotion_code": [str(error)]}) from error


def _terms(items: Sequence[OrderRequest], client: Client) -> list[ItemTerms]:
    return [terms for item in items for terms in terms_of(item, currency=client.currency)]


def _take_stock(terms: Sequence[ItemTerms]) -> None:
    wanted = Counter[int]()
    for item in terms:
        wanted[item.product.pk] += item.quantity
    # Each product's row is locked, in one order for everybody.
    for product_id, units in sorted(wanted.items()):
        try:
            products.take_stock(product_id, units)
        except OutOfStock as error:
            raise OrderRefused(str(error), {"quantity": [str(error)]}) from error


def _check_payment_method(key: str) -> None:
    try:
        gateway(key)
    except UnknownGateway as error:
        raise OrderRefused(str(error), {"payment_method": [str(error)]}) from error


def _own(order: Order, client: Client) -> Order:
    if order.client_id != client.pk:
        raise OrderRefused("This form was already used. Please start the order again.")
    return order


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
