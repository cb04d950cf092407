"""Gapless invoice numbers: one row per series and year, locked while a number is taken.

The number is taken in the transaction that issues the invoice, so an invoice that is
rolled back gives its number back.
"""

from django.db import transaction

from billing_portal.invoices.models import NumberSeries

INVOICE_PREFIX = "INV"


def take_number(prefix: str, *, year: int) -> str:
    """The next number of the series: INV-2026-00001, then INV-2026-00002."""
    (number,) = take_numbers(prefix, year=year, count=1)
    return number


def take_numbers(prefix: str, *, year: int, count: int) -> list[str]:
    """The next `count` numbers of the series.

    Must run inside the transaction that uses them; other takers wait until that one ends.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a number is taken in the transaction that uses it")
    series = _locked(prefix, year)
    first = series.next_number
    series.next_number = first + count
    series.save(update_fields=["next_number"])
    return [f"{prefix}-{year}-{number:05d}" for number in range(first, first + count)]


def _locked(prefix: str, year: int) -> NumberSeries:
    locked = NumberSeries.objects.select_for_update(no_key=True)
    if series := locked.filter(prefix=prefix, year=year).first():
        return series
    NumberSeries.objects.get_or_create(prefix=prefix, year=year)  # the first number of a year
    return locked.get(prefix=prefix, year=year)
