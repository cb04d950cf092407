"""Deleting services that stay unpaid, in two steps: notice first, deletion after the grace.

    suspended ---notice---------- grace ----------last notice--|--deleted
                 planned row, mail                  mail       deletes_on

Off by default.  Every day the reason is looked at again: paid, brought back by staff or
put off, the plan is withdrawn.  Nothing is deleted unless both notices went out.
"""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from post_office.models import STATUS

from billing_portal.audit import actions as audit
from billing_portal.automation.actions import Deed
from billing_portal.automation.models import PlannedTermination
from billing_portal.automation.queries import BusinessDay, planned_termination
from billing_portal.clients.notices import notify
from billing_portal.errors import PortalError
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice, InvoiceLine, InvoiceStatus
from billing_portal.mail.models import ClientMail
from billing_portal.services import actions as services
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus, SuspensionCause
from billing_portal.workflows import change_service
from billing_portal.workflows.overdue_services import SUSPENDING

FIRST, LAST = "termination_notice", "termination_last_notice"
DAY = timedelta(days=1)


class NoticeNotSent(PortalError):
    """The client does not know yet, so nothing may be deleted."""


def services_to_end(on: BusinessDay) -> list[int]:
    """Ids of services to plan a deletion of, or with one planned."""
    owed = InvoiceLine.objects.filter(
        SUSPENDING, invoice__in=_long_overdue(on), service=OuterRef("pk")
    )
    planned = PlannedTermination.objects.filter(
        service=OuterRef("pk"), carried_out_at__isnull=True, withdrawn_at__isnull=True
    )
    ripe = Q(
        Exists(owed),
        Q(never_suspend_until__isnull=True) | Q(never_suspend_until__lte=on.today),
        status=ServiceStatus.SUSPENDED,
        suspension_cause=SuspensionCause.OVERDUE,
        client__exempt_from_dunning=False,
    )
    ripe &= ~Q(client__group__exempt_from_suspension=True)
    found = Service.objects.filter(ripe | Exists(planned))
    return list(found.order_by("pk").values_list("pk", flat=True))


def end(service_id: int, on: BusinessDay) -> Deed | None:
    """Take the next step towards deleting a service, or withdraw from it; None if none is due.

    In the caller's transaction.  Raises NoticeNotSent instead of deleting unannounced.
    """
    plan = planned_termination(service_id)
    invoice = _lock_invoice(service_id, plan, on)
    service = (
        Service.objects.select_for_update(of=("self",), no_key=True)
        .select_related("client__group", "product")
        .get(pk=service_id)
    )
    if invoice is None or not _still_applies(service, invoice, on):
        return _withdraw(plan, service, on) if plan else None
    if plan is None:
        return _announce(service, invoice, on)
    if plan.last_notice_on is None:
        return _announce_again(plan, service, invoice, on)
    if on.today < plan.deletes_on or on.today <= plan.last_notice_on:
        return None
    return _delete(plan, service, on)


def _long_overdue(on: BusinessDay) -> QuerySet[Invoice]:
    limit = on.day - timedelta(days=on.rules.terminate_after_days)
    return Invoice.objects.filter(status=InvoiceStatus.UNPAID, due_date__lte=limit)


def _lock_invoice(
    service_id: int, plan: PlannedTermination | None, on: BusinessDay
) -> Invoice | None:
    """The invoice the deletion is for, locked so that no payment comes in between."""
    if plan:
        return Invoice.objects.select_for_update(no_key=True).get(pk=plan.invoice_id)
    lines = InvoiceLine.objects.filter(
        SUSPENDING, service=service_id, invoice__in=_long_overdue(on)
    )
    oldest = lines.order_by("invoice__due_date", "invoice_id").first()
    return (
        Invoice.objects.select_for_update(no_key=True).get(pk=oldest.invoice_id) if oldest else None
    )


def _still_applies(service: Service, invoice: Invoice, on: BusinessDay) -> bool:
    put_off = service.never_suspend_until
    return (
        invoice.status == InvoiceStatus.UNPAID
        and service.status == ServiceStatus.SUSPENDED
        and service.suspension_cause == SuspensionCause.OVERDUE
        and not service.client.exempt_from_dunning
        and not (service.client.group and service.client.group.exempt_from_suspension)
        and (put_off is None or put_off <= on.today)
    )


def _announce(service: Service, invoice: Invoice, on: BusinessDay) -> Deed:
    plan = PlannedTermination.objects.create(
        service=service,
        invoice=invoice,
        planned_at=on.at,
        deletes_on=on.today + timedelta(days=on.rules.termination_grace_days),
    )
    _tell(FIRST, plan, service, invoice, on)
    return _note(plan, service, f"{service} will be deleted on {plan.deletes_on}", on)


def _announce_again(
    plan: PlannedTermination, service: Service, invoice: Invoice, on: BusinessDay
) -> Deed | None:
    if on.today < plan.deletes_on - DAY:
        return None
    plan.last_notice_on = on.today
    # After a downtime, the client still has a day.
    plan.deletes_on = max(plan.deletes_on, on.today + DAY)
    plan.save(update_fields=["last_notice_on", "deletes_on"])
    _tell(LAST, plan, service, invoice, on)
    return _note(plan, service, f"Last notice: {service} will be deleted {plan.deletes_on}", on)


def _delete(plan: PlannedTermination, service: Service, on: BusinessDay) -> Deed:
    for template in (FIRST, LAST):
        sent = ClientMail.objects.filter(key=f"{template}:{plan.pk}", email__status=STATUS.sent)
        if not sent.exists():
            raise NoticeNotSent(f"{service} was not deleted: its client's notice did not go out.")
    if service.product.module_key:
        change_service.terminate(
            service.pk,
            request_key=f"unpaid:{plan.pk}",
            at=on.at,
            actor=None,
            cause=SuspensionCause.OVERDUE,
        )
    else:
        services.move(service.pk, to=ServiceStatus.TERMINATED, at=on.at)
    plan.carried_out_at = on.at
    plan.save(update_fields=["carried_out_at"])
    return _note(plan, service, f"{service} is deleted: unpaid, and the grace is over", on)


def _withdraw(plan: PlannedTermination, service: Service, on: BusinessDay) -> Deed:
    plan.withdrawn_at = on.at
    plan.save(update_fields=["withdrawn_at"])
    return _note(plan, service, f"{service} will not be deleted: its reason is gone", on)


def _tell(
    template: str, plan: PlannedTermination, service: Service, invoice: Invoice, on: BusinessDay
) -> None:
    context = {
        "service": str(service),
        "number": invoice.number,
        "total": format_amount(invoice.total, invoice.currency),
        "due_date": invoice.due_date.isoformat(),
        "deletes_on": plan.deletes_on.isoformat(),
        "path": f"/invoices/{invoice.pk}/",
    }
    notify(service.client, template, key=str(plan.pk), context=context, at=on.at)


def _note(plan: PlannedTermination, service: Service, summary: str, on: BusinessDay) -> Deed:
    audit.record(
        "service.termination_planned",
        service,
        summary=summary,
        at=on.at,
        client_id=service.client_id,
        details={"plan": plan.pk, "invoice": plan.invoice_id},
    )
    return Deed(summary, invoice_id=plan.invoice_id, service_id=service.pk)
