"""What a service owes in advance: set-up fees and periods, as plain values for the draft."""

from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from django.conf import settings
from django.db.models import prefetch_related_objects

from billing_portal.calc.due import OffSchedule, recurring_periods_due
from billing_portal.calc.first_period import FirstPeriods, Stretch, first_periods, share_of
from billing_portal.calc.invoice import DraftInvoice, RecurringItem, SetupItem, draft_invoice
from billing_portal.calc.money import exact, round_money
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client, ClientGroup
from billing_portal.custom_fields import answered
from billing_portal.invoices import queries as billed
from billing_portal.invoices.models import BillingSettings, Invoice, InvoiceLine
from billing_portal.invoices.queries import billing_rules
from billing_portal.products.models import Product
from billing_portal.services import actions as services
from billing_portal.services import addons
from billing_portal.services.models import Service, ServiceAddon
from billing_portal.services.states import ServiceStatus
from billing_portal.taxes.queries import treatments
from billing_portal.workflows import addon_periods, discounting, issuing
from provisioning import registry

StartPolicy = BillingSettings.StartPolicy
FROM_PAYMENT = "from the day of payment"
MAX_LINE = InvoiceLine._meta.get_field("description").max_length or 0


def invoice_first_period(
    client: Client,
    ordered: Sequence[Service],
    *,
    payment_method: str,
    at: datetime,
    extras: Sequence[ServiceAddon] = (),
) -> Invoice | None:
    """Invoice set-up fees and first periods of new services with their add-ons.

    None if nothing is due now.
    """
    draft = draft_first_periods(
        client, ordered, payment_method=payment_method, at=at, extras=extras
    )
    for service in ordered:
        services.start_schedule(service, schedule(service))
    return issuing.issue(client, draft, at=at) if draft else None


def draft_first_periods(
    client: Client,
    ordered: Sequence[Service],
    *,
    payment_method: str,
    at: datetime,
    extras: Sequence[ServiceAddon] = (),
) -> DraftInvoice | None:
    """What set-up and first periods of new services cost; they need not be stored yet.

    `extras` are their add-ons.
    """
    today = local_date(at, settings.SELLER_TIMEZONE)
    rules = billing_rules()
    by_period = rules.due_policy == BillingSettings.DuePolicy.PERIOD_START
    return draft_invoice(
        currency=client.currency,
        setup=[
            *(setup_item(service) for service in ordered),
            *(addon_periods.setup_item(extra, day=today) for extra in extras),
        ],
        recurring=[
            *(item for one in ordered for item in first_items(one, rules, client.group)),
            *(
                item
                for extra in extras
                for item in addon_periods.first_items(
                    extra, day=today, group=client.group, note=_note(extra, rules)
                )
            ),
        ],
        charges=(),
        billed=billed.billed_keys([service.pk for service in ordered]),
        treatment=treatments([client], on=today)[client.pk],
        due_date=today if by_period else None,
        payment_method=payment_method,
    )


def draft_second_periods(
    client: Client,
    ordered: Sequence[Service],
    *,
    at: datetime,
    extras: Sequence[ServiceAddon] = (),
) -> DraftInvoice | None:
    """What the first renewals of new services will cost, by today's tax.

    With those of their add-ons (`extras`) that have the cycle of their service.
    """
    today = local_date(at, settings.SELLER_TIMEZONE)
    return draft_invoice(
        currency=client.currency,
        recurring=[
            *(item for service in ordered for item in _second_items(service, client.group)),
            *(
                item
                for extra in extras
                if extra.cycle == extra.service.cycle
                for item in addon_periods.next_items(extra, group=client.group)
            ),
        ],
        charges=(),
        billed=frozenset(),
        treatment=treatments([client], on=today)[client.pk],
    )


def setup_item(service: Service) -> SetupItem:
    description = f"{service.product.name}: set-up"
    return SetupItem(
        service.pk,
        description,
        service.anchor_date,
        service.setup_fee,
        taxable=service.product.taxable,
        discounts=discounting.on_setup(service),
    )


def first_items(
    service: Service, rules: BillingSettings, group: ClientGroup | None
) -> list[RecurringItem]:
    """What a new service owes first: mostly one period, with a stub up to two lines."""
    note = _note(service, rules)
    items = [_item(service, one, note) for one in schedule(service).stretches]
    return discounting.on_first_periods(items, service, group=group)


def schedule(service: Service) -> FirstPeriods:
    """The first periods of a new service, from the day of its order."""
    return first_periods(
        service.anchor_date,
        cycle_months=service.cycle_months,
        prorata_day=service.product.prorata_day,
        next_from=service.product.prorata_next_from,
    )


