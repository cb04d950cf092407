"""Reports: who owes how long, what months brought, which products earn.

Each report is one table, shown as a page or, with `?format=csv`, as the same rows in a
file.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import TruncMonth
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import reverse

from billing_portal.admin_csv import csv_response
from billing_portal.calc.money import round_money
from billing_portal.calc.periods import add_months, local_date, local_midnight
from billing_portal.clock.reading import now
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Charge, CreditNote, Invoice
from billing_portal.invoices.queries import BALANCE
from billing_portal.invoices.states import OWED, VOID
from billing_portal.payments.models import Transaction
from billing_portal.products.rates import rates_of
from billing_portal.services.models import Service
from billing_portal.staff.figures import LATELY, RUNNING, per_month
from billing_portal.staff.page import Crumb, show, staff_page

MONTHS = 12
MOST_CLIENTS = 500
AGES = (("Not due", None, 0), ("1-30 days", 0, 30), ("31-60", 30, 60), ("61-90", 60, 90))
"""Heading, and more than so many days late up to so many; the last column has the rest."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A value of a table: `text` on the page, `plain` in the file."""

    text: str
    plain: str
    address: str = ""
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    title: str
    says: str
    empty: str
    headers: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    chart: Mapping[str, Any] | None = None

    @property
    def labelled(self) -> list[list[tuple[str, Cell]]]:
        """The rows, each cell with its heading."""
        return [list(zip(self.headers, row, strict=True)) for row in self.rows]


@staff_page("invoices.view_invoice", "payments.view_transaction")
def page(request: HttpRequest, key: str = "aging") -> HttpResponseBase:
    """One report and the way to the others."""
    make = REPORTS.get(key)
    if make is None:
        raise Http404
    report = make(now())
    if request.GET.get("format") == "csv":
        return _file(report, name=key)
    tabs = [(name, title, reverse("staff:report", args=[name])) for name, title in TITLES.items()]
    context = {"report": report, "key": key, "tabs": tabs}
    crumbs = (Crumb("Reports", reverse("staff:reports")),)
    return show(request, "staff/report.html", title=report.title, crumbs=crumbs, context=context)


def aging(at: datetime) -> Report:
    """What each client owes, by how long it is overdue."""
    today = local_date(at, settings.SELLER_TIMEZONE)
    left = BALANCE
    sums = {f"a{i}": Sum(left, filter=_late(today, *age[1:])) for i, age in enumerate(AGES)}
    oldest = Sum(left, filter=_late(today, AGES[-1][2], None))
    rows: Iterable[Any] = (
        Invoice.objects.filter(status__in=OWED)
        .order_by()
        .values("client", "currency", "client__company_name", "client__last_name")
        .annotate(**sums, oldest=oldest, owed=Sum(left))
        .order_by("-owed", "client")[:MOST_CLIENTS]
    )
    columns = [*sums, "oldest", "owed"]
    return Report(
        title=TITLES["aging"],
        says="Open invoices by how many days they are past their due date, per client.",
        empty="Nobody owes anything.",
        headers=("Client", *(age[0] for age in AGES), "Over 90", "Open"),
        rows=[
            (
                _link(
                    row["client__company_name"] or row["client__last_name"],
                    reverse("staff:client", args=[row["client"]]),
                ),
                *(_money(row[name], row["currency"]) for name in columns),
            )
            for row in rows
        ],
    )


def months(at: datetime) -> Report:
    """What was invoiced and received, month by month, in the seller's own currency."""
    currency = settings.DEFAULT_CURRENCY
    firsts = _last_months(at)
    since = local_midnight(firsts[0], settings.SELLER_TIMEZONE)
    invoices = Invoice.objects.filter(issue_date__gte=firsts[0]).exclude(status__in=VOID)
    notes = CreditNote.objects.filter(issue_date__gte=firsts[0]).exclude(invoice__status__in=VOID)
    kept = Transaction.objects.filter(received_at__gte=since, reversed_at__isnull=True)
    zero = Decimal(0)
    billed_sums = _by_month(invoices, "issue_date", F("total"), rate="exchange_rate")
    corrected = _by_month(notes, "issue_date", F("total"), rate="invoice__exchange_rate")
    received = _by_month(kept, "received_at", F("amount") - F("refunded_amount"))
    invoiced = {
        first: billed_sums.get(first, zero) - corrected.get(first, zero) for first in firsts
    }
    series = [(first, invoiced.get(first, zero), received.get(first, zero)) for first in firsts]
    return Report(
        title=TITLES["months"],
        says=f"Invoices less credit notes by issue date, and payments less refunds by the day they"
        f" arrived, in {currency}. Invoices in other currencies count at the rate of their day,"
        " payments at today's; what has no rate is left out.",
        empty="Nothing yet.",
        headers=("Month", "Invoiced", "Received"),
        rows=[
            (
                Cell(first.strftime("%b %Y"), first.strftime("%Y-%m")),
                _money(billed, currency),
                _money(paid, currency),
            )
            for first, billed, paid in reversed(series)
        ],
        chart={
            "type": "bar",
            "unit": currency,
            "labels": [first.strftime("%b %Y") for first, _, _ in series],
            "series": [
                {"name": "Invoiced", "values": [str(billed) for _, billed, _ in series]},
                {"name": "Received", "values": [str(paid) for _, _, paid in series]},
            ],
        },
    )


