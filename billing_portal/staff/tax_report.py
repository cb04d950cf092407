"""Net and tax of what was issued in a month or quarter, as the documents themselves say.

Credit notes count against the period they were issued in.  Drafts and proformas are no
invoices yet, and a cancelled invoice that no credit note takes back never counted.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django_countries import countries

from billing_portal.admin_csv import csv_response
from billing_portal.calc.money import round_money
from billing_portal.calc.periods import add_months, local_date
from billing_portal.calc.tax import TaxCategory
from billing_portal.clock.reading import now
from billing_portal.invoices.models import CreditNote, Invoice, InvoiceStatus
from billing_portal.invoices.parties import address_of
from billing_portal.staff.page import show, staff_page
from billing_portal.taxes.ids import MEMBER_STATES, vat_country
from billing_portal.taxes.models import TaxRule
from billing_portal.taxes.queries import tax_settings
from billing_portal.taxes.supply import plain_percent

NO_SUMMARY = "none"
"""Category of documents of a seller who charged no tax at all."""
CATEGORIES: Mapping[str, str] = {
    TaxCategory.STANDARD: "Taxed",
    TaxCategory.ZERO: "Zero rated",
    TaxCategory.EXEMPT: "Exempt",
    TaxCategory.REVERSE_CHARGE: "Reverse charge",
    TaxCategory.INTRA_COMMUNITY: "Intra-community supply",
    TaxCategory.EXPORT: "Export",
    TaxCategory.OUTSIDE_SCOPE: "Outside the scope",
    NO_SUMMARY: "No tax charged",
}
HEADERS = ("Country", "Treatment", "Tax", "Rate", "Currency", "Net", "Tax amount")
MONTHS_SHOWN, QUARTERS_SHOWN = 12, 8


@dataclass(frozen=True, slots=True)
class TaxPeriod:
    """A month or quarter of the seller; `end` is excluded."""

    key: str
    title: str
    first: date
    end: date


@dataclass(frozen=True, slots=True, order=True)
class RowKey:
    country: str
    category: str
    name: str
    percent: Decimal
    currency: str


@dataclass(slots=True)
class Sums:
    net: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)

    def add(self, net: Decimal, tax: Decimal) -> None:
        self.net += net
        self.tax += tax


@dataclass(slots=True)
class TaxFigures:
    """`rows` in the order of country, category, tax; a second tax has a row of its own with
    what it was taken of, so only `totals`, by currency, count every net once."""

    rows: dict[RowKey, Sums] = field(default_factory=lambda: defaultdict(Sums))
    totals: dict[str, Sums] = field(default_factory=lambda: defaultdict(Sums))


@staff_page("invoices.view_invoice")
def page(request: HttpRequest) -> HttpResponseBase:
    """The figures of a period, for all countries or for the one-stop shop."""
    today = local_date(now(), settings.SELLER_TIMEZONE)
    periods = tax_periods(today)
    key = request.GET.get("period", periods[0].key)
    period = next((one for one in periods if one.key == key), None)
    view = request.GET.get("view", "all")
    if period is None or view not in ("all", "oss"):
        raise Http404
    figures = tax_figures(period)
    if view == "oss":
        figures = one_stop_shop(figures)
    if request.GET.get("format") == "csv":
        return csv_response(HEADERS, _plain_rows(figures), name=f"tax-{view}-{period.key}")
    context = {
        "period": period,
        "periods": periods,
        "view": view,
        "rows": [(_words(key), sums) for key, sums in sorted(figures.rows.items())],
        "totals": sorted(figures.totals.items()),
    }
    return show(request, "staff/tax_report.html", title="Tax report", context=context)


def tax_periods(today: date) -> list[TaxPeriod]:
    """The latest months, then the latest quarters, the present one of each first."""
    this_month = today.replace(day=1)
    this_quarter = today.replace(day=1, month=(today.month - 1) // 3 * 3 + 1)
    months = [_back(this_month, number) for number in range(MONTHS_SHOWN)]
    quarters = [_back(this_quarter, 3 * number) for number in range(QUARTERS_SHOWN)]
    return [
        TaxPeriod(f"{first:%Y-%m}", f"{first:%B %Y}", first, _back(first, -1)) for first in months
    ] + [
        TaxPeriod(
            f"{first:%Y}-Q{first.month // 3 + 1}",
            f"Quarter {first.month // 3 + 1} of {first:%Y}",
            first,
            _back(first, -3),
        )
        for first in quarters
    ]


def tax_figures(period: TaxPeriod) -> TaxFigures:
    """Invoices issued in the period minus credit notes issued in it.  Two statements."""
    figures = TaxFigures()
    taken_back = CreditNote.objects.filter(invoice=OuterRef("pk"))
    invoices = (
        Invoice.objects.filter(issue_date__gte=period.first, issue_date__lt=period.end)
        .exclude(status=InvoiceStatus.DRAFT)
        .exclude(is_proforma=True)
        .exclude(~Exists(taken_back), status=InvoiceStatus.CANCELLED)
    )
    notes = CreditNote.objects.filter(issue_date__gte=period.first, issue_date__lt=period.end)
    for document in _documents(invoices):
        _count(figures, document, sign=1)
    for document in _documents(notes):
        _count(figures, document, sign=-1)
    return figures


def one_stop_shop(figures: TaxFigures) -> TaxFigures:
    """Only what consumers of other member states owe their own states.

    A rate no rule of the state knows is the seller's own, charged where there was no rule.
    """
    home = vat_country(str(tax_settings().seller_country))
    known = set(TaxRule.objects.exclude(country="").values_list("country", "percent"))
    found = TaxFigures()
    for key, sums in figures.rows.items():
        country = vat_country(key.country)
        taxed = key.category == TaxCategory.STANDARD
        abroad = country in MEMBER_STATES and country != home
        if taxed and abroad and (country, key.percent) in known:
            found.rows[key] = sums
            found.totals[key.currency].add(sums.net, sums.tax)
    return found


def _documents(rows: QuerySet[Any]) -> Iterator[tuple[Any, ...]]:
    """Of each document what counts, without keeping all of them in memory."""
    columns = ("buyer", "client__country", "currency", "taxes", "net_total", "tax_total")
    return rows.order_by().values_list(*columns).iterator(chunk_size=2000)


def _count(figures: TaxFigures, document: tuple[Any, ...], *, sign: int) -> None:
    buyer, present_country, currency, taxes, net, tax = document
    country = buyer.get("country") or address_of(buyer).country or present_country
    figures.totals[currency].add(sign * net, sign * tax)
    for row in taxes or [_no_summary(net)]:
        key = RowKey(
            country, row["category"], row["name"], Decimal(row["percent"]).normalize(), currency
        )
        figures.rows[key].add(sign * Decimal(row["base"]), sign * Decimal(row["amount"]))


def _no_summary(net: Decimal) -> dict[str, Any]:
    return {"category": NO_SUMMARY, "name": "", "percent": 0, "base": net, "amount": 0}


def _words(key: RowKey) -> dict[str, str]:
    taxed = key.category in (TaxCategory.STANDARD, TaxCategory.ZERO)
    return {
        "country": str(countries.name(key.country) or key.country or "Not known"),
        "treatment": CATEGORIES.get(key.category, key.category),
        "name": key.name if taxed else "",
        "rate": f"{plain_percent(key.percent)} %" if taxed else "",
        "currency": key.currency,
    }


def _plain_rows(figures: TaxFigures) -> Iterable[list[str]]:
    for key, sums in sorted(figures.rows.items()):
        words = _words(key)
        amounts = [str(round_money(amount, key.currency)) for amount in (sums.net, sums.tax)]
        yield [
            key.country,
            *(words[name] for name in ("treatment", "name", "rate", "currency")),
            *amounts,
        ]


def _back(first: date, months: int) -> date:
    return add_months(first, -months, anchor_day=1)
