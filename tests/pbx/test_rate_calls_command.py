"""`manage.py rate_calls`: what calls would cost, without a database.

These tests have no database either: a query would fail them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from pbx.management.commands import rate_calls
from tests.settings import ROOT

TARIFF = """\
prefix,description,rate_per_minute,increment_s,initial_increment_s,connection_fee
1416,Toronto,0.0100,6,,
44,UK,0.02,6,30,0.05
4420,London,0.0052,60,,0
"""
CALLS = """\
uuid,destination,billsec
a1,14165550100,61
a2,+442079460000,61
a3,441614960000,31
a4,441614960000,0
a5,4930123456,20
a6,4930123456,0
"""

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the command on the texts of two files."""

    def run_on(tariff: str = TARIFF, calls: str = CALLS, *options: str) -> str:
        (tmp_path / "tariff.csv").write_text(tariff)
        (tmp_path / "calls.csv").write_text(calls)
        out = StringIO()
        files = ["--tariff", str(tmp_path / "tariff.csv"), "--calls", str(tmp_path / "calls.csv")]
        call_command("rate_calls", *files, *options, stdout=out)
        return out.getvalue()

    return run_on


@pytest.fixture
def refusal(run: Run, tmp_path: Path) -> Run:
    def refused(tariff: str = TARIFF, calls: str = CALLS) -> str:
        with pytest.raises(CommandError) as refusal:
            run(tariff, calls)
        return str(refusal.value).replace(f"{tmp_path}/", "")

    return refused


def test_json_says_what_every_call_costs_and_which_have_no_price(run):
    text = run(TARIFF, CALLS, "--json")

    expected = {
        "calls": [
            # 66 s at 0.01 a minute.
            {"uuid": "a1", "prefix": "1416", "billed_s": 66, "amount": "0.011000"},
            # 120 s at 0.0052.
            {"uuid": "a2", "prefix": "4420", "billed_s": 120, "amount": "0.010400"},
            # 0.05 and 36 s at 0.02.
            {"uuid": "a3", "prefix": "44", "billed_s": 36, "amount": "0.062000"},
            {"uuid": "a4", "prefix": "44", "billed_s": 0, "amount": "0.000000"},
        ],
        "total": "0.083400",
        "unrated": ["a5", "a6"],
    }
    # As text, so that the order of keys counts.
    assert json.dumps(json.loads(text)) == json.dumps(expected)


def test_without_json_a_person_can_read_it(run):
    assert run(TARIFF, CALLS).splitlines() == [
        "uuid                                  prefix       billed s           amount  description",
        "a1                                    1416               66         0.011000  Toronto",
        "a2                                    4420              120         0.010400  London",
        "a3                                    44                 36         0.062000  UK",
        "a4                                    44                  0         0.000000  UK",
        "",
        "Calls with a price: 4, total 0.083400",
        "",
        "Calls no prefix matches, not in the total: 2",
        "a5                                    4930123456",
        "a6                                    4930123456",
    ]


def test_every_call_is_rounded_before_the_sum(run):
    tariff = "prefix,description,rate_per_minute,increment_s\n44,UK,0.00003,1\n"
    calls = "uuid,destination,billsec\n" + "".join(f"c{n},4420,1\n" for n in range(1000))

    # 0.0000005 each rounds up to 0.000001.
    assert json.loads(run(tariff, calls, "--json"))["total"] == "0.001000"


def test_the_optional_columns_may_be_missing(run):
    tariff = "increment_s,rate_per_minute,description,prefix\n60,0.03,,44\n"

    answer = json.loads(run(tariff, "uuid,destination,billsec\nx,4420,61\n", "--json"))

    assert answer["calls"] == [{"uuid": "x", "prefix": "44", "billed_s": 120, "amount": "0.060000"}]


def test_without_calls_nothing_is_owed(run):
    answer = json.loads(run(TARIFF, "uuid,destination,billsec\n", "--json"))

    assert answer == {"calls": [], "total": "0.000000", "unrated": []}


