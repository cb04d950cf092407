"""Suspending what an overdue invoice is for, and bringing it back once it is paid.

Only what was suspended for an overdue invoice comes back by payment; a suspension people
wished stays until people lift it.  Order of locks: invoice, then service.
"""

import logging
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from billing_portal.automation.actions import Deed
from billing_portal.automation.models import Task, TaskItem
from billing_portal.automation.queries import BusinessDay
from billing_portal.automation.queries import rules as automation_rules
from billing_portal.calc.periods import local_date
from billing_portal.errors import PortalError
from billing_portal.invoices.models import Invoice, InvoiceLine
from billing_portal.invoices.states import OWED, PAYABLE
from billing_portal.payments.models import CaptureAttempt
from billing_portal.products.models import Cycle
from billing_portal.services.addons import BILLABLE
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus, SuspensionCause
from billing_portal.workflows import change_service
from provisioning import actions as provisioning
from provisioning.models import Job

logger = logging.getLogger(__name__)

SUSPENDING = Q(addon__isnull=True) | Q(
    addon__addon__suspends_service=True, addon__status__in=BILLABLE
)
"""Invoice lines that cost their service its freedom: those of an add-on only if it says so
and runs."""


def services_to_suspend(on: BusinessDay) -> list[int]:
    """Ids of the active services on an invoice that has been overdue for long enough."""
    overdue = _overdue_lines(_limit(on)).filter(service=OuterRef("pk"))
    return list(
        Service.objects.filter(
            Exists(overdue),
            _not_put_off(on.day),
            status=ServiceStatus.ACTIVE,
            client__exempt_from_dunning=False,
        )
        .exclude(client__group__exempt_from_suspension=True)
        .exclude(cycle=Cycle.ONE_TIME)
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def suspend(service_id: int, on: BusinessDay) -> Deed | None:
    """Suspend a service for its oldest overdue invoice, in the caller's transaction.

    Once per service and invoice: if staff bring it back, it stays back until another
    invoice is overdue.  None if it was paid meanwhile.
    """
    line = _overdue_lines(_limit(on)).filter(service=service_id).order_by("invoice_id").first()
    if line is None:
        return None
    invoice = Invoice.objects.select_for_update(no_key=True).get(pk=line.invoice_id)
    if not invoice.is_payable:
        return None
    reason = f"invoice {invoice.number} has been due since {invoice.due_date.isoformat()}"
    service = change_service.suspend(
        service_id,
        reason=reason,
        cause=SuspensionCause.OVERDUE,
        request_key=f"overdue:{service_id}:{invoice.pk}",
        at=on.at,
        actor=None,
    )
    at_vendor = change_service.can_suspend(service_id)
    how = "suspended" if at_vendor else "suspended commercially, it keeps running"
    return Deed(
        f"{service} of {service.client} {how}: {reason}",
        invoice_id=invoice.pk,
        service_id=service.pk,
    )


def services_to_unsuspend(on: BusinessDay) -> list[int]:
    """Ids of the services suspended for an overdue invoice of which none is left."""
    return list(_liftable(on.today).order_by("pk").values_list("pk", flat=True))


def unsuspend(service_id: int, on: BusinessDay) -> Deed | None:
    """Bring a service back if nothing of it is overdue, in the caller's transaction."""
    Service.objects.select_for_update(no_key=True).get(pk=service_id)
    service = _liftable(on.today).filter(pk=service_id).first()
    if service is None:
        return None
    number = Job.objects.filter(service_id=service_id, kind=Job.Kind.UNSUSPEND).count()
    change_service.unsuspend(
        service_id,
        request_key=f"paid:{service_id}:{number}:{on.at.isoformat()}",
        at=on.at,
        actor=None,
    )
    return Deed(
        f"{service} of {service.client} comes back: all of it is paid", service_id=service_id
    )


def lift_after_payment(invoice: Invoice, *, at: datetime) -> None:
    """Bring back the services of an invoice that was just settled, in the caller's transaction.

    Suspensions and deletions nobody has begun are withdrawn.
    """
    rules = automation_rules()
    on = BusinessDay(local_date(at, settings.SELLER_TIMEZONE), at, rules)
    for service in _touched_services(invoice):
        if _is_overdue(service.pk, on.today):
            continue
        provisioning.withdraw(
            service.pk,
            cause=SuspensionCause.OVERDUE,
            reason=f"{invoice.number} was paid meanwhile.",
            at=at,
        )
        if rules.unsuspend_on_payment:
            _lift(service.pk, on)


def lift_all(on: BusinessDay) -> None:
    """Bring back what a payment could not: its job was under way, or the invoice was cancelled."""
    for service_id in services_to_unsuspend(on):
        _lift(service_id, on)


def _lift(service_id: int, on: BusinessDay) -> None:
    """Unsuspend; what stands in the way must not stop a payment or another service."""
    try:
        with transaction.atomic():
            unsuspend(service_id, on)
    except PortalError as error:
        # Tried again with the next tick; the day's run shows it to staff.
        logger.warning("service %s stays suspended: %s", service_id, error)


def _limit(on: BusinessDay) -> date:
    """Invoices due on this day or before are overdue for long enough."""
    return on.day - timedelta(days=on.rules.suspend_after_days)


def _overdue_lines(limit: date) -> QuerySet[InvoiceLine]:
    """Lines of invoices to pay for which their service was not suspended yet.

    A payment under way, pending at a bank or just being taken, holds suspensions;
    collections do not.
    """
    done = TaskItem.objects.filter(
        run__task=Task.SUSPENSIONS,
        outcome=TaskItem.Outcome.DONE,
        service=OuterRef("service"),
        invoice=OuterRef("invoice"),
    )
    asked = CaptureAttempt.objects.filter(
        outcome=CaptureAttempt.Outcome.UNDER_WAY, invoice=OuterRef("invoice")
    )
    return InvoiceLine.objects.filter(
        SUSPENDING,
        ~Exists(done),
        ~Exists(asked),
        invoice__status__in=PAYABLE,
        invoice__due_date__lte=limit,
    )


def _not_put_off(today: date) -> Q:
    return Q(never_suspend_until__isnull=True) | Q(never_suspend_until__lte=today)


def _liftable(today: date) -> QuerySet[Service]:
    """Suspended for an overdue invoice, nothing overdue, and nobody busy bringing it back."""
    owed = _unpaid_lines(today).filter(service=OuterRef("pk"))
    coming = Job.objects.filter(
        service=OuterRef("pk"),
        kind=Job.Kind.UNSUSPEND,
        status__in=(*Job.OPEN, Job.Status.FAILED),
    )
    return Service.objects.filter(
        ~Exists(owed),
        ~Exists(coming),
        status=ServiceStatus.SUSPENDED,
        suspension_cause=SuspensionCause.OVERDUE,
    ).select_related("client", "product")


def _is_overdue(service_id: int, today: date) -> bool:
    return _unpaid_lines(today).filter(service=service_id).exists()


def _unpaid_lines(today: date) -> QuerySet[InvoiceLine]:
    # A payment under way brings nothing back yet: it may still fail.
    return InvoiceLine.objects.filter(
        SUSPENDING, invoice__status__in=OWED, invoice__due_date__lt=today
    )


def _touched_services(invoice: Invoice) -> QuerySet[Service]:
    """Those on the invoice that are suspended or about to be, in order of key."""
    coming = Job.objects.filter(
        service=OuterRef("pk"),
        status__in=(Job.Status.QUEUED, Job.Status.FAILED),
        spec__cause=SuspensionCause.OVERDUE,
    )
    overdue = Q(suspension_cause=SuspensionCause.OVERDUE)
    ids = invoice.lines.values("service_id")
    return Service.objects.filter(overdue | Exists(coming), pk__in=ids).order_by("pk")
