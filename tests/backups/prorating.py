"""Runs `prorate_sizes` the way the tests ask for it."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command


def run(history: Path, *options: str, price: str = "10.00") -> str:
    out = StringIO()
    arguments = ["--history", str(history), "--price-per-1000gb", price, *options]
    call_command("prorate_sizes", *arguments, stdout=out)
    return out.getvalue()


def run_json(history: Path, *options: str, price: str = "10.00") -> dict[str, Any]:
    return json.loads(run(history, *options, "--json", price=price))
