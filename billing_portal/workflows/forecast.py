"""A client's invoices of the next months, as the bill run itself would make them.

The bill run's own preparation is played forward in one transaction that is taken back: at
each moment something becomes due, its drafts are noted as if they had been issued, and the
clock goes on to the next such moment.  Periods are exact; usage of months that are not over
is an estimate (`usage_estimates`) and says so.  Prices, tax rules and services are as they
are today.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from billing_portal.calc.invoice import DraftInvoice, DraftLine, LineKind
from billing_portal.calc.periods import add_months, local_date, local_midnight
from billing_portal.invoices import actions as invoices
from billing_portal.invoices import queries as billed
from billing_portal.invoices.models import BillingSettings, Invoice, InvoiceLine, InvoiceStatus
from billing_portal.services import addons
from billing_portal.services.models import Cancellation, Service, ServiceAddon
from billing_portal.services.queries import billable_statuses
from billing_portal.workflows import advance_billing, bill_run, usage_estimates, usage_windows
from billing_portal.workflows.usage_estimates import Estimate

MONTHS = 12
MOST_STEPS = 400
"""More moments than days in a year: what comes to this does not end."""


@dataclass(frozen=True, slots=True)
class ForecastInvoice:
    """One invoice to come, and the day it is issued."""

    day: date
    draft: DraftInvoice


@dataclass(slots=True)
class ForecastMonth:
    """A calendar month, by days of issue.  `estimated` is the part of `net` that is guessed."""

    first: date
    invoices: list[ForecastInvoice] = field(default_factory=list)
    recurring: Decimal = Decimal(0)
    usage: Decimal = Decimal(0)
    other: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    total: Decimal = Decimal(0)
    estimated: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Forecast:
    """This month and those after it, each with its invoices, and all of them together."""

    currency: str
    months: list[ForecastMonth]

    @property
    def total(self) -> Decimal:
        return sum((month.total for month in self.months), Decimal(0))

    @property
    def estimated(self) -> Decimal:
        return sum((month.estimated for month in self.months), Decimal(0))

    @property
    def invoice_count(self) -> int:
        return sum(len(month.invoices) for month in self.months)


@dataclass(slots=True)
class _Play:
    """One client's future, in a transaction that does not stay."""

    client_id: int
    began: datetime
    rules: BillingSettings
    estimates: dict[int, list[Estimate]]
    guessed: set[int] = field(default_factory=set)
    """Charges that are estimates."""


def forecast(client_id: int, *, currency: str, at: datetime, months: int = MONTHS) -> Forecast:
    """The invoices from `at` to the end of the month `months` - 1 after it; stores nothing.

    Raises as the bill run does for a client it would park.
    """
    first = local_date(at, settings.SELLER_TIMEZONE).replace(day=1)
    end = local_midnight(add_months(first, months, anchor_day=1), settings.SELLER_TIMEZONE)
    rows = [ForecastMonth(add_months(first, n, anchor_day=1)) for n in range(months)]
    by_month = {(row.first.year, row.first.month): row for row in rows}
    with transaction.atomic():
        play = _Play(client_id, at, billed.billing_rules(), _estimates(client_id, at=at))
        moment: datetime | None = at
        for _ in range(MOST_STEPS):
            if moment is None or moment >= end:
                break
            day = local_date(moment, settings.SELLER_TIMEZONE)
            for draft in _step(play, at=moment):
                _add(by_month[day.year, day.month], ForecastInvoice(day, draft), play.guessed)
            moment = _next_moment(play, after=moment)
        transaction.set_rollback(True)
    return Forecast(currency, rows)


def _estimates(client_id: int, *, at: datetime) -> dict[int, list[Estimate]]:
    return usage_estimates.estimates(
        [
            service
            for service in _running(client_id)
            if service.activated_at and usage_windows.is_metered(service)
        ],
        at=at,
    )


def _step(play: _Play, *, at: datetime) -> list[DraftInvoice]:
    """The invoices of one moment, noted as billed so that the next moment has what follows."""
    _charge_estimates(play, at=at)
    bills = bill_run.prepare([play.client_id], at=at)
    advance_billing.note_billed(item for bill in bills for item in bill.periods)
    for bill in bills:
        _note_lines(play.client_id, bill.draft, at=at)
    return [bill.draft for bill in bills]


