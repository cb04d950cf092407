"""Changing what a service is: product, cycle, quantity, options.

    offer -> request -> costs something: invoice, and carried out once that is paid
                        costs nothing:   carried out at once
                        gives back:      the vendor first, then the credit

Order of locks: client, invoice, service.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.invoices import actions as invoices
from billing_portal.invoices import crediting
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.invoices.numbering import turn_into_invoice
from billing_portal.orders import changes
from billing_portal.orders.models import ServiceChange
from billing_portal.promotions.actions import count_use
from billing_portal.promotions.queries import PromotionRefused
from billing_portal.services.changing import terms_of
from billing_portal.services.models import Service
from billing_portal.workflows import (
    apply_change,
    change_code,
    change_steps,
    credit_notes,
    issuing,
    settled,
    unused_periods,
)
from billing_portal.workflows.change_offer import ChangeOffer, code_refused, offer
from billing_portal.workflows.change_terms import ChangeRefused, ChangeWish
from provisioning import actions as provisioning
from provisioning.models import Job


class ChangeNotWithdrawable(PortalError):
    """The change is paid or done and can no longer be withdrawn."""


def preview(service_id: int, wish: ChangeWish, *, at: datetime) -> ChangeOffer:
    """What a wish would cost now.  Raises ChangeRefused."""
    service = Service.objects.select_related("client__group", "product", "promotion")
    return offer(service.get(pk=service_id), wish, at=at)


def request(
    service_id: int,
    wish: ChangeWish,
    *,
    shown_total: Decimal,
    request_key: str,
    at: datetime,
    actor: User | None,
) -> ServiceChange:
    """Ask for a change at the price that was shown; the same `request_key` asks once.

    Raises ChangeRefused, also if it costs something else by now; nothing is stored then.
    """
    with transaction.atomic():
        client_id = Service.objects.values_list("client_id", flat=True).get(pk=service_id)
        client = Client.objects.select_for_update(no_key=True).get(pk=client_id)
        if known := ServiceChange.objects.filter(request_key=request_key).first():
            return known
        unused_periods.lock(service_id, since=local_date(at, settings.SELLER_TIMEZONE))
        service = (
            Service.objects.select_for_update(of=("self",), no_key=True)
            .select_related("client__group", "product", "promotion")
            .get(pk=service_id)
        )
        if wish.promotion_code:
            _lock_code(wish.promotion_code)
        found = offer(service, wish, at=at)
        if found.total != shown_total:
            raise ChangeRefused("The price has changed meanwhile. Please look at it again.")
        change = _write_down(found, request_key=request_key, at=at, actor=actor)
        if found.promotion:
            count_use(found.promotion)
        if found.draft and found.total > 0:
            _ask_for_money(change, client, found, at=at, actor=actor)
        else:
            apply_change.begin(change, at=at)
    change.refresh_from_db()
    return change


def withdraw(change_id: int, *, reason: str, at: datetime, actor: User | None) -> ServiceChange:
    """Take back a change that was not paid, with its invoice; one that is over stays so.

    What was paid in part is the client's credit.  Raises ChangeNotWithdrawable while it is
    carried out, InvoiceNotMovable while a payment is under way.
    """
    with transaction.atomic():
        change = _locked(change_id)
        if change.status == changes.Status.APPLYING:
            raise ChangeNotWithdrawable(f"The {change} is already being carried out.")
        if change.status == changes.Status.PENDING:
            _take_back(change, changes.Status.CANCELLED, reason=reason, at=at, actor=actor)
        return change


def expire(change_id: int, *, reason: str, at: datetime) -> ServiceChange | None:
    """Take back a change whose time to pay is over; None if it is pending no longer.

    What was paid in part is the client's credit.
    """
    with transaction.atomic():
        change = _locked(change_id)
        if change.status != changes.Status.PENDING:
            return None
        _take_back(change, changes.Status.EXPIRED, reason=reason, at=at, actor=None)
        return change


def give_up(change_id: int, *, reason: str, at: datetime, actor: User | None) -> ServiceChange:
    """Staff end a change that gives money back and that the vendor refused: nothing changed.

    Its failed job is closed.  Raises ChangeNotWithdrawable for any other change.
    """
    with transaction.atomic():
        change = _locked(change_id)
        job = Job.objects.filter(request_key=change_steps.job_key(change)).first()
        refused = job is None or job.status == Job.Status.FAILED
        if change.status != changes.Status.APPLYING or not apply_change.gives_back(change):
            raise ChangeNotWithdrawable(f"The {change} is not one that waits for the vendor.")
        if not refused:
            raise ChangeNotWithdrawable(f"The vendor is still at work on the {change}.")
        if job:
            provisioning.resolve(job.pk, at=at, actor=actor, reason=reason)
        changes.close(change, changes.Status.CANCELLED, at=at, actor=actor, problem=reason)
        return change


def _take_back(
    change: ServiceChange,
    status: ServiceChange.Status,
    *,
    reason: str,
    at: datetime,
    actor: User | None,
) -> None:
    if change.invoice and change.invoice.is_owed:
        _take_invoice_back(change.invoice, reason=reason, at=at, actor=actor)
    change_code.give_back(change)
    changes.close(change, status, at=at, actor=actor, problem=reason)


def _lock_code(code: str) -> None:
    try:
        change_code.lock(code)
    except PromotionRefused as error:
        raise code_refused(str(error)) from error


def _take_invoice_back(invoice: Invoice, *, reason: str, at: datetime, actor: User | None) -> None:
    """Nobody owes it any more; what was paid on it is the client's credit."""
    untouched = not (invoice.paid_amount or invoice.credit_applied or invoice.credited_amount)
    if untouched:
        invoices.cancel(invoice.pk, reason=reason, at=at, actor=actor)
        return
    if invoice.is_proforma:  # a part of it is paid, so it was an invoice
        turn_into_invoice(invoice, at=at)
    credit_notes.credit_invoice(
        invoice.pk,
        crediting.correct_all,
        reason=reason,
        request_key=f"change:{invoice.pk}:taken_back",
        at=at,
        actor=actor,
    )


