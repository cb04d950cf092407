"""`manage.py prorate_sizes`: what recorded sizes would cost, without a database.

These tests have no database either: a query would fail them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from backups.management.commands import prorate_sizes
from tests.backups.prorating import run, run_json
from tests.settings import ROOT

NOVEMBER = ["--start", "2026-11-01T00:00:00Z", "--end", "2026-12-01T00:00:00Z"]
GROWTH = "recorded_at,size_gb\n2026-11-01T00:00:00Z,500\n2026-11-09T08:00:00Z,1000\n"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A file of 500 GB for 200 h, then 1000 GB."""
    path = tmp_path / "history.csv"
    path.write_text(GROWTH)
    return path


def refusal(history: Path, *options: str, price: str = "10.00") -> str:
    with pytest.raises(CommandError) as refused:
        run(history, *options, price=price)
    return str(refused.value).replace(str(history), "FILE")


# --- What is printed ----------------------------------------------------------------------


def test_json_says_every_segment(history):
    text = run(history, *NOVEMBER, "--json")

    expected = {
        "slices": [
            {
                "start": "2026-11-01T00:00:00Z",
                "end": "2026-12-01T00:00:00Z",
                "hours": "720.000000",
                "average_gb": "861.111111",
                "amount": "8.61",
                "segments": [
                    {
                        "size_gb": 500,
                        "hours": "200.000000",
                        "from": "2026-11-01T00:00:00Z",
                        "to": "2026-11-09T08:00:00Z",
                    },
                    {
                        "size_gb": 1000,
                        "hours": "520.000000",
                        "from": "2026-11-09T08:00:00Z",
                        "to": "2026-12-01T00:00:00Z",
                    },
                ],
            }
        ],
        "total": "8.61",
    }
    # As text, so that the order of keys counts.
    assert json.dumps(json.loads(text)) == json.dumps(expected)