def begin_on_payment(ordered: Iterable[Service], *, at: datetime) -> None:
    """If the seller wants it so, let what waited for its first payment begin today.

    The paid period, and all that follow, are counted from today, so that who pays late
    loses no days.  Periods that begin on a day of the month stay as they are.
    """
    rules = billing_rules()
    today = local_date(at, settings.SELLER_TIMEZONE)
    for service in ordered:
        if service.status == ServiceStatus.PENDING and _begins_on_payment(service, rules):
            services.move_schedule(service.pk, to=today, at=at)
            addons.move_schedules(service.pk, to=today)


def items_due(
    service: Service, *, today: date, lead_days: int, group: ClientGroup | None = None
) -> list[RecurringItem]:
    """The periods of a running service to invoice by `today`, oldest first.

    Free of charge, one-time and ended services have none, and none begins after the end of
    a term.  One that the end cuts short costs its share of days.
    """
    if not service.cycle_months or not service.recurring_amount or not service.has_periods_left:
        return []
    try:
        periods = recurring_periods_due(
            anchor=service.anchor_date,
            cycle_months=service.cycle_months,
            billed_until=service.billed_until,
            today=today,
            lead_days=lead_days,
        )
    except OffSchedule as error:
        raise OffSchedule(f"{service}: {error}") from error
    if service.periods_limit is not None:
        periods = periods[: service.periods_limit - service.periods_billed]
    items = [_item(service, one) for one in _within_term(periods, service.ends_on)]
    return discounting.on_periods(items, service, group=group)


def note_billed(items: Iterable[RecurringItem]) -> None:
    """Advance each service and add-on past the periods that are now invoiced."""
    items = list(items)
    addon_periods.note_billed(items)
    mine = [item for item in items if item.addon_id is None]
    # In time order, so the last period of a service is the one that counts.
    services.advance_billing(
        {item.service_id: item.period_end for item in mine},
        periods=Counter(item.service_id for item in mine),
    )


def _second_items(service: Service, group: ClientGroup | None) -> list[RecurringItem]:
    """What follows once the first periods of a new service are billed."""
    planned, after = schedule(service), copy(service)
    after.anchor_date, after.billed_until = planned.anchor, planned.billed_until
    after.periods_billed = len(planned.stretches)
    if after.discounts_left:
        after.discounts_left -= 1
    return items_due(after, today=after.billed_until, lead_days=0, group=group)


def _note(row: Service | ServiceAddon, rules: BillingSettings) -> str:
    """What a first line says if its period is counted from the payment."""
    service = row.service if isinstance(row, ServiceAddon) else row
    return FROM_PAYMENT if row.cycle_months and _begins_on_payment(service, rules) else ""


def _begins_on_payment(service: Service, rules: BillingSettings) -> bool:
    return (
        rules.start_policy == StartPolicy.ACTIVATION
        and bool(service.cycle_months)
        and service.product.prorata_day is None
        and service.product.set_up != Product.SetUp.ON_ORDER
    )


def _within_term(periods: Iterable[tuple[date, date]], ends_on: date | None) -> list[Stretch]:
    if ends_on is None:
        return [Stretch(start, end) for start, end in periods]
    return [
        Stretch(start, cut, share_of((start, cut), (start, end)))
        for start, end in periods
        if start < (cut := min(end, ends_on))
    ]


def _item(service: Service, stretch: Stretch, note: str = "") -> RecurringItem:
    what = service.product.name
    if service.product.module_key and service.spec:
        what += f", {registry.module_class(service.product.module_key).summarise(service.spec)}"
    if service.label:
        what += f" ({service.label})"
    what += "".join(f"; {text}" for text in chosen_options(service) + printed_answers(service))
    for addition in (_part_of_period(stretch), note):
        what += f", {addition}" if addition else ""
    return RecurringItem(
        service.pk,
        shortened(what),
        stretch.start,
        stretch.end,
        round_money(_share(service.recurring_amount, stretch), service.currency),
        quantity=service.quantity,
        taxable=service.product.taxable,
    )


def _share(amount: Decimal, stretch: Stretch) -> Decimal | Fraction:
    return amount if stretch.share == 1 else exact(amount) * stretch.share


def _part_of_period(stretch: Stretch) -> str:
    """13 of 31 days; empty for a whole period."""
    if stretch.share == 1:
        return ""
    days = (stretch.end - stretch.start).days
    return f"{days} of {Fraction(days) / stretch.share} days"


def chosen_options(service: Service) -> list[str]:
    """The options a service has, for people: "Location: Frankfurt", "Addresses: 3"."""
    return [f"{one['name']}: {one['text']}" for one in service.options if one["units"]]


def printed_answers(service: Service) -> list[str]:
    """Answers to the questions that the operator wants on invoices: "Host name: mx.example"."""
    if not service.custom_fields:
        return []
    prefetch_related_objects([service.product], "fields")  # once for all services of a product
    asked = [field for field in service.product.fields.all() if field.on_invoice]
    return [f"{label}: {answer}" for label, answer in answered(asked, service.custom_fields)]


def shortened(description: str) -> str:
    """A description as long as a line has room for."""
    return description if len(description) <= MAX_LINE else f"{description[: MAX_LINE - 1]}…"
