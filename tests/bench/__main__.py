"""`python -m tests.bench [name ...]`: measure speed on a real PostgreSQL with durable commits.

Every `tests/bench/bench_<name>.py` has a function `measure() -> Iterator[Measurement]`.  It
runs in a process of its own against an empty, migrated database (`one.py`), and may leave
there what it likes.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.postgres import DURABLE, temporary_postgres

FOLDER = Path(__file__).parent
COLUMNS = "{name:<44}{count:>10} {unit:<10}{seconds:>9}{per_second:>11}{peak_mib:>9}  {note}"


def main() -> int:
    known = sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("name", nargs="*", help=f"Only these: {', '.join(known)}.")
    parser.add_argument("--json", type=Path, help="Also write the measurements to this file.")
    options = parser.parse_args()
    if unknown := set(options.name) - set(known):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")

    heads = ("name", "count", "unit", "seconds", "note")
    print(COLUMNS.format(per_second="per s", peak_mib="peak MiB", **{h: h for h in heads}))
    found = list[dict[str, Any]]()
    with temporary_postgres(DURABLE) as url:
        for name in options.name or known:
            found += _measure(name, url)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def _measure(name: str, url: str) -> list[dict[str, Any]]:
    """Run one benchmark and print its lines as they come."""
    rows = []
    command = [sys.executable, "-m", "tests.bench.one", name]
    environment = {**os.environ, "TEST_DATABASE_URL": url}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        for line in child.stdout:
            row = json.loads(line)
            shown = {k: f"{row[k]:.2f}" for k in ("seconds", "per_second")}
            print(COLUMNS.format(**{**row, **shown, "peak_mib": f"{row['peak_mib']:.0f}"}))
            rows.append(row)
    if child.returncode:
        raise SystemExit(f"{name} failed")
    return rows


if __name__ == "__main__":
    sys.exit(main())
