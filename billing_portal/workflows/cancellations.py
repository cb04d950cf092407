"""Working cancellations off day by day: the end, two notices, and the deletion.

    | ends_on ------ seven days before ------ the day before --| deletes_at
    ended, mail           notice                 last notice     deleted

A grace too short for a notice goes without it.  After a downtime the last notice goes out
first, and the deletion waits for a day.
"""

from datetime import date, timedelta

from django.conf import settings
from django.db.models import Q

from billing_portal.automation.actions import Deed
from billing_portal.automation.queries import BusinessDay
from billing_portal.calc.periods import local_date
from billing_portal.clients.notices import notify
from billing_portal.invoices.amounts import format_day
from billing_portal.mail.models import ClientMail
from billing_portal.services import cancelling
from billing_portal.services.models import Cancellation, Service
from billing_portal.services.queries import open_cancellation
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import cancel_service

FIRST, LAST = "deletion_notice", "deletion_last_notice"
FIRST_DAYS, LAST_DAYS = timedelta(days=7), timedelta(days=1)


def services_to_work_off(on: BusinessDay) -> list[int]:
    """Ids of cancelled services that end by now, or whose data is deleted within a week."""
    ends = Q(deletes_at__isnull=True, ends_on__lte=on.today)
    soon = Q(deletes_at__lte=on.at + FIRST_DAYS + LAST_DAYS)
    found = Cancellation.objects.filter(ends | soon, status=Cancellation.Status.OPEN)
    return list(found.order_by("service_id").values_list("service_id", flat=True))


def work_off(service_id: int, on: BusinessDay) -> Deed | None:
    """Take the next step towards the end of a cancelled service; None if none is due today."""
    service = (
        Service.objects.select_for_update(of=("self",), no_key=True)
        .select_related("client", "product")
        .get(pk=service_id)
    )
    found = open_cancellation(service_id)
    if found is None:
        return None
    found.service = service
    if service.status != ServiceStatus.CANCELLED:
        if found.ends_on > on.today:
            return None
        cancel_service.end(found.pk, at=on.at)
        return Deed(f"{service} of {service.client} ended: it was cancelled", service_id=service_id)
    return _towards_deletion(found, on)


def _towards_deletion(found: Cancellation, on: BusinessDay) -> Deed | None:
    service = found.service
    deletes_on = _deletes_on(found)
    last = _mail(LAST, found)
    if last is None and on.today >= deletes_on - LAST_DAYS and _deserves(found, LAST_DAYS):
        if deletes_on <= on.today:
            cancelling.put_off(found, until=on.at + LAST_DAYS)
        return _tell(LAST, found, "Last notice", on)
    if on.today >= deletes_on:
        cancel_service.delete(found.pk, at=on.at)
        summary = f"{service} of {service.client} is deleted: the grace is over"
        return Deed(summary, service_id=service.pk)
    is_near = on.today >= deletes_on - FIRST_DAYS
    if is_near and last is None and _deserves(found, FIRST_DAYS) and not _mail(FIRST, found):
        return _tell(FIRST, found, "Notice", on)
    return None


def _deserves(found: Cancellation, days: timedelta) -> bool:
    """Whether the grace is longer than that, so that a notice tells something new."""
    return timedelta(days=found.service.product.deletion_grace_days) > days


def _deletes_on(found: Cancellation) -> date:
    assert found.deletes_at is not None  # the service has ended
    return local_date(found.deletes_at, settings.SELLER_TIMEZONE)


def _tell(template: str, found: Cancellation, what: str, on: BusinessDay) -> Deed:
    service, deletes_on = found.service, _deletes_on(found)
    context = {
        "service": str(service),
        "deletes_on": format_day(deletes_on),
        "path": f"/services/{service.pk}/",
    }
    notify(service.client, template, key=str(found.pk), context=context, at=on.at)
    summary = f"{what}: the data of {service} will be deleted on {format_day(deletes_on)}"
    return Deed(summary, service_id=service.pk)


def _mail(template: str, found: Cancellation) -> ClientMail | None:
    return ClientMail.objects.filter(key=f"{template}:{found.pk}").first()