def products(at: datetime) -> Report:
    """Running services, monthly worth and recent usage of each product, per currency."""
    rows = (
        Service.objects.filter(status__in=RUNNING)
        .order_by()
        .values("product", "product__name", "currency", "cycle")
        .annotate(count=Count("pk"), amount=Sum("recurring_amount"))
        .order_by("product__name", "currency", "cycle")
    )
    usage = {
        (row["service__product"], row["currency"]): row["amount"]
        for row in Charge.objects.filter(ends_at__gt=at - LATELY)
        .order_by()
        .values("service__product", "currency")
        .annotate(amount=Sum("amount"))
    }
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["product"], row["currency"])
        entry = found.setdefault(key, {"name": row["product__name"], "count": 0, "cycles": []})
        entry["count"] += row["count"]
        entry["cycles"].append((row["currency"], row["cycle"], row["amount"]))
    return Report(
        title=TITLES["products"],
        says="Recurring is per month, in advance. Usage is what was charged in the last 30 days.",
        empty="No service is running.",
        headers=("Product", "Running services", "Recurring per month", "Usage, 30 days"),
        rows=[
            (
                _link(entry["name"], reverse("admin:products_product_change", args=[product])),
                Cell(str(entry["count"]), str(entry["count"]), is_number=True),
                _money(per_month(entry["cycles"]).get(currency), currency),
                _money(usage.get((product, currency)), currency),
            )
            for (product, currency), entry in found.items()
        ],
    )


TITLES = {"aging": "Open by age", "months": "Invoiced and received", "products": "Products"}
REPORTS: Mapping[str, Callable[[datetime], Report]] = {
    "aging": aging,
    "months": months,
    "products": products,
}


def _late(today: date, more_than: int | None, up_to: int | None) -> Q:
    """Invoices that are so many days past their due date."""
    late = Q()
    if more_than is not None:
        late &= Q(due_date__lt=today - timedelta(days=more_than))
    if up_to is not None:
        late &= Q(due_date__gte=today - timedelta(days=up_to))
    return late


def _last_months(at: datetime) -> list[date]:
    this_month = local_date(at, settings.SELLER_TIMEZONE).replace(day=1)
    return [add_months(this_month, -back, anchor_day=1) for back in range(MONTHS - 1, -1, -1)]


def _by_month(rows: Any, moment: str, amount: Any, *, rate: str = "") -> dict[date, Decimal]:
    """Sums of `amount` in the seller's currency, by the first day of the month of `moment`.

    `rate` is the column with a row's exchange rate; without one today's rates count.
    """
    groups = ["month", "currency", *([rate] if rate else [])]
    sums = list(
        rows.order_by().annotate(month=TruncMonth(moment)).values(*groups).annotate(sum=Sum(amount))
    )
    today = rates_of({row["currency"] for row in sums})
    found: dict[date, Decimal] = {}
    for row in sums:
        by = row[rate] if rate else today.get(row["currency"], Decimal(1))
        if by == 1 and row["currency"] != settings.DEFAULT_CURRENCY:
            continue  # nobody said what it is worth
        first = row["month"].date() if isinstance(row["month"], datetime) else row["month"]
        own = round_money(Fraction(row["sum"]) / Fraction(by), settings.DEFAULT_CURRENCY)
        found[first] = found.get(first, Decimal(0)) + own
    return found


def _link(text: str, address: str) -> Cell:
    return Cell(text, text, address=address)


def _money(amount: Decimal | None, currency: str) -> Cell:
    rounded = round_money(amount or 0, currency)
    return Cell(format_amount(rounded, currency), f"{rounded} {currency}", is_number=True)


def _file(report: Report, *, name: str) -> HttpResponseBase:
    rows = ([cell.plain for cell in row] for row in report.rows)
    return csv_response(report.headers, rows, name=name)