def _locked(change_id: int) -> ServiceChange:
    """The change, with the locks of its client, invoice and service taken first."""
    change = ServiceChange.objects.select_related("service").get(pk=change_id)
    Client.objects.select_for_update(no_key=True).get(pk=change.service.client_id)
    if change.invoice_id:
        Invoice.objects.select_for_update(no_key=True).get(pk=change.invoice_id)
    Service.objects.select_for_update(no_key=True).get(pk=change.service_id)
    related = ("service__product", "service__client", "invoice")
    return ServiceChange.objects.select_related(*related).get(pk=change_id)


def _write_down(
    found: ChangeOffer, *, request_key: str, at: datetime, actor: User | None
) -> ServiceChange:
    service = found.service
    return changes.write_down(
        service,
        found.price,
        before={
            "terms": terms_of(service).as_json(),
            "spec": service.spec,
            "summary": change_steps.summary(service),
        },
        after={
            "terms": found.terms().as_json(),
            "spec": dict(found.new.spec),
            "summary": found.new.summary,
            "restarts": found.price.restarts,
            "total": str(found.total),
            "gives_net": str(found.gives_net),
            "promotion_code": found.promotion.code if found.promotion else "",
            "usage_prices": _new_usage_prices(found),
        },
        policy=found.new.product.change_policy,
        request_key=request_key,
        expires_at=found.expires_at if found.total > 0 else None,
        at=at,
        actor=actor,
    )


def _ask_for_money(
    change: ServiceChange, client: Client, found: ChangeOffer, *, at: datetime, actor: User | None
) -> None:
    assert found.draft is not None  # it costs something
    invoice = issuing.issue(client, found.draft, at=at, actor=actor)
    changes.attach_invoice(change, invoice)
    if invoice.status == InvoiceStatus.PAID:  # by the client's credit
        settled.follow_up(invoice, at=at)


def _new_usage_prices(found: ChangeOffer) -> list[dict[str, Any]]:
    """The metered prices of another product, which replace those agreed before."""
    if found.new.product.pk == found.service.product_id:
        return []
    return [
        {
            "metric": usage.metric,
            "price": str(usage.price),
            "scheme": usage.scheme,
            "included": str(usage.included),
            "tiers": usage.tiers,
        }
        for usage in found.new.product.usage_prices.filter(currency=found.service.currency)
    ]
