"""A client gives a service up: noted, ended, its data kept for a while, then deleted.

    request ----- ends_on ---------- grace ---------- deletes_at
              runs      blocked, no longer billed     gone for good
    <-- withdraw --> <---------- keep ----------->

Order of locks: client, invoice, service.
"""

from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.automation.queries import rules as automation_rules
from billing_portal.calc.periods import local_date, local_midnight, slices_from
from billing_portal.clients.models import Client
from billing_portal.clients.notices import notify
from billing_portal.invoices.amounts import format_day
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.mail import actions as mail
from billing_portal.orders import changes
from billing_portal.services import actions as services
from billing_portal.services import cancelling
from billing_portal.services.cancelling import CancellationRefused, Status, When
from billing_portal.services.models import Cancellation, Service
from billing_portal.services.states import ServiceStatus, SuspensionCause
from billing_portal.workflows import change_product, change_service, unpaid_periods, usage_windows
from provisioning import actions as provisioning
from provisioning.models import Job, Placement

DAY = timedelta(days=1)


def end_of_paid_period(service: Service, *, today: date) -> date:
    """The first day a client has not paid for: today at the earliest.

    Unpaid periods that have not begun do not count.  What costs nothing in advance ends
    with its month of use.
    """
    if not service.recurring_amount or not service.cycle_months:
        anchor = service.usage_anchor_date or service.anchor_date
        months = slices_from(anchor, timezone=settings.SELLER_TIMEZONE)
        now = local_midnight(today, settings.SELLER_TIMEZONE)
        month = next(month for month in months if month.end > now)
        return local_date(month.end, settings.SELLER_TIMEZONE)
    unpaid = unpaid_periods.last_unpaid(service, today + DAY)
    starts = [line.period_start for line in unpaid]
    return max(today, min(starts, default=service.billed_until))


def request(
    service_id: int,
    *,
    when: Cancellation.When,
    reason: str,
    at: datetime,
    actor: User | None,
) -> Cancellation:
    """Note that a service ends: now, or with the period that is paid.

    Unpaid periods that have not begun are taken off their invoices, and an unpaid change is
    withdrawn.  "Now" is carried out at once, unless automation leaves that to staff.
    Raises CancellationRefused with a sentence; nothing is stored then.
    """
    today = local_date(at, settings.SELLER_TIMEZONE)
    with transaction.atomic():
        service = _lock_client_of(service_id)
        if change := changes.open_change(service_id):
            if change.status != changes.Status.PENDING:
                raise CancellationRefused(f"{service} is just being changed. Please try later.")
            change_product.withdraw(change.pk, reason=unpaid_periods.REASON, at=at, actor=actor)
        starting = today if when == When.NOW else today + DAY
        ends_on = today if when == When.NOW else end_of_paid_period(service, today=today)
        off = unpaid_periods.take_off(
            service,
            starting=starting,
            request_key=f"cancel:{service_id}:{at.isoformat()}",
            at=at,
            actor=actor,
        )
        found = cancelling.note(
            _lock(service_id), when=when, reason=reason, ends_on=ends_on, at=at, actor=actor
        )
        _confirm(found, off, at=at)
        if when == When.NOW and automation_rules().process_cancellations:
            end(found.pk, at=at, actor=actor)
    found.refresh_from_db()
    return found


def withdraw(cancellation_id: int, *, at: datetime, actor: User | None) -> Service:
    """Take a cancellation back before it took effect: the service goes on, and is billed again.

    Raises CancellationRefused once the service has ended.
    """
    with transaction.atomic():
        found = _locked(cancellation_id)
        if found.status == Status.WITHDRAWN:
            return found.service
        if found.status == Status.DONE or found.service.status == ServiceStatus.CANCELLED:
            raise CancellationRefused(f"{found.service} has ended already.")
        cancelling.close(found, Status.WITHDRAWN, at=at, actor=actor)
        _tell("service_kept", found, at=at)
        return found.service


def end(cancellation_id: int, *, at: datetime, actor: User | None = None) -> Service:
    """End a cancelled service: switched off, no longer billed, its data kept for the grace.

    One that ends with a period ended with the day before `ends_on`, however late we are.
    Ending twice ends once.
    """
    with transaction.atomic():
        found = _locked(cancellation_id)
        service = found.service
        if found.status != Status.OPEN or service.status == ServiceStatus.CANCELLED:
            return service
        stands = _stands(service)
        grace = timedelta(days=service.product.deletion_grace_days)
        cancelling.note_end(found, deletes_at=at + grace if stands else None, at=at)
        services.move(
            service.pk,
            to=ServiceStatus.CANCELLED,
            at=_ended_at(found, at),
            reason="its client gave it up",
            actor=actor,
        )
        if stands and grace:
            _switch_off(found, at=at)
        elif stands:
            delete(found.pk, at=at, actor=actor)
        _tell_ended(found, stands=stands, at=at)
        service.refresh_from_db()
        return service


