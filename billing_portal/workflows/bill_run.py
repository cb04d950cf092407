"""Billing: what each client owes by now, on one invoice.

For every client: close the usage windows that ended, turn their usage into charges, add
the periods due in advance, and issue what the draft says.  All of it is one transaction
under the client's lock, so running twice, or four times at once, bills once.

Order of locks: client, then service, then a module's own rows, then number series.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain

from django.conf import settings
from django.db import transaction

from billing_portal.calc.invoice import DraftInvoice, RecurringItem, draft_invoice
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.invoices import announcing
from billing_portal.invoices import queries as billed
from billing_portal.invoices.models import BillingSettings, Invoice
from billing_portal.services import addons
from billing_portal.services.models import Service, ServiceAddon
from billing_portal.services.queries import billable_statuses
from billing_portal.services.queries import leaving as cancelled_ones
from billing_portal.taxes.queries import treatments
from billing_portal.workflows import (
    addon_periods,
    advance_billing,
    billable_items,
    billing_candidates,
    issuing,
    usage_windows,
)
from billing_portal.workflows.invoice_groups import InvoiceGroup, groups_of
from provisioning.contract import UsageMoved

logger = logging.getLogger(__name__)

CHUNK = 500
"""How many clients are billed in one transaction; if one fails, each half by itself."""
TRIES = 3
"""How often a client is billed again because late records arrived in between."""


@dataclass(slots=True)
class BillRunReport:
    """What a run did: invoices issued (or drafts, in a dry run) and clients it had to park."""

    issued: list[Invoice] = field(default_factory=list)
    drafts: list[tuple[Client, DraftInvoice]] = field(default_factory=list)
    parked: list[tuple[Client, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bill:
    """One invoice a client is due: its draft and the periods on it."""

    client: Client
    draft: DraftInvoice
    periods: Sequence[RecurringItem]


def bill_all(at: datetime, *, dry_run: bool = False) -> BillRunReport:
    """Bill every client with something due.  A client that fails is parked; the run goes on."""
    whole = BillRunReport()
    for part in bill_in_chunks(at, dry_run=dry_run):
        whole.issued += part.issued
        whole.drafts += part.drafts
        whole.parked += part.parked
    return whole


def bill_in_chunks(at: datetime, *, dry_run: bool = False) -> Iterator[BillRunReport]:
    """`bill_all` chunk by chunk, for runs too large to keep all that was issued in memory.

    Clients are told of their invoices at the end, when all are issued.
    """
    take = preview_chunk if dry_run else issue_chunk
    for client_ids in chunks_due(at):
        yield take(client_ids, at)
    if not dry_run:
        announcing.announce_waiting(at=at)


def chunks_due(at: datetime) -> list[list[int]]:
    """Ids of the clients to look at, `CHUNK` at a time; parked ones alone and last."""
    rows = list(billing_candidates.clients_due(at).values_list("pk", "billing_problem"))
    sound = [client_id for client_id, problem in rows if not problem]
    parked = [client_id for client_id, problem in rows if problem]
    chunks = [sound[start : start + CHUNK] for start in range(0, len(sound), CHUNK)]
    return chunks + [[client_id] for client_id in parked]


def bill_chunk(client_ids: Sequence[int], at: datetime) -> BillRunReport:
    """Bill these clients, in one transaction if all goes well; park those that fail."""
    report = issue_chunk(client_ids, at)
    announcing.announce_waiting(at=at)
    return report


def issue_chunk(client_ids: Sequence[int], at: datetime) -> BillRunReport:
    """`bill_chunk`, leaving it to others to tell the clients of their invoices."""
    report = BillRunReport()
    _bill_chunk(client_ids, report, at=at)
    return report


def preview_chunk(client_ids: Sequence[int], at: datetime) -> BillRunReport:
    """The drafts `issue_chunk` would issue."""
    report = BillRunReport()
    _preview_chunk(client_ids, report, at=at)
    return report


def bill_client(client_id: int, at: datetime) -> list[Invoice]:
    """Issue the invoices a client is due by `at`; mostly one, none if there is nothing to bill.

    Repeating it, in whatever process, issues nothing more.
    """
    issued = _bill_patiently(client_id, at=at)
    announcing.announce_waiting(at=at)
    return issued


def _bill_patiently(client_id: int, *, at: datetime) -> list[Invoice]:
    for _ in range(TRIES - 1):
        try:
            return _bill([client_id], at=at)
        except UsageMoved as moved:
            logger.info("billing client %s again: %s", client_id, moved)
    return _bill([client_id], at=at)


def preview_client(client_id: int, at: datetime) -> list[DraftInvoice]:
    """What `bill_client` would issue at `at`: its own steps, taken back before the last one.

    The charge ids in the draft are of rows that do not stay.
    """
    return [bill.draft for bill in _preview([client_id], at=at)]


def _bill_chunk(client_ids: Sequence[int], report: BillRunReport, *, at: datetime) -> None:
    try:
        report.issued += _bill(client_ids, at=at)
    except Exception as error:
        if len(client_ids) == 1:
            return _bill_or_park(client_ids[0], report, at=at)
        logger.info("billing %s clients in halves: %r", len(client_ids), error)
        for half in _halves(client_ids):
            _bill_chunk(half, report, at=at)


def _bill_or_park(client_id: int, report: BillRunReport, *, at: datetime) -> None:
    try:
        issued = _bill_patiently(client_id, at=at)
    except Exception as error:
        _park(client_id, error, report)
        Client.objects.filter(pk=client_id).update(billing_problem=_sentence(error))
    else:
        report.issued += issued


def _preview_chunk(client_ids: Sequence[int], report: BillRunReport, *, at: datetime) -> None:
    try:
        bills = _preview(client_ids, at=at)
    except Exception as error:
        if len(client_ids) == 1:
            _park(client_ids[0], error, report)
        else:
            for half in _halves(client_ids):
                _preview_chunk(half, report, at=at)
    else:
        report.drafts += [(bill.client, bill.draft) for bill in bills]


def _halves(client_ids: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    middle = len(client_ids) // 2
    return client_ids[:middle], client_ids[middle:]


def _park(client_id: int, error: Exception, report: BillRunReport) -> None:
    """Note in the report, and in the log, that a client could not be billed."""
    logger.error("billing client %s failed", client_id, exc_info=error)
    report.parked.append((Client.objects.get(pk=client_id), _sentence(error)))


def _bill(client_ids: Sequence[int], *, at: datetime) -> list[Invoice]:
    """Issue what these clients are due: for all of them or, if one fails, for none."""
    with transaction.atomic():
        bills = prepare(client_ids, at=at)
        Client.objects.filter(pk__in=client_ids).exclude(billing_problem="").update(
            billing_problem=""
        )
        advance_billing.note_billed(item for bill in bills for item in bill.periods)
        return issuing.write_all([(bill.client, bill.draft) for bill in bills], at=at)


def _preview(client_ids: Sequence[int], *, at: datetime) -> list[Bill]:
    with transaction.atomic():
        bills = prepare(client_ids, at=at)
        transaction.set_rollback(True)
    return bills


def prepare(client_ids: Sequence[int], *, at: datetime) -> list[Bill]:
    """Lock clients and services, write the charges of every window due, and draft invoices.

    In the caller's transaction, which goes on to issue the drafts, or is rolled back.
    """
    locked = Client.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=client_ids)
    clients = list(locked.select_related("group").order_by("pk"))
    rules = billed.billing_rules()
    today = local_date(at, settings.SELLER_TIMEZONE)
    taxed = treatments(clients, on=today)
    services = billing_candidates.services_due(client_ids)
    every = list(chain.from_iterable(services.values()))
    usage_windows.charge(every, at=at)
    billable_items.charge_due(client_ids, rules, today=today, at=at)
    charges = billed.open_charges({client.pk: client.currency for client in clients})
    done = billed.billed_keys([service.pk for service in every])
    extras = addons.running_of([service.pk for service in every])
    leaving = cancelled_ones([service.pk for service in every])
    bills = []
    for client in clients:
        mine = services[client.pk]
        groups = groups_of(
            client,
            periods=_periods_due(
                client,
                [service for service in mine if service.pk not in leaving],
                extras,
                rules,
                at=at,
            ),
            charges=charges[client.pk],
            services={service.pk: service for service in mine},
            rules=rules,
            today=today,
        )
        for group in groups:
            draft = draft_invoice(
                currency=client.currency,
                recurring=group.periods,
                charges=group.charges,
                billed=done,
                treatment=taxed[client.pk],
                due_date=group.due_date,
                payment_method=group.payment_method,
            )
            if draft and _is_asked_for(draft, group):
                bills.append(Bill(client, draft, group.periods))
    return bills


def _is_asked_for(draft: DraftInvoice, group: InvoiceGroup) -> bool:
    """Charges that come to 0.00 or less wait for more; a period for nothing is noted at once."""
    return draft.total > 0 or (draft.total == 0 and bool(group.periods))


def _periods_due(
    client: Client,
    services: Iterable[Service],
    extras: Mapping[int, Sequence[ServiceAddon]],
    rules: BillingSettings,
    *,
    at: datetime,
) -> list[RecurringItem]:
    """The periods of the running services and their add-ons to invoice in advance by `at`."""
    running = [service for service in services if service.status in billable_statuses()]
    today = _billing_day(running, rules, at=at)
    found = []
    for service in running:
        items = advance_billing.items_due(
            service,
            today=today,
            lead_days=rules.lead_days_of(service.cycle),
            group=client.group,
        )
        for extra in extras.get(service.pk, ()):
            extra.service = service
            items += addon_periods.items_due(
                extra,
                today=today,
                lead_days=rules.lead_days_of(extra.cycle),
                group=client.group,
            )
        if items and service.currency != client.currency:
            raise billed.CurrencyMixed(
                f"{service} is priced in {service.currency}, not in {client.currency}."
            )
        found += items
    return found


def _billing_day(running: Iterable[Service], rules: BillingSettings, *, at: datetime) -> date:
    """The seller's day that decides which periods of a client are due.

    Without lead days the new periods of a client with a metered service wait until the
    usage of the old one has settled, so that all are on one invoice.
    """
    waits = not rules.longest_lead_days and any(
        usage_windows.is_metered(service) for service in running
    )
    return local_date(at - usage_windows.settle_time() if waits else at, settings.SELLER_TIMEZONE)


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, PortalError) else f"our bug: {error!r}"
