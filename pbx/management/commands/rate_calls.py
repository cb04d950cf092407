"""What calls in a file would cost by a tariff in a file.  Needs no database."""

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing_portal.calc.money import round_places
from billing_portal.errors import PortalError
from pbx.csv_files import DialledCall, read_calls, read_rates
from pbx.rating import AMOUNT_PLACES, RatedCall, Tariff, Unrated, rate_call


class Command(BaseCommand):
    help = "Show what the calls in a CSV file (uuid,destination,billsec) would cost."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--tariff",
            type=Path,
            required=True,
            metavar="FILE.csv",
            help="prefix,description,rate_per_minute,increment_s[,initial_increment_s,connection_fee]",
        )
        parser.add_argument("--calls", type=Path, required=True, metavar="FILE.csv")
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *, tariff: Path, calls: Path, **options: Any) -> None:
        try:
            bill = _rate_all(Tariff(read_rates(tariff)), read_calls(calls))
        except PortalError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_as_json(bill) if options["json"] else _as_text(bill))


@dataclass(slots=True)
class Bill:
    """Calls with a price, with their uuid, and calls without one; both in file order."""

    rated: list[tuple[str, RatedCall]] = field(default_factory=list)
    unrated: list[DialledCall] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        micros = sum(priced.micros for _, priced in self.rated)
        return round_places(Fraction(micros, 10**AMOUNT_PLACES), AMOUNT_PLACES)


def _rate_all(tariff: Tariff, calls: Iterable[DialledCall]) -> Bill:
    bill = Bill()
    for call in calls:
        priced = rate_call(tariff, destination=call.destination, billsec=call.billsec)
        if isinstance(priced, Unrated):
            bill.unrated.append(call)
        else:
            bill.rated.append((call.uuid, priced))
    return bill


def _as_json(bill: Bill) -> str:
    return json.dumps(
        {
            "calls": [
                {
                    "uuid": uuid,
                    "prefix": priced.prefix,
                    "billed_s": priced.billed_s,
                    "amount": f"{priced.amount:f}",
                }
                for uuid, priced in bill.rated
            ],
            "total": f"{bill.total:f}",
            "unrated": [call.uuid for call in bill.unrated],
        }
    )


def _as_text(bill: Bill) -> str:
    lines = [_line("uuid", "prefix", "billed s", "amount", "description")]
    lines += [
        _line(uuid, priced.prefix, priced.billed_s, f"{priced.amount:f}", priced.description)
        for uuid, priced in bill.rated
    ]
    lines += ["", f"Calls with a price: {len(bill.rated)}, total {bill.total:f}"]
    if bill.unrated:
        lines += ["", f"Calls no prefix matches, not in the total: {len(bill.unrated)}"]
        lines += [f"{call.uuid:<36}  {call.destination}" for call in bill.unrated]
    return "\n".join(lines)


def _line(uuid: str, prefix: str, billed_s: int | str, amount: str, description: str) -> str:
    return f"{uuid:<36}  {prefix:<12} {billed_s:>8} {amount:>16}  {description}".rstrip()
