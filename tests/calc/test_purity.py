"""The pure core computes exactly, from its arguments alone.

What it may import is a rule of `tests/test_architecture.py`; here is what it may do.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURE_FILES = [
    *sorted((ROOT / "billing_portal/calc").glob("*.py")),
    ROOT / "pbx/numbers.py",
    ROOT / "pbx/rating.py",
]
CLOCKS = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter"}
OUTSIDE = {"open", "print", "input", "getenv", "urlopen", "urandom", "random"}


def offences(source: str) -> Iterator[str]:
    """`line: text` of every float, clock reading and look outside in `source`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield f"{node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.Name) and node.id == "float":
            yield f"{node.lineno}: float"
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in CLOCKS | OUTSIDE:
                yield f"{node.lineno}: {name}()"


@pytest.mark.parametrize("file", PURE_FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_core_has_no_float_reads_no_clock_and_looks_nowhere(file):
    assert list(offences(file.read_text())) == []


def test_every_offence_is_seen():
    source = "\n".join(
        [
            "price = 0.1",
            "price = float(text)",
            "total = sum(map(float, texts))",
            "at = datetime.now(UTC)",
            "today = date.today()",
            "rates = open(path).read()",
            "half = Fraction(1, 2) + Decimal('0.5')",
        ]
    )

    assert sorted(offences(source)) == [
        "1: 0.1",
        "2: float",
        "3: float",
        "4: now()",
        "5: today()",
        "6: open()",
    ]


def test_the_core_runs_without_django():
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in PURE_FILES
        if file.name != "__init__.py"
    ]
    loaded = "sorted({'django', 'celery', 'httpx'} & set(sys.modules))"
    script = f"import sys, {', '.join(modules)}; print({loaded})"

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "billing_portal.calc.money" in modules
    assert done.stdout == "[]\n"