def test_a_byte_order_mark_and_blank_lines_are_tolerated(run):
    assert run("\ufeff" + TARIFF.replace("\n", "\n\n"), "\ufeff\n" + CALLS) == run()


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("+49,Germany,0.01,60,,", "A prefix is made of digits only, not '+49'."),
        (",Germany,0.01,60,,", "prefix is empty."),
        (
            "49,Germany,-0.01,60,,",
            "rate_per_minute must be a number of at least 0 such as 0.0125, not '-0.01'.",
        ),
        (
            "49,Germany,NaN,60,,",
            "rate_per_minute must be a number of at least 0 such as 0.0125, not 'NaN'.",
        ),
        ("49,Germany,,60,,", "rate_per_minute is empty."),
        ("49,Germany,0.01,0,,", "Prefix 49: an increment is at least 1 second."),
        (
            "49,Germany,0.01,-6,,",
            "increment_s must be a whole number of at least 0, not '-6'.",
        ),
        (
            "49,Germany,0.01,6.5,,",
            "increment_s must be a whole number of at least 0, not '6.5'.",
        ),
        ("49,Germany,0.01,60,0,", "Prefix 49: an increment is at least 1 second."),
        (
            "49,Germany,0.01,60,,free",
            "connection_fee must be a number of at least 0 such as 0.0125, not 'free'.",
        ),
        ("4420,London again,0.01,60,,", "prefix 4420 is already on line 4."),
        ("49,Germany,0.01,60", "4 values under 6 headers."),
    ],
)
def test_a_bad_rate_is_named_by_its_line(refusal, row, sentence):
    assert refusal(TARIFF + row + "\n") == f"tariff.csv, line 5: {sentence}"


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("b1,anonymous,5", "'anonymous' is not a telephone number in international form."),
        ("b1,*97,5", "'*97' is not a telephone number in international form."),
        ("b1,,5", "destination is empty."),
        ("b1,4420,-5", "billsec must be a whole number of at least 0, not '-5'."),
        ("b1,4420,1.5", "billsec must be a whole number of at least 0, not '1.5'."),
        ("b1,4420,", "billsec is empty."),
        (",4420,5", "uuid is empty."),
        ("a2,4420,5", "call a2 is already on line 3."),
        ("b1,4420", "2 values under 3 headers."),
    ],
)
def test_a_bad_call_is_named_by_its_line(refusal, row, sentence):
    assert refusal(TARIFF, CALLS + row + "\n") == f"calls.csv, line 8: {sentence}"


def test_missing_columns_are_named(refusal):
    assert refusal("prefix,rate\n") == (
        "tariff.csv, line 1: no column description, rate_per_minute, increment_s; "
        "there is prefix, rate."
    )
    assert refusal(TARIFF, "") == "calls.csv is empty."


def test_missing_files_are_named(tmp_path):
    with pytest.raises(CommandError) as refused:
        call_command("rate_calls", "--tariff", "/none.csv", "--calls", str(tmp_path))

    assert str(refused.value) == "/none.csv: No such file or directory."


def run_program(*options: str) -> subprocess.CompletedProcess[str]:
    """The real program, with a database that cannot be reached."""
    return subprocess.run(
        [sys.executable, "manage.py", "rate_calls", *options],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_database_is_needed(run, tmp_path):
    expected = run(TARIFF, CALLS, "--json")

    done = run_program(
        *("--tariff", str(tmp_path / "tariff.csv"), "--calls", str(tmp_path / "calls.csv")),
        "--json",
    )

    assert (done.returncode, done.stderr, done.stdout) == (0, "", expected)


def test_a_complaint_is_one_sentence_and_the_program_fails(run, tmp_path):
    run()
    (tmp_path / "calls.csv").write_text(CALLS + "nonsense\n")

    done = run_program(
        *("--tariff", str(tmp_path / "tariff.csv"), "--calls", str(tmp_path / "calls.csv"))
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"CommandError: {tmp_path}/calls.csv, line 8: 1 values under 3 headers.\n"
    )


def test_system_checks_are_left_out():
    assert rate_calls.Command.requires_system_checks == ()
