"""How far services and add-ons are invoiced, taken back by a period that was voided."""

from datetime import date

from billing_portal.calc.due import is_period_start
from billing_portal.errors import PortalError
from billing_portal.services.models import Service, ServiceAddon
from billing_portal.services.queries import billable_statuses


class PeriodNotTakenBack(PortalError):
    """The period is not the last one invoiced, or no bill run could ask for it again."""


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
