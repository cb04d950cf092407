"""Which of the things a client owes go on one invoice.

What shares a due date and a payment method does, unless client or group want one invoice
per service.  Usage joins the invoice of its service's next period when there is one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from billing_portal.calc.invoice import ChargeItem, RecurringItem
from billing_portal.clients.models import Client
from billing_portal.invoices.models import BillingSettings
from billing_portal.services.models import Service


@dataclass(slots=True)
class InvoiceGroup:
    """What goes on one invoice."""

    due_date: date
    payment_method: str
    periods: list[RecurringItem] = field(default_factory=list)
    charges: list[ChargeItem] = field(default_factory=list)


def groups_of(
    client: Client,
    *,
    periods: Iterable[RecurringItem],
    charges: Iterable[ChargeItem],
    services: Mapping[int, Service],
    rules: BillingSettings,
    today: date,
) -> list[InvoiceGroup]:
    """The invoices a client gets, the first due first.  The client's group is at hand."""
    separate = client.separate_invoices or bool(client.group and client.group.separate_invoices)
    by_term = today + timedelta(days=rules.term_days)
    found: dict[tuple[date, str, int], InvoiceGroup] = {}

    def group(due: date, service_id: int | None) -> InvoiceGroup:
        method = _method(client, services, service_id)
        key = (due, method, (service_id or 0) if separate else 0)
        return found.setdefault(key, InvoiceGroup(due, method))

    for item in periods:
        by_period = rules.due_policy == BillingSettings.DuePolicy.PERIOD_START
        due = max(today, item.period_start) if by_period else by_term
        group(due, item.service_id).periods.append(item)
    for charge in sorted(charges, key=lambda charge: charge.waits):
        if charge.waits:
            if found:  # else it waits on
                found[min(found)].charges.append(charge)
            continue
        method = _method(client, services, charge.service_id)
        mine = (charge.service_id or 0) if separate else 0
        dues = [due for due, other, whose in found if (other, whose) == (method, mine)]
        group(min(dues, default=by_term), charge.service_id).charges.append(charge)
    return [found[key] for key in sorted(found)]


def _method(client: Client, services: Mapping[int, Service], service_id: int | None) -> str:
    service = services.get(service_id) if service_id else None
    return (service.payment_method if service else "") or client.payment_method