def keep(
    cancellation_id: int, *, at: datetime, actor: User | None, by_client: bool = False
) -> Service:
    """Bring an ended service back while its data is there; it is billed again from here on.

    It comes back as it was: suspended, if it was suspended.  Usage since its end is billed
    too, with the next month if this one is closed.  `by_client`: what is overdue
    must be paid first.
    Raises CancellationRefused once the data is being deleted.
    """
    with transaction.atomic():
        found = _locked(cancellation_id)
        service = found.service
        if found.status != Status.OPEN or service.status != ServiceStatus.CANCELLED:
            raise CancellationRefused(f"{service} can no longer be kept.")
        if by_client and (overdue := _overdue(service, at)):
            raise CancellationRefused(
                f"Please pay invoice {overdue} first: it is overdue. Then {service} comes back."
            )
        cancelling.close(found, Status.WITHDRAWN, at=at, actor=actor)
        assert service.ended_at is not None  # it has ended
        usage_windows.resume(service, ended_at=service.ended_at, at=at)
        if found.suspension_cause:
            _back(service, found.suspension_reason, SuspensionCause(found.suspension_cause), at)
        elif change_service.can_suspend(service.pk):
            _back(service, "It is being switched on again.", SuspensionCause.OTHER, at)
            change_service.unsuspend(
                service.pk, request_key=f"cancellation:{found.pk}:keep", at=at, actor=actor
            )
        else:
            services.move(service.pk, to=ServiceStatus.ACTIVE, at=at, actor=actor)
        _tell("service_kept", found, at=at)
        service.refresh_from_db()
        return service


def delete(cancellation_id: int, *, at: datetime, actor: User | None = None) -> Job | None:
    """Have the data of an ended service deleted for good; the job, if there is something.

    Raises CancellationRefused unless the service has ended.
    """
    with transaction.atomic():
        found = _locked(cancellation_id)
        service = found.service
        key = f"cancellation:{found.pk}:delete"
        if found.status == Status.DONE:
            return Job.objects.filter(request_key=key).first()
        if found.status != Status.OPEN or service.status != ServiceStatus.CANCELLED:
            raise CancellationRefused(f"{service} has not ended, so nothing of it is deleted.")
        job = None
        if _stands(service):
            job = provisioning.request(
                service.pk,
                kind=Job.Kind.TERMINATE,
                request_key=key,
                at=at,
                requested_by=actor.get_full_name() if actor else "",
            )
        cancelling.close(found, Status.DONE, at=at, actor=actor)
        return job


def _lock_client_of(service_id: int) -> Service:
    client_id = Service.objects.values_list("client_id", flat=True).get(pk=service_id)
    Client.objects.select_for_update(no_key=True).get(pk=client_id)
    return Service.objects.select_related("client", "product").get(pk=service_id)


def _lock(service_id: int) -> Service:
    rows = Service.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("client", "product").get(pk=service_id)


def _locked(cancellation_id: int) -> Cancellation:
    """The cancellation with its service, whose row is locked."""
    service_id = Cancellation.objects.values_list("service_id", flat=True).get(pk=cancellation_id)
    service = _lock(service_id)
    found = Cancellation.objects.get(pk=cancellation_id)
    found.service = service
    return found


def _stands(service: Service) -> bool:
    standing = Placement.objects.filter(service=service, removed_at__isnull=True)
    return standing.exclude(remote_id="").exists()


def _ended_at(found: Cancellation, at: datetime) -> datetime:
    if found.when == When.NOW:
        return at
    return min(at, local_midnight(found.ends_on, settings.SELLER_TIMEZONE))


def _switch_off(found: Cancellation, *, at: datetime) -> None:
    """At the vendor, where that is possible; elsewhere the client's pages are blocked."""
    if change_service.can_suspend(found.service_id):
        provisioning.request(
            found.service_id,
            kind=Job.Kind.SUSPEND,
            request_key=f"cancellation:{found.pk}:end",
            at=at,
        )


def _back(service: Service, reason: str, cause: SuspensionCause, at: datetime) -> None:
    services.move(service.pk, to=ServiceStatus.SUSPENDED, at=at, reason=reason, cause=cause)


def _overdue(service: Service, at: datetime) -> Invoice | None:
    today = local_date(at, settings.SELLER_TIMEZONE)
    owed = (InvoiceStatus.UNPAID, InvoiceStatus.COLLECTIONS)
    found = Invoice.objects.filter(lines__service=service, status__in=owed, due_date__lt=today)
    return found.order_by("due_date", "pk").first()


def _confirm(found: Cancellation, off: list[Invoice], *, at: datetime) -> None:
    """To the client what was understood, to staff that it happened."""
    service = found.service
    context = {
        "service": str(service),
        "ends_on": format_day(found.ends_on),
        "now": found.when == When.NOW,
        "invoices": ", ".join(str(invoice) for invoice in off),
        "path": f"/services/{service.pk}/",
    }
    notify(service.client, "cancellation_noted", key=str(found.pk), context=context, at=at)
    mail.send(
        "cancellation_staff",
        to=settings.SELLER_EMAIL,
        key=str(found.pk),
        context={
            **context,
            "client": str(service.client),
            "reason": found.reason or "none given",
            "path": f"/staff/services/service/{service.pk}/",
        },
        at=at,
    )


def _tell_ended(found: Cancellation, *, stands: bool, at: datetime) -> None:
    kept = stands and found.deletes_at is not None and found.deletes_at > at
    _tell("service_ended", found, at=at, kept=kept)


def _tell(template: str, found: Cancellation, *, at: datetime, kept: bool = False) -> None:
    service = found.service
    deletes_on = found.deletes_at and local_date(found.deletes_at, settings.SELLER_TIMEZONE)
    context = {
        "service": str(service),
        "kept": kept,
        "deletes_on": format_day(deletes_on) if deletes_on else "",
        "path": f"/services/{service.pk}/",
    }
    notify(service.client, template, key=str(found.pk), context=context, at=at)
