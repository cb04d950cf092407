"""`python -m tests.run`: the whole suite on SQLite, then the same suite on PostgreSQL.

Arguments go to pytest.  `TEST_DATABASE_URL` (or a `DATABASE_URL` of PostgreSQL) names a
server to use; otherwise a real one is started for the run.  Each pass is a process of
its own; the first that fails ends the run.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from tests.postgres import temporary_postgres


def main(arguments: Sequence[str]) -> int:
    # Ended from outside, the `with` blocks below must still stop the server.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _on_sqlite(arguments) or _on_postgres(arguments)
    except KeyboardInterrupt:
        return 130


def _on_sqlite(arguments: Sequence[str]) -> int:
    print("== SQLite", flush=True)
    return _pytest(arguments, url=None)


def _on_postgres(arguments: Sequence[str]) -> int:
    print("\n== PostgreSQL", flush=True)
    arguments = [*arguments, "--require", "postgres"]
    if url := _given_url():
        return _pytest(arguments, url=url)
    with temporary_postgres() as url:
        return _pytest(arguments, url=url)


def _given_url() -> str | None:
    for name in ("TEST_DATABASE_URL", "DATABASE_URL"):
        if os.environ.get(name, "").startswith(("postgres:", "postgresql:")):
            return os.environ[name]
    return None


def _pytest(arguments: Sequence[str], *, url: str | None) -> int:
    environment = {k: v for k, v in os.environ.items() if not k.endswith("DATABASE_URL")}
    if url:
        environment["TEST_DATABASE_URL"] = url
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