def _charge_estimates(play: _Play, *, at: datetime) -> None:
    """Charge and close the months of running services that were not over when this began."""
    services = [service for service in _running(play.client_id) if service.pk in play.estimates]
    closed = billed.closed_windows([service.pk for service in services])
    ends = _ends(services)
    charges, windows = [], []
    for service in services:
        for window in usage_windows.windows_due(service, closed[service.pk], at=at):
            if window.end <= play.began:
                continue  # over already: measured, not guessed
            windows.append((service.pk, window))
            last_day = ends.get(service.pk)
            if last_day and window.start >= local_midnight(last_day, settings.SELLER_TIMEZONE):
                continue
            charges += [
                usage_windows.new_charge(service, window, usage)
                for one in play.estimates[service.pk]
                if (usage := usage_estimates.in_window(one, window))
            ]
    play.guessed |= {charge.pk for charge in invoices.add_charges(charges, at=at)}
    invoices.close_windows(windows, at=at)


def _note_lines(client_id: int, draft: DraftInvoice, *, at: datetime) -> None:
    """Put the lines on a draft, so that their periods and charges count as billed."""
    invoice = Invoice.objects.create(
        client_id=client_id,
        status=InvoiceStatus.DRAFT,
        currency=draft.currency,
        issued_at=at,
        issue_date=local_date(at, settings.SELLER_TIMEZONE),
        due_date=draft.due_date or local_date(at, settings.SELLER_TIMEZONE),
        net_total=draft.net_total,
        tax_total=draft.tax_total,
        total=draft.total,
        seller={},
        buyer={},
    )
    InvoiceLine.objects.bulk_create(
        invoices.row_of(invoice, position, line)
        for position, line in enumerate(draft.lines, start=1)
    )


def _next_moment(play: _Play, *, after: datetime) -> datetime | None:
    """When the next period or month of usage becomes due; None if nothing more does."""
    services = _running(play.client_id)
    extras = addons.running_of([service.pk for service in services])
    metered = [service for service in services if usage_windows.is_metered(service)]
    # As in the bill run: without lead days a metered client's periods wait for its usage.
    wait = (
        usage_windows.settle_time() if metered and not play.rules.longest_lead_days else timedelta()
    )
    rows: list[Service | ServiceAddon] = [*services]
    rows += [extra for found in extras.values() for extra in found]
    moments = [
        _invoiced_at(row, play.rules) + wait
        for row in rows
        if row.cycle_months and row.recurring_amount
    ]
    closed = billed.closed_windows([service.pk for service in metered])
    for service in metered:
        moments += _windows_end(service, closed[service.pk], after=after)
    return min((moment for moment in moments if moment > after), default=None)


def _invoiced_at(row: Service | ServiceAddon, rules: BillingSettings) -> datetime:
    day = row.billed_until - timedelta(days=rules.lead_days_of(row.cycle))
    return local_midnight(day, settings.SELLER_TIMEZONE)


def _windows_end(
    service: Service, closed: Iterable[datetime], *, after: datetime
) -> Sequence[datetime]:
    """When the first month of usage that is not closed and not due yet will be due."""
    settle = usage_windows.settle_time()
    within = after + timedelta(days=2 * 31)
    due = usage_windows.windows_due(service, frozenset(closed), at=within + settle)
    return [window.end + settle for window in due if window.end + settle > after][:1]


def _running(client_id: int) -> list[Service]:
    return list(
        Service.objects.filter(client_id=client_id, status__in=billable_statuses())
        .select_related("product")
        .order_by("pk")
    )


def _ends(services: Iterable[Service]) -> dict[int, date]:
    """The first day without each service that is to end."""
    mine = {service.pk: service for service in services}
    ends = {pk: service.ends_on for pk, service in mine.items() if service.ends_on}
    for service in mine.values():
        limit = service.periods_limit
        if limit is not None and service.periods_billed >= limit:
            ends[service.pk] = min(ends.get(service.pk, date.max), service.billed_until)
    leaving = Cancellation.objects.filter(service_id__in=mine, status=Cancellation.Status.OPEN)
    for service_id, ends_on in leaving.values_list("service_id", "ends_on"):
        ends[service_id] = min(ends.get(service_id, date.max), ends_on)
    return ends


def _add(month: ForecastMonth, invoice: ForecastInvoice, guessed: set[int]) -> None:
    draft = invoice.draft
    month.invoices.append(invoice)
    month.tax += draft.tax_total
    month.total += draft.total
    for line in draft.lines:
        if line.kind == LineKind.USAGE:
            month.usage += line.amount
        elif _is_recurring(line):
            month.recurring += line.amount
        else:
            month.other += line.amount
        if line.charge_id in guessed:
            month.estimated += line.amount


def _is_recurring(line: DraftLine) -> bool:
    return line.kind in (LineKind.RECURRING, LineKind.DISCOUNT)
