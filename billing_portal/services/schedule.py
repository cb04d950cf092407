"""When services end by themselves, and how far they are invoiced, where people change that."""

from datetime import date, datetime

from django.conf import settings
from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.due import is_period_start
from billing_portal.calc.periods import local_date
from billing_portal.errors import PortalError
from billing_portal.services.models import Service, ServiceAddon
from billing_portal.services.queries import billable_statuses
from billing_portal.services.states import ENDED


class PeriodNotTakenBack(PortalError):
    """The period is not the last one invoiced, or no bill run could ask for it again."""


class TermRefused(PortalError):
    """The service cannot end on that day."""


def set_term(service_id: int, *, ends_on: date | None, at: datetime, actor: User | None) -> Service:
    """Let a service end by itself on a day, or (None) run on.

    Where the old end had cut a period short, the next period begins on that day, and all
    that follow are counted from it; months of usage stay as they are.
    Raises TermRefused for a day that is past and for a service that has ended.
    """
    with transaction.atomic():
        service = Service.objects.select_for_update(no_key=True).get(pk=service_id)
        before = service.ends_on
        if before == ends_on:
            return service
        if service.status in ENDED:
            raise TermRefused(f"{service} has ended already.")
        if ends_on and ends_on <= local_date(at, settings.SELLER_TIMEZONE):
            raise TermRefused(f"{ends_on} is not in the future.")
        _leave_a_cut_period(service)
        service.ends_on = ends_on
        service.save(update_fields=["ends_on", "anchor_date", "usage_anchor_date"])
        audit.record(
            "service.term_changed",
            service,
            summary=f"{service} ends {_end(ends_on)}, not {_end(before)}",
            at=at,
            actor=actor,
            client_id=service.client_id,
        )
        return service


def take_back_period(
    service_id: int, *, start: date, end: date, with_promotion: bool = False
) -> Service:
    """Note that the last period invoiced, `[start, end)`, is to be invoiced again.

    `with_promotion`: it had one of the periods left to the service's promotion.
    The caller is in a transaction that has the client's lock and voids the period's line.
    Raises PeriodNotTakenBack with what to do instead.
    """
    service = Service.objects.select_for_update(no_key=True).get(pk=service_id)
    _check(service, start=start, end=end)
    service.billed_until = start
    service.periods_billed = max(service.periods_billed - 1, 0)
    if with_promotion and service.discounts_left is not None:
        service.discounts_left += 1
    service.save(update_fields=["billed_until", "periods_billed", "discounts_left"])
    return service


def take_back_addon_period(addon_id: int, *, start: date, end: date) -> ServiceAddon:
    """As `take_back_period`, for an add-on."""
    addon = ServiceAddon.objects.select_for_update(no_key=True).get(pk=addon_id)
    _check(addon, start=start, end=end)
    addon.billed_until = start
    addon.save(update_fields=["billed_until"])
    return addon


def _check(row: Service | ServiceAddon, *, start: date, end: date) -> None:
    if row.status not in billable_statuses():
        raise PeriodNotTakenBack(
            f"{row} is {row.get_status_display().lower()}, so no bill run asks for it again."
        )
    if row.billed_until != end:
        raise PeriodNotTakenBack(
            f"{row} is invoiced until {row.billed_until} already, so its period to {end} cannot "
            "be billed again: cancel the later invoice first, or leave the period out."
        )
    on_schedule = row.cycle_months and is_period_start(
        start, anchor=row.anchor_date, cycle_months=row.cycle_months
    )
    if not on_schedule:
        raise PeriodNotTakenBack(
            f"The days of {row} from {start} to {end} are no whole period, so no bill run asks "
            "for them again: leave them out, and add them by hand."
        )


def _leave_a_cut_period(service: Service) -> None:
    """Count on from where the service is invoiced to, if no period begins there."""
    if not service.cycle_months or is_period_start(
        service.billed_until, anchor=service.anchor_date, cycle_months=service.cycle_months
    ):
        return
    service.usage_anchor_date = service.usage_counted_from
    service.anchor_date = service.billed_until


def _end(day: date | None) -> str:
    return f"by itself on {day}" if day else "only when somebody ends it"
