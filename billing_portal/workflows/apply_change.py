"""Carrying out a change of a service once nothing is owed for it.

What costs something is the client's at once, and the vendor follows.  What gives money
back happens at the vendor first: the credit comes when the smaller thing stands.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from billing_portal.calc.periods import local_date
from billing_portal.calc.pricing import ChosenOption
from billing_portal.clients.notices import notify
from billing_portal.errors import PortalError
from billing_portal.invoices import actions as invoices
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice, UsageWindow
from billing_portal.mail import actions as mail
from billing_portal.orders import changes
from billing_portal.orders.models import ServiceChange
from billing_portal.payments import credit
from billing_portal.payments.credit import Kind, Movement
from billing_portal.products.models import Product
from billing_portal.services import changing
from billing_portal.services.changing import ServiceTerms, terms_of
from billing_portal.services.models import Service
from billing_portal.services.states import ENDED
from billing_portal.workflows.change_offer import restated
from billing_portal.workflows.change_terms import NewTerms
from provisioning import actions as provisioning
from provisioning import registry
from provisioning.models import Job

logger = logging.getLogger(__name__)

Status = changes.Status


def invoice_settled(invoice: Invoice, *, at: datetime) -> None:
    """If the invoice asks for the money of a change, begin it.

    In the caller's transaction, which holds the locks of client and invoice.
    """
    change = _change(ServiceChange.objects.filter(invoice=invoice, status=Status.PENDING))
    if change is None:
        return
    Service.objects.select_for_update(no_key=True).get(pk=change.service_id)
    service = change.service
    if service.status in ENDED or terms_of(service).as_json() != change.before["terms"]:
        _return_money(change, invoice, at=at)
    else:
        begin(change, at=at)


def begin(change: ServiceChange, *, at: datetime) -> None:
    """Carry a change out, as far as that goes now; the service is locked."""
    if change.status == Status.PENDING:
        changes.begin(change, at=at)
    if not gives_back(change):
        _set_terms(change, ServiceTerms.read(change.after["terms"]), at=at)
    _go_on(change, at=at)


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
        change = _change(ServiceChange.objects.filter(pk=change_id, status=Status.APPLYING))
        if change is None:
            return
        Service.objects.select_for_update(no_key=True).get(pk=change.service_id)
        _go_on(change, at=at)


def take_usage_prices(change_id: int, *, at: datetime) -> None:
    """Give a service the metered prices of its new product once its month of use is billed.

    The month in which it changed is billed as agreed before; a later change outdoes it.
    """
    with transaction.atomic():
        change = _change(ServiceChange.objects.filter(pk=change_id))
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


def job_key(change: ServiceChange) -> str:
    """Under which key the vendor is asked for it."""
    return f"change:{change.pk}"


def summary(service: Service) -> str:
    """Product and what it delivers: "Backup S, 500 GB"."""
    key = service.product.module_key
    said = registry.module_class(key).summarise(service.spec) if key and service.spec else ""
    return f"{service.product.name}, {said}" if said else service.product.name


def _go_on(change: ServiceChange, *, at: datetime) -> None:
    if not _vendor_is_done(change, at=at):
        return
    if gives_back(change):
        terms, amount = _settled_now(change)
        _set_terms(change, terms, at=at)
        if amount:
            _credit(change, amount, at=at)
    changes.close(change, Status.APPLIED, at=at)
    if change.after["usage_prices"]:
        _plan_usage_prices(change)
    _tell(change, at=at)


def _vendor_is_done(change: ServiceChange, *, at: datetime) -> bool:
    """Whether the remote object is what it should become; asks for it once."""
    wished = change.after["spec"]
    if wished == change.before["spec"]:
        return True
    job = Job.objects.filter(request_key=job_key(change)).first()
    if job is None:
        job = _ask_vendor(change, at=at)
    if job and job.status == Job.Status.FAILED:
        changes.note_problem(change, job.last_error)  # staff were told of the job
    return job is not None and job.status in (Job.Status.DONE, Job.Status.RESOLVED)


def _ask_vendor(change: ServiceChange, *, at: datetime) -> Job | None:
    product = Product.objects.get(pk=change.after["terms"]["product_id"])
    actor = change.requested_by
    try:
        with transaction.atomic():
            return provisioning.request_resize(
                change.service_id,
                spec=change.after["spec"],
                request_key=job_key(change),
                at=at,
                requested_by=actor.get_full_name() if actor else "",
                product_settings=product.module_settings,
            )
    except PortalError as error:
        _alert(change, str(error), at=at)
        return None


def _settled_now(change: ServiceChange) -> tuple[ServiceTerms, Decimal]:
    """The terms of a change that gives back, and what it gives, as invoiced by now.

    A renewal at the old price may have come before the vendor was done: its days count too.
    """
    terms = ServiceTerms.read(change.after["terms"])
    if terms_of(change.service).as_json() == change.before["terms"]:
        return terms, -Decimal(change.after["total"])
    asked_on = local_date(change.requested_at, settings.SELLER_TIMEZONE)
    found = restated(change.service, _as_wished(change, terms), on=asked_on, at=change.requested_at)
    changes.reprice(change, found.price.payable)
    return found.terms(), max(-found.total, Decimal(0))


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


def _set_terms(change: ServiceChange, terms: ServiceTerms, *, at: datetime) -> None:
    actor = change.requested_by
    if change.after["restarts"]:
        # What was paid in advance of the new first day was credited, and may be billed anew.
        invoices.release_periods(change.service_id, starting=terms.anchor_date)
    changing.set_terms(change.service_id, terms, at=at, actor=actor)
    change.service.refresh_from_db()


def _credit(change: ServiceChange, amount: Decimal, *, at: datetime) -> None:
    _move_credit(change, Kind.DOWNGRADE, amount, f"Unused part of {change.before['summary']}", at)


def _return_money(change: ServiceChange, invoice: Invoice, *, at: datetime) -> None:
    """The service was renewed or ended before the money came: it becomes credit."""
    problem = "Paid after the service was renewed, changed or ended; the amount is credit now."
    changes.close(change, Status.EXPIRED, at=at, problem=problem)
    if invoice.total > 0:
        words = f"Invoice {invoice} for a change that was no longer possible"
        _move_credit(change, Kind.OVERPAYMENT, invoice.total, words, at)
    _tell_staff(change, problem, at=at)


def _move_credit(
    change: ServiceChange, kind: Kind, amount: Decimal, words: str, at: datetime
) -> None:
    client = credit.locked_client(change.service.client_id)
    movement = Movement(
        key=f"change:{change.pk}",
        kind=kind,
        amount=amount,
        currency=change.currency,
        description=words,
        invoice=change.invoice,
    )
    credit.move(client, movement, at=at)


def _plan_usage_prices(change: ServiceChange) -> None:
    service = change.service
    if service.usage_prices.exists():
        change.after["prices_wait"] = True
        change.save(update_fields=["after"])
    else:
        changing.set_usage_prices(service.pk, change.after["usage_prices"])


def _alert(change: ServiceChange, problem: str, *, at: datetime) -> None:
    """Tell staff once that a change does not go on; what was paid stays paid."""
    if changes.note_problem(change, problem):
        _tell_staff(change, problem, at=at)


def _tell(change: ServiceChange, *, at: datetime) -> None:
    service, total = change.service, -Decimal(change.after["total"])
    context = {
        "service": str(service),
        "summary": change.after["summary"],
        "credit": format_amount(total, change.currency) if total > 0 else "",
        "path": f"/services/{service.pk}/",
    }
    notify(service.client, "service_changed", key=str(change.pk), context=context, at=at)


def _tell_staff(change: ServiceChange, problem: str, *, at: datetime) -> None:
    service = change.service
    mail.send(
        "change_failed_staff",
        to=settings.SELLER_EMAIL,
        key=f"{change.pk} at {at.isoformat()}",
        context={
            "client": str(service.client),
            "service": str(service),
            "summary": change.after["summary"],
            "problem": problem,
            "path": f"/staff/services/service/{service.pk}/",
        },
        at=at,
    )


def _change(found: QuerySet[ServiceChange]) -> ServiceChange | None:
    return found.select_related(
        "service__product", "service__client__group", "service__promotion", "requested_by"
    ).first()


def _try(change_id: int, step: Callable[..., None], *, at: datetime) -> None:
    """One step, in a transaction of its own; what fails stops no other change."""
    try:
        step(change_id, at=at)
    except PortalError as error:
        logger.warning("change %s does not go on: %s", change_id, error)
    except Exception:
        logger.exception("change %s does not go on", change_id)