def test_minutes_count(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("recorded_at,size_gb\n2026-01-18T13:31:00Z,500\n2026-01-19T01:00:00Z,600\n")

    answer = run_json(path, "--start", "2026-01-18T13:31:00Z", "--end", "2026-02-18T13:31:00Z")

    [one] = answer["slices"]
    assert (one["average_gb"], one["amount"]) == ("598.456541", "5.98")
    assert [segment["hours"] for segment in one["segments"]] == ["11.483333", "732.516667"]


def test_a_size_between_two_gb_is_billed_exactly_and_printed_as_text(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("recorded_at,size_gb\n2026-11-01T00:00:00Z,536.870912\n")

    [one] = run_json(path, *NOVEMBER)["slices"]

    assert one["segments"][0]["size_gb"] == "536.870912"
    assert (one["average_gb"], one["amount"]) == ("536.870912", "5.37")


def test_without_json_a_person_can_read_it(history):
    assert run(history, "--start", "2026-11-01", "--months", "2") == (
        "2026-11-01T00:00:00Z to 2026-12-01T00:00:00Z, 720.000000 h\n"
        "                500 GB           200.000000 h"
        "  2026-11-01T00:00:00Z to 2026-11-09T08:00:00Z\n"
        "               1000 GB           520.000000 h"
        "  2026-11-09T08:00:00Z to 2026-12-01T00:00:00Z\n"
        "  average 861.111111 GB: 8.61 EUR\n"
        "\n"
        "2026-12-01T00:00:00Z to 2027-01-01T00:00:00Z, 744.000000 h\n"
        "               1000 GB           744.000000 h"
        "  2026-12-01T00:00:00Z to 2027-01-01T00:00:00Z\n"
        "  average 1000.000000 GB: 10.00 EUR\n"
        "\n"
        "Total 18.61 EUR\n"
    )


def test_months_are_of_utc_unless_a_zone_is_named(history):
    utc = run_json(history, "--start", "2026-11-01", "--months", "1")
    berlin = run_json(
        history, "--start", "2026-11-01", "--months", "1", "--timezone", "Europe/Berlin"
    )

    assert utc["slices"][0]["start"] == "2026-11-01T00:00:00Z"
    assert berlin["slices"][0]["start"] == "2026-10-31T23:00:00Z"
    # An hour before the first record is not billed: 500 x 200 + 1000 x 519 over 720 h.
    assert berlin["slices"][0]["average_gb"] == "859.722222"


def test_the_currency_decides_the_decimals(history):
    assert run_json(history, *NOVEMBER, "--currency", "jpy", price="1500")["total"] == "1292"
    assert run_json(history, *NOVEMBER, "--currency", "KWD", price="3.250")["total"] == "2.799"


def test_offsets_order_blank_lines_and_a_byte_order_mark_do_not_matter(tmp_path, history):
    other = tmp_path / "other.csv"
    other.write_text(
        "\ufeffsize_gb,recorded_at\n\n"
        "1000,2026-11-09T09:00:00+01:00\n"
        "400,2026-11-01T00:00:00Z\n   \n"
        "500,2026-10-31T19:00:00-05:00\n",
        encoding="utf-8",
    )

    assert run(other, *NOVEMBER, "--json") == run(history, *NOVEMBER, "--json")


def test_hourly_records_make_one_segment_per_size(tmp_path, history):
    hourly = tmp_path / "hourly.csv"
    rows = [
        f"2026-11-{1 + h // 24:02}T{h % 24:02}:00:00Z,{500 if h < 200 else 1000}"
        for h in range(720)
    ]
    hourly.write_text("\n".join(["recorded_at,size_gb", *rows]))

    assert run(hourly, *NOVEMBER, "--json") == run(history, *NOVEMBER, "--json")


def test_a_history_without_rows_costs_nothing(history):
    history.write_text("recorded_at,size_gb\n")

    answer = run_json(history, *NOVEMBER)

    assert answer["total"] == "0.00"
    assert (answer["slices"][0]["average_gb"], answer["slices"][0]["segments"]) == ("0.000000", [])


# --- Bad input ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            "2026-11-02T00:00:00,500",
            "recorded_at must say its offset, such as Z or +01:00: '2026-11-02T00:00:00' does not.",
        ),
        (
            "2026-11-02,500",
            "recorded_at must say its offset, such as Z or +01:00: '2026-11-02' does not.",
        ),
        (
            "yesterday,500",
            "recorded_at must be a moment such as 2026-01-18T13:31:00Z, not 'yesterday'.",
        ),
        (
            "2026-02-30T00:00Z,500",
            "recorded_at must be a moment such as 2026-01-18T13:31:00Z, not '2026-02-30T00:00Z'.",
        ),
        (
            "0001-01-01T00:00:00+14:00,500",
            "recorded_at is outside the calendar: '0001-01-01T00:00:00+14:00'.",
        ),
        (",500", "recorded_at is empty."),
        ("2026-11-02T00:00:00Z,", "size_gb is empty."),
        (
            "2026-11-02T00:00:00Z,-100",
            "size_gb must be a number of at least 0 such as 0.0125, not '-100'.",
        ),
        (
            "2026-11-02T00:00:00Z,NaN",
            "size_gb must be a number of at least 0 such as 0.0125, not 'NaN'.",
        ),
        (
            "2026-11-02T00:00:00Z,many",
            "size_gb must be a number of at least 0 such as 0.0125, not 'many'.",
        ),
        ("2026-11-02T00:00:00Z", "1 values under 2 headers."),
        ("2026-11-02T00:00:00Z,500,600", "3 values under 2 headers."),
    ],
)
def test_a_bad_row_is_named_by_its_line(history, row, sentence):
    history.write_text(GROWTH + row + "\n")

    assert refusal(history, *NOVEMBER) == f"FILE, line 4: {sentence}"


