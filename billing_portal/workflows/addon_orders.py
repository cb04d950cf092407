"""Add-ons for a service that is already there: ordering, cancelling and ending them.

Order of locks: client, invoice, service.
"""

from datetime import date, datetime
from functools import partial

from django.conf import settings
from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.automation.actions import Deed
from billing_portal.automation.queries import BusinessDay
from billing_portal.calc.invoice import DraftInvoice, draft_invoice
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client
from billing_portal.invoices import actions as invoices
from billing_portal.invoices import crediting
from billing_portal.invoices.models import BillingSettings, Invoice, InvoiceStatus
from billing_portal.invoices.queries import billing_rules
from billing_portal.services import addons
from billing_portal.services.addons import BILLABLE, AddonRefused, AddonTerms
from billing_portal.services.models import Service, ServiceAddon
from billing_portal.services.states import ServiceStatus
from billing_portal.taxes.queries import treatments
from billing_portal.workflows import addon_periods, addon_starts, credit_notes, issuing


def order(
    service_id: int,
    *,
    addon_id: int,
    cycle: str,
    quantity: int,
    request_key: str,
    at: datetime,
    actor: User | None,
    staff: bool = False,
) -> ServiceAddon:
    """Add something to a running service and invoice what is due now.

    It begins when that is paid; if nothing is due, at once.  The same `request_key` returns
    the same add-on.  Raises AddonRefused with a sentence; nothing is stored then.
    """
    with transaction.atomic():
        client = _lock_client(service_id)
        if known := ServiceAddon.objects.filter(request_key=request_key).first():
            return known
        service = _lock_service(service_id)
        wanted = wish(service, addon_id=addon_id, cycle=cycle, quantity=quantity, staff=staff)
        row = addons.new_addon(service, wanted, day=_today(at), at=at)
        row.request_key = request_key
        addons.open_addon(row, at=at, actor=actor)
        draft = _draft(client, row, at=at)
        invoice = issuing.issue(client, draft, at=at, actor=actor) if draft else None
        if invoice is None or invoice.status == InvoiceStatus.PAID:
            addon_starts.start([row], at=at)
    row.refresh_from_db()
    return row


def wish(
    service: Service, *, addon_id: int, cycle: str, quantity: int, staff: bool = False
) -> AddonTerms:
    """The terms of an add-on for a running service, or AddonRefused."""
    if service.status not in BILLABLE:
        raise AddonRefused(f"{service} is {service.get_status_display().lower()}.")
    return addons.terms(
        service.product,
        addon_id=addon_id,
        currency=service.currency,
        cycle=cycle,
        quantity=quantity,
        exactly=True,
        staff=staff,
    )


def preview(service: Service, wanted: AddonTerms, *, at: datetime) -> DraftInvoice | None:
    """What `order` would invoice now; None if nothing would be due."""
    client = Client.objects.select_related("group").get(pk=service.client_id)
    return _draft(client, addons.new_addon(service, wanted, day=_today(at), at=at), at=at)


def invoice_of(row: ServiceAddon) -> Invoice | None:
    """The open invoice a pending add-on waits for, if there is one."""
    lines = row.invoice_lines.select_related("invoice").filter(
        invoice__status__in=(InvoiceStatus.UNPAID, InvoiceStatus.PENDING)
    )
    line = lines.order_by("pk").first()
    return line.invoice if line else None


def cancel(addon_id: int, *, at: datetime, actor: User | None) -> ServiceAddon:
    """End an add-on with the period that is paid for; one without such a period at once.

    One that was never paid is taken back with its invoice, or with its lines where others
    are on it too.
    Raises AddonRefused, or InvoiceNotCancellable once a part of it was paid.
    """
    with transaction.atomic():
        # Whoever pays locks the client first: what is pending below is not just being paid.
        _lock_client(ServiceAddon.objects.values_list("service_id", flat=True).get(pk=addon_id))
        row = ServiceAddon.objects.select_related("service", "addon").get(pk=addon_id)
        if row.status == ServiceStatus.PENDING:
            return _take_back(row, at=at, actor=actor)
        last = row.billed_until if row.cycle_months and row.recurring_amount else _today(at)
        if last <= _today(at):
            row = addons.end(row.pk, at=at, actor=actor, reason="cancelled")
            addon_starts.tell("addon_ended", row, at=at)
            return row
        row = addons.end_on(row.pk, day=last, at=at, actor=actor)
        addon_starts.tell("addon_ends", row, at=at, day=last.isoformat())
        return row


def addons_to_end(on: BusinessDay) -> list[int]:
    """Ids of the add-ons whose last day is over."""
    rows = ServiceAddon.objects.filter(status__in=BILLABLE, ends_on__lte=on.day)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def end_due(addon_id: int, on: BusinessDay) -> Deed | None:
    """End an add-on whose last day is over, in the caller's transaction; None if it is kept."""
    row = ServiceAddon.objects.select_related("service").get(pk=addon_id)
    Service.objects.select_for_update(no_key=True).get(pk=row.service_id)
    row.refresh_from_db(fields=["ends_on", "status"])
    if row.status not in BILLABLE or row.ends_on is None or row.ends_on > on.day:
        return None
    ended = addons.end(addon_id, at=on.at, reason="its paid period is over")
    addon_starts.tell("addon_ended", ended, at=on.at)
    return Deed(f"{ended} ended with its paid period", service_id=row.service_id)


def _draft(client: Client, row: ServiceAddon, *, at: datetime) -> DraftInvoice | None:
    today = _today(at)
    by_period = billing_rules().due_policy == BillingSettings.DuePolicy.PERIOD_START
    return draft_invoice(
        currency=client.currency,
        setup=[addon_periods.setup_item(row, day=today)],
        recurring=addon_periods.first_items(row, day=today, group=client.group),
        charges=(),
        billed=frozenset(),
        treatment=treatments([client], on=today)[client.pk],
        due_date=today if by_period else None,
        payment_method=row.service.payment_method or client.payment_method,
    )


def _take_back(row: ServiceAddon, *, at: datetime, actor: User | None) -> ServiceAddon:
    if invoice := invoice_of(row):
        if hasattr(invoice, "order"):
            raise AddonRefused(f"{row.addon} is part of an order that is not paid yet.")
        _take_lines_back(row, invoice, at=at, actor=actor)
    return addons.end(row.pk, at=at, actor=actor, reason="cancelled before it was paid")


def _take_lines_back(
    row: ServiceAddon, invoice: Invoice, *, at: datetime, actor: User | None
) -> None:
    """Its invoice is void; one that staff merged with others goes on asking for the others."""
    reason = f"{row.addon} was cancelled"
    if not invoice.lines.exclude(addon=row).exists():
        invoices.cancel(invoice.pk, reason=reason, at=at, actor=actor)
        return
    credit_notes.credit_invoice(
        invoice.pk,
        partial(
            crediting.correct_lines,
            amounts=dict(invoice.lines.filter(addon=row).values_list("pk", "amount")),
        ),
        reason=reason,
        request_key=f"addon:{row.pk}:taken_back",
        at=at,
        actor=actor,
    )


def _lock_client(service_id: int) -> Client:
    """The client of a service, locked, with its group."""
    owner = Service.objects.filter(pk=service_id).values("client_id")
    locked = Client.objects.select_for_update(of=("self",), no_key=True)
    return locked.select_related("group").get(pk__in=owner)


def _lock_service(service_id: int) -> Service:
    locked = Service.objects.select_for_update(of=("self",), no_key=True)
    return locked.select_related("product", "client").get(pk=service_id)


def _today(at: datetime) -> date:
    return local_date(at, settings.SELLER_TIMEZONE)
