"""`prorate_sizes` gives the known answer for every known history it can be asked about."""

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.backups.prorating import run_json

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())


def write(path: Path, vector: dict[str, Any]) -> None:
    rows = [",".join(row) for row in vector["history"]]
    path.write_text("\n".join(["recorded_at,size_gb", *rows, ""]))


def exact(text: str) -> Fraction:
    return Fraction(text)


def check(slices: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert [(s["start"], s["end"], s["amount"]) for s in slices] == [
        (e["start"], e["end"], e["amount"]) for e in expected
    ]
    for one, wanted in zip(slices, expected, strict=True):
        for key in ("hours", "average_gb"):
            assert Decimal(one[key]).as_tuple().exponent == -6
            assert abs(exact(one[key]) - exact(wanted[key])) <= Fraction(1, 2 * 10**6)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_each_slice_of_a_known_history_is_exact(vector, tmp_path):
    path = tmp_path / "history.csv"
    write(path, vector)

    for expected in vector["slices"]:
        answer = run_json(
            path,
            *("--start", expected["start"], "--end", expected["end"]),
            *("--currency", vector["currency"]),
            price=vector["price_per_1000gb"],
        )

        check(answer["slices"], [expected])
        assert answer["total"] == expected["amount"]


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if "months" in v], ids=lambda vector: vector["id"]
)
def test_months_from_the_anchor_give_the_known_slices(vector, tmp_path):
    path = tmp_path / "history.csv"
    write(path, vector)
    months = vector["months"]

    answer = run_json(
        path,
        *("--start", months["start"], "--months", str(months["count"])),
        *("--timezone", months["timezone"]),
        *("--currency", vector["currency"]),
        price=vector["price_per_1000gb"],
    )

    check(answer["slices"], vector["slices"])
    assert answer["total"] == vector["total"]


def test_every_history_of_several_slices_is_tried_as_months():
    assert [v["id"] for v in VECTORS if len(v["slices"]) > 1 and "months" not in v] == []
