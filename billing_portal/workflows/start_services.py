"""Setting up what was ordered, when its product says it may start."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.errors import PortalError
from billing_portal.orders.models import Order
from billing_portal.products.models import Product
from billing_portal.services import actions as services
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import advance_billing
from provisioning import actions as provisioning

SetUp = Product.SetUp


def start_on_order(order: Order, ordered: Iterable[Service], *, at: datetime) -> None:
    """Start what needs no payment: set up on order, or an order that costs nothing now."""
    for service in ordered:
        set_up = service.product.set_up
        if set_up == SetUp.ON_ORDER or (set_up == SetUp.ON_PAYMENT and order.invoice is None):
            start(service, at=at)


def start_on_payment(ordered: Iterable[Service], *, at: datetime) -> None:
    """Start the pending services whose product waits for the money.

    If the seller counts first periods from the payment, they begin today.  A service that
    cannot start is noted in its history; it stops neither the others nor the payment.
    """
    ordered = list(ordered)
    advance_billing.begin_on_payment(ordered, at=at)
    for service in ordered:
        if service.product.set_up != SetUp.MANUALLY:
            _try_to_start(service, at=at)


def start(service: Service, *, at: datetime, actor: User | None = None) -> None:
    """Queue the creation of a pending service; one without a module is simply active.

    Does nothing to a service that is past that, and never queues a second creation.
    """
    if service.status != ServiceStatus.PENDING:
        return
    if not service.product.module_key:
        services.move(service.pk, to=ServiceStatus.ACTIVE, at=at, actor=actor)
        return
    provisioning.request_create(
        service.pk,
        request_key=f"create:{service.pk}",
        at=at,
        requested_by=actor.get_full_name() if actor else "",
    )


def _try_to_start(service: Service, *, at: datetime) -> None:
    try:
        with transaction.atomic():
            start(service, at=at)
    except PortalError as error:
        audit.record(
            "service.not_started",
            service,
            summary=f"{service} was paid for but not started: {error}",
            at=at,
            client_id=service.client_id,
        )