def test_a_bad_file_is_named(tmp_path, history):
    assert refusal(tmp_path / "none.csv", *NOVEMBER) == "FILE: No such file or directory."
    assert refusal(tmp_path, *NOVEMBER) == "FILE: Is a directory."
    history.write_bytes(b"recorded_at,size_gb\n\xff\n")
    assert refusal(history, *NOVEMBER) == "FILE is not text in UTF-8."
    history.write_text("")
    assert refusal(history, *NOVEMBER) == "FILE is empty."
    history.write_text("at,gb\n")
    assert refusal(history, *NOVEMBER) == (
        "FILE, line 1: no column recorded_at, size_gb; there is at, gb."
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            "--start 2026-11-01T00:00:00Z --end 2026-12-01T00:00:00Z --months 1",
            "Error: argument --months: not allowed with argument --end",
        ),
        (
            "--start 2026-11-01T00:00:00Z",
            "Error: one of the arguments --end --months is required",
        ),
        (
            "--start 2026-11-01T00:00:00Z --months 1",
            "With --months, --start must be a day such as 2026-01-31, not '2026-11-01T00:00:00Z'.",
        ),
        (
            "--start 2026-11-01 --end 2026-12-01T00:00:00Z",
            "--start must say its offset, such as Z or +01:00: '2026-11-01' does not.",
        ),
        (
            "--start 2026-11-01T00:00:00Z --end 2026-12-01T00:00:00",
            "Error: argument --end: must say its offset, such as Z or +01:00: "
            "'2026-12-01T00:00:00' does not.",
        ),
        (
            "--start 2026-12-01T00:00:00Z --end 2026-11-01T00:00:00Z",
            "--end must be after --start: 2026-11-01T00:00:00Z.",
        ),
        (
            "--start 2026-11-01T00:00:00Z --end 2026-11-01T01:00:00+01:00",
            "--end must be after --start: 2026-11-01T00:00:00Z.",
        ),
        (
            "--start 2026-11-01T00:00:00Z --end 2026-12-01T00:00:00Z --timezone UTC",
            "--timezone goes with --months; --start and --end say their offset.",
        ),
        ("--start 2026-11-01 --months 0", "--months must be 1 to 1200, not 0."),
        ("--start 2026-11-01 --months 1201", "--months must be 1 to 1200, not 1201."),
        ("--start 9999-06-01 --months 9", "9 months from 9999-06-01 leave the calendar."),
        (
            "--start 0001-01-01 --months 1 --timezone Asia/Tokyo",
            "1 months from 0001-01-01 leave the calendar.",
        ),
        (
            "--start 2026-11-01 --months 1 --timezone Mars/Olympus",
            "'Mars/Olympus' is not a time zone such as Europe/Berlin.",
        ),
        (
            "--start 2026-11-01 --months 1 --currency XQQ",
            "'XQQ' is not a currency code such as EUR.",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(history, options, sentence):
    assert refusal(history, *options.split()) == sentence


@pytest.mark.parametrize("price", ["-1", "NaN", "1e3", "10,00", "ten"])
def test_a_price_that_makes_no_sense_is_refused(history, price):
    assert refusal(history, *NOVEMBER, price=price) == (
        "Error: argument --price-per-1000gb: must be a number of at least 0 such as 0.0125, "
        f"not {price!r}."
    )


# --- As an operator runs it ---------------------------------------------------------------


def run_program(history: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The real program, with a database that cannot be reached."""
    return subprocess.run(
        [sys.executable, "manage.py", "prorate_sizes", "--history", str(history), *options],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_database_is_needed(history):
    done = run_program(history, "--price-per-1000gb", "10.00", *NOVEMBER)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\nTotal 8.61 EUR\n")


def test_a_complaint_is_one_sentence_and_the_program_fails(history):
    history.write_text(GROWTH + "nonsense\n")

    done = run_program(history, "--price-per-1000gb", "10.00", *NOVEMBER)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"CommandError: {history}, line 4: 1 values under 2 headers.\n"


def test_system_checks_are_left_out():
    assert prorate_sizes.Command.requires_system_checks == ()
