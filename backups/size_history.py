"""Recorded sizes of a datastore in a CSV file: `recorded_at,size_gb`.

Rows may come in any order; size 0 means the datastore was gone.
"""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from billing_portal.calc.periods import in_utc
from billing_portal.calc.proration import SizeChange, in_time_order
from billing_portal.csv_rows import Row, read_rows


def read_size_history(path: Path) -> list[SizeChange]:
    """The size changes in a file, in time order; of two at one moment the last row wins.

    Raises BadCsv, naming the line, if anything in the file is not as it should be.
    """
    return in_time_order(
        _change(row) for row in read_rows(path, columns=["recorded_at", "size_gb"])
    )


def parse_moment(text: str) -> datetime:
    """A moment in ISO 8601, which must say its offset: 2026-01-18T13:31:00Z.

    Raises ValueError, as a sentence, for anything else.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"must be a moment such as 2026-01-18T13:31:00Z, not {text!r}.") from error
    if moment.utcoffset() is None:
        raise ValueError(f"must say its offset, such as Z or +01:00: {text!r} does not.")
    try:
        return in_utc(moment)
    except OverflowError as error:
        raise ValueError(f"is outside the calendar: {text!r}.") from error


def _change(row: Row) -> SizeChange:
    try:
        recorded_at = parse_moment(row.text("recorded_at"))
    except ValueError as error:
        raise row.error(f"recorded_at {error}") from error
    return SizeChange(recorded_at, _size_gb(row))


def _size_gb(row: Row) -> int | Decimal:
    size_gb = row.number("size_gb")
    return int(size_gb) if size_gb == int(size_gb) else size_gb
