"""Money, services and growth in numbers, each computed by the database in one query."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import dropwhile
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet, Sum

from billing_portal.calc.money import round_money
from billing_portal.calc.periods import add_months, local_date, local_midnight
from billing_portal.clients.models import Client
from billing_portal.invoices.models import Invoice
from billing_portal.invoices.queries import BALANCE
from billing_portal.invoices.states import OWED, VOID
from billing_portal.payments.models import Transaction
from billing_portal.products.models import CYCLE_MONTHS
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus

RUNNING = (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)
LATELY = timedelta(days=30)


@dataclass(slots=True)
class Money:
    """What the portal earns and is owed in one currency."""

    currency: str
    monthly: Decimal = Decimal(0)
    owed: Decimal = Decimal(0)
    owed_count: int = 0
    overdue: Decimal = Decimal(0)
    overdue_count: int = 0
    invoiced: Decimal = Decimal(0)
    received: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Month:
    """How things stood when a month ended, or now for the running one."""

    label: str
    monthly: Decimal
    clients: int
    services: int


def money(at: datetime) -> list[Money]:
    """One entry per currency in use, the seller's own first."""
    found: dict[str, Money] = {}

    def of(currency: str) -> Money:
        return found.setdefault(currency, Money(currency))

    of(settings.DEFAULT_CURRENCY)
    for currency, amount in monthly_recurring(Service.objects.filter(status__in=RUNNING)).items():
        of(currency).monthly = amount
    for row in _invoiced(at):
        entry = of(row["currency"])
        entry.owed, entry.owed_count = row["owed"] or entry.owed, row["owed_count"]
        entry.overdue, entry.overdue_count = row["overdue"] or entry.overdue, row["overdue_count"]
        entry.invoiced = row["invoiced"] or entry.invoiced
    for row in _received(at):
        of(row["currency"]).received = row["received"]
    return sorted(
        found.values(), key=lambda m: (m.currency != settings.DEFAULT_CURRENCY, m.currency)
    )


def monthly_recurring(services: QuerySet[Service]) -> dict[str, Decimal]:
    """What services bring per month in advance, by currency; usage comes on top."""
    rows = services.order_by().values("currency", "cycle").annotate(amount=Sum("recurring_amount"))
    return per_month((row["currency"], row["cycle"], row["amount"]) for row in rows)


def services_by_state() -> list[tuple[str, str, int]]:
    """State, its word and how many services are in it, in the order of a service's life."""
    counts = dict(Service.objects.order_by().values_list("status").annotate(count=Count("pk")))
    return [(s.value, s.label, counts[s.value]) for s in ServiceStatus if s.value in counts]


def services_by_product() -> list[dict[str, Any]]:
    """The products with the most running services: `name`, `key` and `count`."""
    rows = (
        Service.objects.filter(status__in=RUNNING)
        .order_by()
        .values(name=F("product__name"), key=F("product_id"))
        .annotate(count=Count("pk"))
        .order_by("-count", "key")[:8]
    )
    return [dict(row) for row in rows]


def months(at: datetime, *, count: int = 12) -> list[Month]:
    """The last `count` months up to now, oldest first, in the seller's own currency.

    Months before the first client are left out, but never the last two.  Past months use
    today's prices: what is not stored is not invented.
    """
    ends = _month_ends(at, count)
    clients = Client.objects.aggregate(
        **{f"m{i}": Count("pk", filter=Q(created_at__lt=end)) for i, (_, end) in enumerate(ends)}
    )
    standing = [
        Q(activated_at__lt=end) & (Q(ended_at__isnull=True) | Q(ended_at__gte=end))
        for _, end in ends
    ]
    sums = {f"m{i}": Sum("recurring_amount", filter=q) for i, q in enumerate(standing)}
    counts = {f"n{i}": Count("pk", filter=q) for i, q in enumerate(standing)}
    per_cycle = (
        Service.objects.filter(currency=settings.DEFAULT_CURRENCY)
        .order_by()
        .values("cycle")
        .annotate(**sums, **counts)
    )
    rows: list[dict[str, Any]] = [dict(row) for row in per_cycle]
    found = [
        Month(
            label=first.strftime("%b %Y"),
            monthly=_total(rows, f"m{i}"),
            clients=clients[f"m{i}"],
            services=sum(row[f"n{i}"] for row in rows),
        )
        for i, (first, _) in enumerate(ends)
    ]
    return list(dropwhile(lambda month: not month.clients, found[:-2])) + found[-2:]


def _invoiced(at: datetime) -> list[dict[str, Any]]:
    today = local_date(at, settings.SELLER_TIMEZONE)
    unpaid = Q(status__in=OWED)
    overdue = unpaid & Q(due_date__lt=today)
    recent = Q(issued_at__gt=at - LATELY) & ~Q(status__in=VOID)
    rows = (
        Invoice.objects.order_by()
        .values("currency")
        .annotate(
            owed=Sum(BALANCE, filter=unpaid),
            owed_count=Count("pk", filter=unpaid),
            overdue=Sum(BALANCE, filter=overdue),
            overdue_count=Count("pk", filter=overdue),
            invoiced=Sum("total", filter=recent),
        )
    )
    return [dict(row) for row in rows]


def _received(at: datetime) -> list[dict[str, Any]]:
    rows = (
        Transaction.objects.filter(received_at__gt=at - LATELY)
        .order_by()
        .values("currency")
        .annotate(received=Sum("amount"))
    )
    return [dict(row) for row in rows]


def per_month(amounts: Iterable[tuple[str, str, Decimal]]) -> dict[str, Decimal]:
    """Amounts per cycle, as (currency, cycle, amount), added up per month and currency."""
    exact: dict[str, Fraction] = defaultdict(Fraction)
    for currency, cycle, amount in amounts:
        if cycle_months := CYCLE_MONTHS[cycle]:
            exact[currency] += Fraction(amount) / cycle_months
    return {currency: round_money(amount, currency) for currency, amount in exact.items()}


def _total(rows: Iterable[dict[str, Any]], name: str) -> Decimal:
    currency = settings.DEFAULT_CURRENCY
    amounts = [(currency, row["cycle"], row[name] or Decimal(0)) for row in rows]
    return per_month(amounts).get(currency, round_money(0, currency))


def _month_ends(at: datetime, count: int) -> list[tuple[date, datetime]]:
    """First day of each month and the moment it ended; the last one ends now."""
    zone = settings.SELLER_TIMEZONE
    this_month = local_date(at, zone).replace(day=1)
    firsts = [add_months(this_month, -back, anchor_day=1) for back in range(count - 1, -1, -1)]
    ends = [local_midnight(add_months(first, 1, anchor_day=1), zone) for first in firsts]
    return [(first, min(end, at.astimezone(UTC))) for first, end in zip(firsts, ends, strict=True)]
