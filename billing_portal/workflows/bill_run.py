"""Billing: what each client owes by now, on one invoice.

For every client: close the usage windows that ended, turn their usage into charges, add
the periods due in advance, and issue what the draft says.  All of it is one transaction
under the client's lock, so running twice, or four times at once, bills once.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction

from billing_portal.calc.invoice import ChargeItem, DraftInvoice, draft_invoice, usage_windows_due
from billing_portal.calc.periods import Period, local_date
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.invoices import actions as invoices
from billing_portal.invoices import queries as billed
from billing_portal.invoices.models import Invoice
from billing_portal.services.models import Service
from billing_portal.services.queries import billable_statuses
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import advance_billing, billing_candidates
from provisioning import registry
from provisioning.contract import Usage

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class BillRunReport:
    """What a run did: invoices issued (or drafts, in a dry run) and clients it had to park."""

    issued: list[Invoice] = field(default_factory=list)
    drafts: list[tuple[Client, DraftInvoice]] = field(default_factory=list)
    parked: list[tuple[Client, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class WindowUsage:
    """The usage of one service in one window that is due."""

    service: Service
    window: Period
    usages: tuple[Usage, ...]


def bill_all(at: datetime, *, dry_run: bool = False) -> BillRunReport:
    """Bill every client with something due.  A client that fails is parked; the run goes on."""
    report = BillRunReport()
    for client in billing_candidates.clients_due(at):
        try:
            _bill_one(client, report, at=at, dry_run=dry_run)
        except Exception as error:
            logger.exception("billing client %s failed", client.pk)
            report.parked.append((client, _sentence(error)))
            if not dry_run:
                park(client.pk, _sentence(error))
    return report


def bill_client(client_id: int, at: datetime) -> Invoice | None:
    """Issue the one invoice a client is due by `at`, or None if there is nothing to bill.

    Repeating it, in whatever process, issues nothing more.
    """
    with transaction.atomic():
        client = Client.objects.select_for_update().get(pk=client_id)
        running = _services(client_id)
        for due in _usage_due(running, at=at):
            _charge(due, at=at)
        draft = _draft(client, running, billed.open_charges(client_id), at=at)
        if client.billing_problem:
            Client.objects.filter(pk=client_id).update(billing_problem="")
        if draft is None:
            return None
        advance_billing.note_billed(_advance_items(running, at=at))
        return invoices.issue(client, draft, at=at)


def preview_client(client_id: int, at: datetime) -> DraftInvoice | None:
    """What `bill_client` would issue at `at`, computed by the same steps and stored nowhere.

    Charges that do not exist yet carry negative ids.
    """
    client = Client.objects.get(pk=client_id)
    running = _services(client_id)
    fresh = [
        _charge_item(-number, due, usage)
        for number, (due, usage) in enumerate(_each(_usage_due(running, at=at)), start=1)
    ]
    return _draft(client, running, [*billed.open_charges(client_id), *fresh], at=at)


def park(client_id: int, problem: str) -> None:
    """Note why a client could not be billed; the next run that succeeds clears it."""
    Client.objects.filter(pk=client_id).update(billing_problem=problem)


def _bill_one(client: Client, report: BillRunReport, *, at: datetime, dry_run: bool) -> None:
    if dry_run:
        if draft := preview_client(client.pk, at):
            report.drafts.append((client, draft))
    elif invoice := bill_client(client.pk, at):
        report.issued.append(invoice)


def _services(client_id: int) -> list[Service]:
    """The client's services that may owe something: running ones, and ended ones with usage."""
    relevant = [*billable_statuses(), ServiceStatus.TERMINATED, ServiceStatus.CANCELLED]
    return list(
        Service.objects.filter(client_id=client_id, status__in=relevant)
        .select_related("product")
        .order_by("pk")
    )


def _usage_due(running: Iterable[Service], *, at: datetime) -> Iterator[WindowUsage]:
    """Every window of every metered service that ended and settled, oldest first per service."""
    metered = [s for s in running if s.activated_at and registry.usage_source(s.product.module_key)]
    closed = billed.closed_windows([service.pk for service in metered])
    for service in metered:
        source = registry.usage_source(service.product.module_key)
        windows = usage_windows_due(
            anchor=service.anchor_date,
            timezone=settings.SELLER_TIMEZONE,
            closed=closed[service.pk],
            at=at,
            settle=settle_time(),
            ended_at=service.ended_at,
        )
        for window in windows:
            assert source is not None  # filtered above
            yield WindowUsage(service, window, tuple(source.collect_usage(service.pk, window)))


def _charge(due: WindowUsage, *, at: datetime) -> None:
    """Write the charges of one window, stamp the records behind them, close the window."""
    service = due.service
    source = registry.usage_source(service.product.module_key)
    assert source is not None  # _usage_due yields metered services only
    for usage in due.usages:
        charge = invoices.add_charge(
            key=f"{usage.metric}:{service.pk}:{due.window.start.isoformat()}",
            service_id=service.pk,
            metric=usage.metric,
            description=usage.description,
            period=usage.period,
            quantity=usage.quantity,
            unit=usage.unit,
            unit_price=usage.unit_price,
            amount=usage.amount,
            currency=usage.currency,
            evidence=usage.evidence,
            at=at,
        )
        source.usage_charged(service.pk, usage, charge_id=charge.pk)
    invoices.close_window(service.pk, window=due.window, at=at)


def _draft(
    client: Client, running: list[Service], charges: list[ChargeItem], *, at: datetime
) -> DraftInvoice | None:
    draft = draft_invoice(
        currency=client.currency,
        recurring=_advance_items(running, at=at),
        charges=charges,
        billed=billed.billed_keys([service.pk for service in running]),
    )
    # Nothing is asked for an invoice of 0.00; its charges wait for the next one.
    return draft if draft and draft.total else None


def _advance_items(
    running: Iterable[Service], *, at: datetime
) -> list[advance_billing.RecurringItem]:
    return [
        item
        for service in running
        if service.status in billable_statuses()
        for item in advance_billing.items_due(
            service,
            today=_billing_day(service, at=at),
            lead_days=settings.INVOICE_LEAD_DAYS,
        )
    ]


def _billing_day(service: Service, *, at: datetime) -> date:
    """The seller's day that decides which periods are due.

    Without lead days a metered service's new period waits until the usage of the old one
    has settled, so that both are on one invoice.
    """
    metered = registry.usage_source(service.product.module_key) is not None
    if metered and not settings.INVOICE_LEAD_DAYS:
        return local_date(at - settle_time(), settings.SELLER_TIMEZONE)
    return local_date(at, settings.SELLER_TIMEZONE)


def settle_time() -> timedelta:
    """How long after its end a usage window is left open for late records."""
    return timedelta(minutes=settings.USAGE_SETTLE_MINUTES)


def _each(due: Iterable[WindowUsage]) -> Iterator[tuple[WindowUsage, Usage]]:
    for window_usage in due:
        for usage in window_usage.usages:
            yield window_usage, usage


def _charge_item(charge_id: int, due: WindowUsage, usage: Usage) -> ChargeItem:
    return ChargeItem(
        charge_id=charge_id,
        service_id=due.service.pk,
        description=usage.description,
        period=usage.period,
        quantity=usage.quantity,
        unit=usage.unit,
        unit_price=usage.unit_price,
        amount=usage.amount,
    )


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, PortalError) else f"our bug: {error!r}"
