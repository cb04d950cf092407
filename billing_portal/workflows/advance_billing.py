"""What a service owes in advance: set-up fees and periods, as plain values for the draft."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from django.conf import settings

from billing_portal.calc.due import recurring_periods_due
from billing_portal.calc.invoice import RecurringItem, SetupItem, draft_invoice
from billing_portal.calc.periods import add_months, local_date
from billing_portal.clients.models import Client
from billing_portal.invoices import queries as billed
from billing_portal.invoices.models import BillingSettings, Invoice
from billing_portal.invoices.queries import billing_rules
from billing_portal.services import actions as services
from billing_portal.services.models import Service
from billing_portal.taxes.queries import treatments
from billing_portal.workflows import issuing
from provisioning import registry


def invoice_first_period(
    client: Client, ordered: Sequence[Service], *, payment_method: str, at: datetime
) -> Invoice | None:
    """Invoice set-up fees and first periods of new services; None if nothing is due now."""
    today = local_date(at, settings.SELLER_TIMEZONE)
    by_period = billing_rules().due_policy == BillingSettings.DuePolicy.PERIOD_START
    draft = draft_invoice(
        currency=client.currency,
        setup=[setup_item(service) for service in ordered],
        recurring=[first_item(service) for service in ordered],
        charges=(),
        billed=billed.billed_keys([service.pk for service in ordered]),
        treatment=treatments([client], on=today)[client.pk],
        due_date=today if by_period else None,
        payment_method=payment_method,
    )
    note_billed(first_item(service) for service in ordered)
    return issuing.issue(client, draft, at=at) if draft else None


def setup_item(service: Service) -> SetupItem:
    description = f"{service.product.name}: set-up"
    return SetupItem(
        service.pk,
        description,
        service.anchor_date,
        service.setup_fee,
        taxable=service.product.taxable,
    )


def first_item(service: Service) -> RecurringItem:
    """The first period from the anchor; a one-time product has one without length."""
    anchor = service.anchor_date
    end = add_months(anchor, service.cycle_months, anchor_day=anchor.day)
    return _item(service, anchor, end)


def items_due(service: Service, *, today: date, lead_days: int) -> list[RecurringItem]:
    """The periods of a running service to invoice by `today`, oldest first.

    Free of charge, one-time and ended services have none.
    """
    if not service.cycle_months or not service.recurring_amount:
        return []
    periods = recurring_periods_due(
        anchor=service.anchor_date,
        cycle_months=service.cycle_months,
        billed_until=service.billed_until,
        today=today,
        lead_days=lead_days,
    )
    return [_item(service, start, end) for start, end in periods]


def note_billed(items: Iterable[RecurringItem]) -> None:
    """Advance each service past the periods that are now invoiced."""
    # In time order, so the last period of a service is the one that counts.
    services.advance_billing({item.service_id: item.period_end for item in items})


def _item(service: Service, start: date, end: date) -> RecurringItem:
    what = service.product.name
    if service.product.module_key and service.spec:
        what += f", {registry.module_class(service.product.module_key).summarise(service.spec)}"
    if service.label:
        what += f" ({service.label})"
    return RecurringItem(
        service.pk,
        what,
        start,
        end,
        service.recurring_amount,
        quantity=service.quantity,
        taxable=service.product.taxable,
    )
