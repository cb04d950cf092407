"""Tariffs and calls in CSV files.

A tariff is `prefix,description,rate_per_minute,increment_s` and, if wanted,
`initial_increment_s,connection_fee`; calls are `uuid,destination,billsec`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from billing_portal.csv_rows import Row, read_rows

from .numbers import NotANumber, e164_digits
from .rating import InvalidRate, Rate

TARIFF_COLUMNS = ["prefix", "description", "rate_per_minute", "increment_s"]
CALL_COLUMNS = ["uuid", "destination", "billsec"]


@dataclass(frozen=True, slots=True)
class DialledCall:
    """A call without its price.  `destination` is digits only."""

    uuid: str
    destination: str
    billsec: int


def read_rates(path: Path) -> list[Rate]:
    """The rates in a file, in file order, each prefix once.

    Raises BadCsv, naming the line, if anything in the file is not as it should be.
    """
    rates: list[Rate] = []
    line_of: dict[str, int] = {}
    for row in read_rows(path, columns=TARIFF_COLUMNS):
        rate = _rate(row)
        _refuse_second(row, f"prefix {rate.prefix}", rate.prefix, line_of)
        rates.append(rate)
    return rates


def read_calls(path: Path) -> Iterator[DialledCall]:
    """The calls in a file, in file order, one at a time, each uuid once.

    Raises BadCsv, naming the line, on reaching a row that is not as it should be.
    """
    line_of: dict[str, int] = {}
    for row in read_rows(path, columns=CALL_COLUMNS):
        call = _call(row)
        _refuse_second(row, f"call {call.uuid}", call.uuid, line_of)
        yield call


def _rate(row: Row) -> Rate:
    try:
        return Rate(
            prefix=row.text("prefix"),
            description=row.texts["description"],
            rate_per_minute=row.number("rate_per_minute"),
            increment_s=row.whole("increment_s"),
            initial_increment_s=(
                row.whole("initial_increment_s") if row.has("initial_increment_s") else None
            ),
            connection_fee=(
                row.number("connection_fee") if row.has("connection_fee") else Decimal(0)
            ),
        )
    except InvalidRate as error:
        raise row.error(str(error)) from error


def _call(row: Row) -> DialledCall:
    try:
        destination = e164_digits(row.text("destination"))
    except NotANumber as error:
        raise row.error(str(error)) from error
    return DialledCall(row.text("uuid"), destination, row.whole("billsec"))


def _refuse_second(row: Row, what: str, key: str, line_of: dict[str, int]) -> None:
    if key in line_of:
        raise row.error(f"{what} is already on line {line_of[key]}.")
    line_of[key] = row.line
