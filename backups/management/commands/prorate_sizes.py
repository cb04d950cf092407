"""What recorded sizes would cost, from a file.  Needs no database."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError

from backups.size_history import parse_moment, read_size_history
from billing_portal.calc.money import exact, minor_units, round_money, round_places
from billing_portal.calc.periods import Period, month_slice
from billing_portal.calc.proration import (
    Segment,
    SizeChange,
    average_gb,
    prorate_sizes,
    total_amount,
)
from billing_portal.csv_rows import plain_number
from billing_portal.errors import PortalError

DISPLAY_PLACES = 6
MOST_MONTHS = 1200

T = TypeVar("T")


class Command(BaseCommand):
    help = "Show what the sizes recorded in a CSV file (recorded_at,size_gb) would cost."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--history", type=Path, required=True, metavar="FILE.csv")
        parser.add_argument(
            "--price-per-1000gb",
            type=_valid(plain_number),
            required=True,
            metavar="AMOUNT",
            help="Price of 1000 GB for one slice, such as 10.00.",
        )
        parser.add_argument("--currency", type=str.upper, default="EUR", help="Default: EUR.")
        parser.add_argument(
            "--start",
            required=True,
            help="With --end a moment (2026-01-18T13:31:00Z), with --months a day (2026-01-31).",
        )
        length = parser.add_mutually_exclusive_group(required=True)
        length.add_argument("--end", type=_valid(parse_moment), help="One slice, until then.")
        length.add_argument("--months", type=int, help="This many slices of one month each.")
        parser.add_argument("--timezone", help="Whose midnight, with --months.  Default: UTC.")
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, **options: Any) -> None:
        try:
            minor_units(options["currency"])
            periods = _periods(options)
            changes = read_size_history(options["history"])
        except PortalError as error:
            raise CommandError(str(error)) from error
        price_per_gb = exact(options["price_per_1000gb"]) / 1000
        slices = [
            _priced(changes, period, price_per_gb=price_per_gb, currency=options["currency"])
            for period in periods
        ]
        show = _as_json if options["json"] else _as_text
        self.stdout.write(show(slices, options["currency"]))


@dataclass(frozen=True, slots=True)
class PricedSlice:
    period: Period
    segments: list[Segment]
    average_gb: Fraction
    amount: Decimal


def _valid(parse: Callable[[str], T]) -> Callable[[str], T]:
    """`parse` for argparse, which prints the sentence of this error only."""

    def parse_argument(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from error

    return parse_argument


def _periods(options: dict[str, Any]) -> list[Period]:
    if options["months"] is None:
        return [_one_period(options)]
    try:
        anchor = date.fromisoformat(options["start"])
    except ValueError as error:
        raise CommandError(
            f"With --months, --start must be a day such as 2026-01-31, not {options['start']!r}."
        ) from error
    if not 1 <= options["months"] <= MOST_MONTHS:
        raise CommandError(f"--months must be 1 to {MOST_MONTHS}, not {options['months']}.")
    try:
        return [
            month_slice(anchor, index, timezone=options["timezone"] or "UTC")
            for index in range(options["months"])
        ]
    except (ValueError, OverflowError) as error:
        raise CommandError(
            f"{options['months']} months from {anchor} leave the calendar."
        ) from error


def _one_period(options: dict[str, Any]) -> Period:
    if options["timezone"]:
        raise CommandError("--timezone goes with --months; --start and --end say their offset.")
    try:
        start = parse_moment(options["start"])
    except ValueError as error:
        raise CommandError(f"--start {error}") from error
    try:
        return Period(start, options["end"])
    except ValueError as error:
        raise CommandError(f"--end must be after --start: {_iso(options['end'])}.") from error


def _priced(
    changes: list[SizeChange], period: Period, *, price_per_gb: Fraction, currency: str
) -> PricedSlice:
    segments = prorate_sizes(changes, period=period, price_per_gb=price_per_gb)
    amount = round_money(total_amount(segments), currency)
    return PricedSlice(period, segments, average_gb(segments, period), amount)


def _total(slices: list[PricedSlice], currency: str) -> Decimal:
    return sum((one.amount for one in slices), round_money(0, currency))


def _as_json(slices: list[PricedSlice], currency: str) -> str:
    total = f"{_total(slices, currency):f}"
    return json.dumps({"slices": [_slice_json(one) for one in slices], "total": total}, indent=2)


def _slice_json(one: PricedSlice) -> dict[str, Any]:
    return {
        "start": _iso(one.period.start),
        "end": _iso(one.period.end),
        "hours": _displayed(one.period.hours),
        "average_gb": _displayed(one.average_gb),
        "amount": f"{one.amount:f}",
        "segments": [
            {
                "size_gb": _json_size(segment.size_gb),
                "hours": _displayed(segment.period.hours),
                "from": _iso(segment.period.start),
                "to": _iso(segment.period.end),
            }
            for segment in one.segments
        ],
    }


def _as_text(slices: list[PricedSlice], currency: str) -> str:
    lines = []
    for one in slices:
        start, end = _iso(one.period.start), _iso(one.period.end)
        lines.append(f"{start} to {end}, {_displayed(one.period.hours)} h")
        for segment in one.segments:
            span = f"{_iso(segment.period.start)} to {_iso(segment.period.end)}"
            size = f"{segment.size_gb} GB"
            lines.append(f"  {size:>20} {_displayed(segment.period.hours):>20} h  {span}")
        lines.append(f"  average {_displayed(one.average_gb)} GB: {one.amount:f} {currency}")
        lines.append("")
    lines.append(f"Total {_total(slices, currency):f} {currency}")
    return "\n".join(lines)


def _displayed(value: Fraction) -> str:
    return f"{round_places(value, DISPLAY_PLACES):f}"


def _json_size(size_gb: int | Decimal) -> int | str:
    return size_gb if isinstance(size_gb, int) else f"{size_gb:f}"


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
