"""Reading charges and invoices."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Round

from billing_portal.calc.invoice import BilledKey, ChargeItem, LineKind
from billing_portal.calc.periods import Period
from billing_portal.errors import PortalError
from billing_portal.invoices.models import (
    OWED,
    BillingSettings,
    Charge,
    Invoice,
    InvoiceLine,
    UsageWindow,
)
from billing_portal.invoices.states import HIDDEN, PAYABLE

BALANCE = F("total") - F("paid_amount") - F("credit_applied") - F("credited_amount")
"""What is left to pay of an invoice, as the database computes it."""


WAITING_METRIC = "item_waiting"
"""Of charges that ask for no invoice by themselves, but join the client's next one."""


class CurrencyMixed(PortalError):
    """A client owes in a currency other than its own."""


def billing_rules() -> BillingSettings:
    """When and how invoices are made; what the environment says until staff change it."""
    return BillingSettings.objects.filter(pk=1).first() or BillingSettings(
        pk=1, lead_days=settings.INVOICE_LEAD_DAYS, term_days=settings.PAYMENT_TERM_DAYS
    )


def invoices_of(client_id: int) -> QuerySet[Invoice]:
    """A client's invoices, newest first; drafts are none yet."""
    return published().filter(client_id=client_id)


def published() -> QuerySet[Invoice]:
    """The invoices a client may see: all but drafts.  Whatever clients read starts here."""
    return Invoice.objects.exclude(status__in=HIDDEN)


def unpaid_of(client_id: int) -> QuerySet[Invoice]:
    """What a client still has to pay, the oldest due first."""
    return invoices_of(client_id).filter(status__in=OWED).order_by("due_date", "pk")


def overdue(today: date) -> QuerySet[Invoice]:
    """Invoices to pay whose due day has passed, those in collections among them."""
    return Invoice.objects.filter(status__in=PAYABLE, due_date__lt=today)


def open_balance(client_id: int) -> Decimal:
    """What a client owes on all unpaid invoices together."""
    # SQLite adds decimals as floats; rounding takes its error away.
    owed = Round(Sum(BALANCE), precision=3)
    return unpaid_of(client_id).aggregate(owed=owed)["owed"] or Decimal(0)


def lines_of(invoice: Invoice) -> QuerySet[InvoiceLine]:
    """The lines in the order they are printed, each with its charge and service."""
    return invoice.lines.select_related("charge", "service__product").order_by("position")


def open_charges(currencies: Mapping[int, str]) -> dict[int, list[ChargeItem]]:
    """Charges that are on no invoice yet, by client, in time order.

    `currencies` has the clients and the currency of each; raises CurrencyMixed if a
    charge is in another.
    """
    open_ones = Charge.objects.filter(client__in=currencies, line__isnull=True)
    found: dict[int, list[ChargeItem]] = {client_id: [] for client_id in currencies}
    # Plain columns: a bill run reads thousands, and their evidence may be long.
    rows = open_ones.order_by("starts_at", "pk").values_list(
        "client_id",
        "currency",
        *("pk", "service_id", "description", "starts_at", "ends_at"),
        *("quantity", "unit", "unit_price", "amount", "kind", "taxable", "metric"),
    )
    for client_id, currency, pk, service_id, description, start, end, *priced in rows:
        if currency != currencies[client_id]:
            raise CurrencyMixed(
                f"{description} is charged in {currency}, not in {currencies[client_id]}."
            )
        quantity, unit, unit_price, amount, kind, taxable, metric = priced
        found[client_id].append(
            ChargeItem(
                charge_id=pk,
                service_id=service_id,
                description=description,
                period=Period(start, end),
                quantity=quantity,
                unit=unit,
                unit_price=unit_price,
                amount=amount,
                kind=LineKind(kind),
                taxable=taxable,
                waits=metric == WAITING_METRIC,
            )
        )
    return found


def charge_items(charges: Iterable[Charge]) -> list[ChargeItem]:
    """These charges as values."""
    return [
        ChargeItem(
            charge_id=charge.pk,
            service_id=charge.service_id,
            description=charge.description,
            period=Period(charge.starts_at, charge.ends_at),
            quantity=charge.quantity,
            unit=charge.unit,
            unit_price=charge.unit_price,
            amount=charge.amount,
            kind=LineKind(charge.kind),
            taxable=charge.taxable,
        )
        for charge in charges
    ]


def billed_keys(service_ids: Collection[int]) -> frozenset[BilledKey]:
    """Which advance periods of these services are invoiced from `billed_until` on.

    Normally none: `billed_until` is past them.  The set proves it.
    """
    lines: Iterable[BilledKey] = (
        InvoiceLine.objects.filter(
            Q(addon__isnull=True, period_start__gte=F("service__billed_until"))
            | Q(addon__isnull=False, period_start__gte=F("addon__billed_until")),
            service_id__in=service_ids,
            billed=True,
            kind__in=[LineKind.SETUP, LineKind.RECURRING],
        )
        .order_by()
        .values_list("service_id", "addon_id", "kind", "period_start")
    )
    return frozenset(lines)


def closed_windows(service_ids: Collection[int]) -> dict[int, frozenset[datetime]]:
    """Starts of the windows whose usage was collected, by service."""
    found: dict[int, set[datetime]] = {service_id: set() for service_id in service_ids}
    rows = UsageWindow.objects.filter(service_id__in=service_ids).order_by()
    for service_id, starts_at in rows.values_list("service_id", "starts_at"):
        found[service_id].add(starts_at)
    return {service_id: frozenset(starts) for service_id, starts in found.items()}


def closed_until(service_id: int) -> datetime | None:
    """The end of the last month of a service whose usage was collected; None before any."""
    rows = UsageWindow.objects.filter(service_id=service_id).order_by("-ends_at")
    return rows.values_list("ends_at", flat=True).first()


def charges_of(service_id: int) -> QuerySet[Charge]:
    """A service's charges, newest first, each with its invoice line if it has one."""
    return (
        Charge.objects.filter(service_id=service_id)
        .select_related("line__invoice")
        .order_by("-starts_at", "-pk")
    )
