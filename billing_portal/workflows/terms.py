"""Ending what was agreed for a time: trials, fixed terms, and a number of periods.

    ----- seven days before ------ the day before --| ends_on
               notice                 last notice     the service ends

A service with a remote object loses its data then, so it never ends unannounced: after a
downtime the last notice goes out first, and the service ends a day later.  One that was
sold for a number of periods is completed with the last of them, once they are paid; what
stands at a vendor stays there until staff delete it.
"""

from datetime import timedelta

from django.conf import settings
from django.db.models import F, Q
from post_office.models import STATUS

from billing_portal.automation.actions import Deed
from billing_portal.automation.queries import BusinessDay
from billing_portal.calc.periods import local_date
from billing_portal.clients.notices import notify
from billing_portal.errors import PortalError
from billing_portal.invoices.models import OWED, InvoiceLine
from billing_portal.mail.models import ClientMail
from billing_portal.services import actions as services
from billing_portal.services.models import Service
from billing_portal.services.queries import billable_statuses
from billing_portal.services.states import ServiceStatus, SuspensionCause
from billing_portal.workflows import change_service
from provisioning.models import Placement

FIRST, LAST, COMPLETED = "term_notice", "term_last_notice", "service_completed"
FIRST_DAYS, LAST_DAYS = timedelta(days=7), timedelta(days=1)


class NoticeNotSent(PortalError):
    """The client does not know yet, so nothing may be deleted."""


def services_to_end(on: BusinessDay) -> list[int]:
    """Ids of running services whose term is over within a week, or whose periods are used up."""
    term = Q(ends_on__lte=on.today + FIRST_DAYS)
    used_up = Q(
        periods_limit__lte=F("periods_billed"),
        billed_until__lte=on.today,
        status=ServiceStatus.ACTIVE,
    )
    found = Service.objects.filter(term | used_up, status__in=billable_statuses())
    return list(found.order_by("pk").values_list("pk", flat=True))


def end(service_id: int, on: BusinessDay) -> Deed | None:
    """Take the next step towards the end of a service; None if none is due today.

    In the caller's transaction.  Raises NoticeNotSent instead of deleting unannounced.
    """
    service = (
        Service.objects.select_for_update(of=("self",), no_key=True)
        .select_related("client", "product")
        .get(pk=service_id)
    )
    if service.status not in billable_statuses():
        return None
    if service.ends_on and service.ends_on <= on.today + FIRST_DAYS:
        return _towards_end(service, on)
    return _complete(service, on) if _is_used_up(service, on) else None


def _towards_end(service: Service, on: BusinessDay) -> Deed | None:
    assert service.ends_on is not None
    last = _mail(LAST, service)
    if last is None and on.today >= service.ends_on - LAST_DAYS:
        ends_on = max(service.ends_on, on.today + LAST_DAYS)
        return _tell(LAST, service, f"Last notice: {service} ends on {ends_on}", on)
    if last is None:
        if _mail(FIRST, service):
            return None
        return _tell(FIRST, service, f"Notice: {service} ends on {service.ends_on}", on)
    told_on = local_date(last.at, settings.SELLER_TIMEZONE)
    if on.today < service.ends_on or on.today <= told_on or _is_ending(service):
        return None
    return _end(service, last, on)


def _end(service: Service, last: ClientMail, on: BusinessDay) -> Deed:
    if service.product.module_key:
        if last.email.status != STATUS.sent:
            raise NoticeNotSent(f"{service} was not ended: its client's notice did not go out.")
        change_service.terminate(
            service.pk,
            request_key=_key(service),
            at=on.at,
            actor=None,
            cause=SuspensionCause.OTHER,
        )
    else:
        services.move(service.pk, to=ServiceStatus.TERMINATED, at=on.at, reason="end of its term")
    return Deed(f"{service} ends: its term is over", service_id=service.pk)


def _complete(service: Service, on: BusinessDay) -> Deed:
    services.move(service.pk, to=ServiceStatus.COMPLETED, at=on.at)
    context = {
        "service": str(service),
        "periods": service.periods_limit,
        "ended_on": service.billed_until.isoformat(),
        "path": f"/services/{service.pk}/",
    }
    notify(service.client, COMPLETED, key=str(service.pk), context=context, at=on.at)
    summary = f"{service} is completed after {service.periods_limit} periods"
    if Placement.objects.filter(service=service).exclude(remote_id="").exists():
        summary += "; what stands at the vendor stays until somebody deletes it"
    return Deed(summary, service_id=service.pk)


def _is_used_up(service: Service, on: BusinessDay) -> bool:
    """Whether all its periods are over, and paid; what is overdue is for reminders first."""
    return (
        service.status == ServiceStatus.ACTIVE
        and service.periods_limit is not None
        and service.periods_billed >= service.periods_limit
        and service.billed_until <= on.today
        and not InvoiceLine.objects.filter(service=service, invoice__status__in=OWED).exists()
    )


def _tell(template: str, service: Service, summary: str, on: BusinessDay) -> Deed:
    assert service.ends_on is not None
    context = {
        "service": str(service),
        "ends_on": max(service.ends_on, on.today + LAST_DAYS).isoformat(),
        "loses_data": bool(service.product.module_key),
        "path": f"/services/{service.pk}/",
    }
    notify(service.client, template, key=_key(service), context=context, at=on.at)
    return Deed(summary, service_id=service.pk)


def _mail(template: str, service: Service) -> ClientMail | None:
    """The notice of this end of the service; another end has notices of its own."""
    mails = ClientMail.objects.select_related("email")
    return mails.filter(key=f"{template}:{_key(service)}").first()


def _is_ending(service: Service) -> bool:
    """Whether the end was asked for; what then fails is in the job queue."""
    return service.jobs.filter(request_key=_key(service)).exists()


def _key(service: Service) -> str:
    return f"term:{service.pk}:{service.ends_on}"
