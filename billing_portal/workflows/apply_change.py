"""Carrying out changes of services, and what gives money back.

What gives money back happens at the vendor first: the credit comes when the smaller thing
stands, as a credit note over what had billed the unused days.

Order of locks: client, invoice, service.
"""

import logging
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from billing_portal.calc.periods import local_date
from billing_portal.calc.pricing import ChosenOption
from billing_portal.errors import PortalError
from billing_portal.invoices import crediting
from billing_portal.invoices.models import UsageWindow
from billing_portal.orders import changes
from billing_portal.orders.models import ServiceChange
from billing_portal.payments import credit
from billing_portal.payments.credit import Kind, Movement
from billing_portal.products.models import Product
from billing_portal.services import changing
from billing_portal.services.changing import ServiceTerms, terms_of
from billing_portal.services.models import Service
from billing_portal.workflows import change_steps, credit_notes, unused_periods
from billing_portal.workflows.change_offer import restated
from billing_portal.workflows.change_terms import NewTerms
from billing_portal.workflows.unused_periods import GiveBack

logger = logging.getLogger(__name__)

Status = changes.Status


def begin(change: ServiceChange, *, at: datetime) -> None:
    """Carry a change out that waits for no money, as far as that goes now.

    The caller holds the locks of client and service, and `unused_periods.lock` of it.
    """
    if gives_back(change):
        _go_on_giving(change, at=at)
    else:
        change_steps.begin_paid(change, at=at)


def go_on_all(at: datetime) -> None:
    """Go on with every change whose vendor has answered, and with prices that wait."""
    waiting = Q(status=Status.APPLYING) | Q(status=Status.APPLIED, after__prices_wait=True)
    found = ServiceChange.objects.filter(waiting).order_by("pk")
    for change_id, status in found.values_list("pk", "status"):
        _try(change_id, go_on if status == Status.APPLYING else take_usage_prices, at=at)


def go_on(change_id: int, *, at: datetime) -> None:
    """Take the next step of a change that is being carried out; none is due, nothing happens."""
    with transaction.atomic():
        client_id = ServiceChange.objects.values_list("service__client_id", flat=True)
        credit.locked_client(client_id.get(pk=change_id))
        change = change_steps.find(
            ServiceChange.objects.filter(pk=change_id, status=Status.APPLYING)
        )
        if change is None:
            return
        if gives_back(change):
            unused_periods.lock(change.service_id, since=_asked_on(change))
        Service.objects.select_for_update(no_key=True).get(pk=change.service_id)
        if gives_back(change):
            _go_on_giving(change, at=at)
        elif change_steps.vendor_is_done(change, at=at):
            change_steps.finish(change, at=at)


def take_usage_prices(change_id: int, *, at: datetime) -> None:
    """Give a service the metered prices of its new product once its month of use is billed.

    The month in which it changed is billed as agreed before; a later change outdoes it.
    """
    with transaction.atomic():
        change = change_steps.find(ServiceChange.objects.filter(pk=change_id))
        assert change is not None and change.closed_at is not None  # it is applied
        service = change.service
        closed = UsageWindow.objects.filter(service=service, ends_at__gt=change.closed_at)
        newer = ServiceChange.objects.filter(service=service, status=Status.APPLIED)
        outdone = newer.filter(pk__gt=change.pk, after__has_key="prices_wait").exists()
        if not closed.exists() and not outdone:
            return
        if not outdone:
            changing.set_usage_prices(service.pk, change.after["usage_prices"])
        change.after["prices_wait"] = False
        change.save(update_fields=["after"])


def gives_back(change: ServiceChange) -> bool:
    """Whether the client gets credit for it, so that the vendor goes first."""
    return Decimal(change.after["total"]) < 0


def _go_on_giving(change: ServiceChange, *, at: datetime) -> None:
    if not change_steps.vendor_is_done(change, at=at):
        return
    terms, given = _settled_now(change)
    change_steps.set_terms(change, terms, at=at)
    _give_back(change, given, at=at)
    change_steps.finish(change, at=at, given=given.total)


def _settled_now(change: ServiceChange) -> tuple[ServiceTerms, GiveBack]:
    """The terms of a change that gives back, and what it gives, as invoiced by now.

    A renewal at the old price may have come before the vendor was done: its days count too.
    """
    terms = ServiceTerms.read(change.after["terms"])
    on = _asked_on(change)
    if terms_of(change.service).as_json() == change.before["terms"]:
        net = Decimal(change.after["gives_net"])
        return terms, unused_periods.give_back(change.service, net, since=on)
    found = restated(change.service, _as_wished(change, terms), on=on, at=change.requested_at)
    changes.reprice(change, found.price.payable)
    return found.terms(), found.given or unused_periods.NOTHING


def _asked_on(change: ServiceChange) -> date:
    return local_date(change.requested_at, settings.SELLER_TIMEZONE)


def _as_wished(change: ServiceChange, terms: ServiceTerms) -> NewTerms:
    return NewTerms(
        product=Product.objects.get(pk=terms.product_id),
        cycle=terms.cycle,
        recurring=terms.recurring_amount,
        quantity=terms.quantity,
        options=tuple(ChosenOption.read(one) for one in terms.options),
        spec=change.after["spec"],
        promotion_off=terms.discount_amount,
        keeps_promotion=terms.promotion_id is not None,
    )


def _give_back(change: ServiceChange, given: GiveBack, *, at: datetime) -> None:
    for part in given.parts:
        credit_notes.credit_invoice(
            part.invoice.pk,
            partial(crediting.correct_lines, amounts=part.amounts),
            reason=f"unused part of {change.before['summary']}",
            request_key=f"change:{change.pk}:{part.invoice.pk}",
            at=at,
            actor=change.requested_by,
        )
    if given.without_tax:
        _move_credit(change, given.without_tax, at=at)


def _move_credit(change: ServiceChange, amount: Decimal, *, at: datetime) -> None:
    """What no invoice ever billed is given back as it is, without tax."""
    movement = Movement(
        key=f"change:{change.pk}",
        kind=Kind.DOWNGRADE,
        amount=amount,
        currency=change.currency,
        description=f"Unused part of {change.before['summary']}",
    )
    credit.move(credit.locked_client(change.service.client_id), movement, at=at)


def _try(change_id: int, step: Callable[..., None], *, at: datetime) -> None:
    """One step, in a transaction of its own; what fails stops no other change."""
    try:
        step(change_id, at=at)
    except PortalError as error:
        logger.warning("change %s does not go on: %s", change_id, error)
    except Exception:
        logger.exception("change %s does not go on", change_id)
