"""Gapless invoice numbers: one row per series and year, locked while a number is taken.

The number is taken in the transaction that issues the document, so one that is rolled
back gives its number back.  The row also knows the day of its last number: a document
that waited for the lock past midnight, or read its clock before another did, never gets
an earlier day than the number before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.db import transaction

from billing_portal.calc.periods import local_date
from billing_portal.invoices.models import Invoice, NumberSeries

INVOICE_PREFIX = "INV"
PROFORMA_PREFIX = "PRO"


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers in order, and the day all of them bear."""

    numbers: Sequence[str]
    date: date


@dataclass(frozen=True, slots=True)
class NumberedDocument:
    """What a new document is numbered, and from which day."""

    number: str
    date: date
    is_proforma: bool


def take_number(prefix: str, *, year: int) -> str:
    """The next number of the series: INV-2026-00001, then INV-2026-00002."""
    (number,) = take_numbers(prefix, year=year, count=1)
    return number


def take_numbers(prefix: str, *, year: int, count: int) -> list[str]:
    """The next `count` numbers of the series.

    Must run inside the transaction that uses them; other takers wait until that one ends.
    """
    return _take(_locked(prefix, year), count)


def take_dated(prefix: str, *, on: date, count: int = 1) -> Numbers:
    """The next `count` numbers of the year of `on`, and their day.

    That is `on`, or the day of the series' last number if that is later.  Must run inside
    the transaction that uses them; other takers wait until that one ends.
    """
    series = _locked(prefix, on.year)
    day = series.last_date = max(on, series.last_date or on)
    return Numbers(_take(series, count), day)


def number_documents(
    are_settled: Sequence[bool], *, proforma: bool, on: date
) -> list[NumberedDocument]:
    """A number and day for each new document, in order.

    With `proforma`, those that are not settled from the start are asked for with one.
    """
    as_proforma = [proforma and not settled for settled in are_settled]
    found: list[Iterator[str]] = []
    days: list[date] = []
    for prefix, count in (
        (INVOICE_PREFIX, as_proforma.count(False)),
        (PROFORMA_PREFIX, as_proforma.count(True)),
    ):
        taken = take_dated(prefix, on=on, count=count) if count else Numbers((), on)
        found.append(iter(taken.numbers))
        days.append(taken.date)
    return [NumberedDocument(next(found[way]), days[way], way) for way in as_proforma]


def turn_into_invoice(invoice: Invoice, *, at: datetime) -> None:
    """Give a locked proforma the next number of the invoices, and that number's day.

    The number under which payment was asked for stays on it.
    """
    taken = take_dated(INVOICE_PREFIX, on=local_date(at, settings.SELLER_TIMEZONE))
    invoice.proforma_number = invoice.number or ""
    (invoice.number,) = taken.numbers
    invoice.issue_date = taken.date
    invoice.issued_at = at
    invoice.is_proforma = False
    invoice.save(
        update_fields=["number", "proforma_number", "issue_date", "issued_at", "is_proforma"]
    )


def _take(series: NumberSeries, count: int) -> list[str]:
    first = series.next_number
    series.next_number = first + count
    series.save(update_fields=["next_number", "last_date"])
    stem = f"{series.prefix}-{series.year}"
    return [f"{stem}-{number:05d}" for number in range(first, first + count)]


def _locked(prefix: str, year: int) -> NumberSeries:
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a number is taken in the transaction that uses it")
    locked = NumberSeries.objects.select_for_update(no_key=True)
    if series := locked.filter(prefix=prefix, year=year).first():
        return series
    NumberSeries.objects.get_or_create(prefix=prefix, year=year)  # the first number of a year
    return locked.get(prefix=prefix, year=year)
