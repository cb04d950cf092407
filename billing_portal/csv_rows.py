"""Rows of a CSV file that people made: every complaint names the file and the line.

Read as UTF-8 with commas and a header; columns may come in any order and more of them
than needed, a byte order mark and blank lines are skipped.  Rows are read one at a time,
so a file may be larger than memory.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from billing_portal.errors import PortalError

_WHOLE = re.compile(r"[0-9]{1,18}")
_NUMBER = re.compile(r"[0-9]{0,18}\.[0-9]{1,18}|[0-9]{1,18}")


class BadCsv(PortalError):
    """The file cannot be read as what it should be; nothing was taken from it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the text under each header, without spaces around it."""

    path: Path
    line: int
    texts: Mapping[str, str]

    def text(self, column: str) -> str:
        """What stands in `column`.  Raises BadCsv if that is nothing."""
        if text := self.texts[column]:
            return text
        raise self.error(f"{column} is empty.")

    def whole(self, column: str) -> int:
        """A whole number of at least 0.  Raises BadCsv for anything else."""
        text = self.text(column)
        if _WHOLE.fullmatch(text):
            return int(text)
        raise self.error(f"{column} must be a whole number of at least 0, not {text!r}.")

    def number(self, column: str) -> Decimal:
        """A plain decimal of at least 0, exactly.  Raises BadCsv for anything else."""
        try:
            return plain_number(self.text(column))
        except ValueError as error:
            raise self.error(f"{column} {error}") from error

    def has(self, column: str) -> bool:
        """Whether the file has `column` and something stands in it."""
        return bool(self.texts.get(column))

    def error(self, reason: str) -> BadCsv:
        return BadCsv(f"{self.path}, line {self.line}: {reason}")


def plain_number(text: str) -> Decimal:
    """A number of at least 0 such as 0.0125, exactly.

    Raises ValueError for signs, exponents, decimal commas, NaN and absurd lengths.
    """
    if _NUMBER.fullmatch(text):
        return Decimal(text)
    raise ValueError(f"must be a number of at least 0 such as 0.0125, not {text!r}.")


def read_rows(path: Path, *, columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a file in file order.

    Raises BadCsv if the file cannot be read, is empty, lacks one of `columns`, or has a
    row that does not fit its header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _parse(path, file, columns)
    except OSError as error:
        raise BadCsv(f"{path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise BadCsv(f"{path} is not text in UTF-8.") from error


def _parse(path: Path, file: TextIO, columns: Sequence[str]) -> Iterator[Row]:
    reader = csv.reader(file, strict=True)
    header: list[str] | None = None
    try:
        for fields in reader:
            texts = [field.strip() for field in fields]
            if texts in ([], [""]):
                continue
            if header is None:
                header = _checked_header(path, reader.line_num, texts, columns)
                continue
            row = Row(path, reader.line_num, dict(zip(header, texts, strict=False)))
            if len(texts) != len(header):
                raise row.error(f"{len(texts)} values under {len(header)} headers.")
            yield row
    except csv.Error as error:
        raise BadCsv(f"{path}, line {reader.line_num}: {error}.") from error
    if header is None:
        raise BadCsv(f"{path} is empty.")


def _checked_header(path: Path, line: int, header: list[str], columns: Sequence[str]) -> list[str]:
    if missing := [name for name in columns if name not in header]:
        raise BadCsv(
            f"{path}, line {line}: no column {', '.join(missing)}; there is {', '.join(header)}."
        )
    if doubled := sorted({name for name in columns if header.count(name) > 1}):
        raise BadCsv(f"{path}, line {line}: more than one column {', '.join(doubled)}.")
    return header
