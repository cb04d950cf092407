"""`python -m tests.run`: the whole suite on SQLite and the same suite on PostgreSQL.

Arguments go to pytest.  Both passes run at once, each in a process of its own: what SQLite
says is shown as it comes, what PostgreSQL says when it is through.  `TEST_DATABASE_URL` (or a
`DATABASE_URL` of PostgreSQL) names a server to use; otherwise a real one is started.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from tests.postgres import temporary_postgres


def main(arguments: Sequence[str]) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt_once)
    with _postgres() as url, tempfile.TemporaryFile() as said:
        beside = _pytest([*arguments, "--require", "postgres"], url=url, output=said)
        print("== SQLite", flush=True)
        here = _pytest(arguments, url=None)
        try:
            on_sqlite = here.wait()
            print("\n== PostgreSQL", flush=True)
            on_postgres = beside.wait()
        except KeyboardInterrupt:
            for running in (here, beside):
                running.send_signal(signal.SIGINT)
                running.wait()
            return 130
        said.seek(0)
        sys.stdout.buffer.write(said.read())
    if on_sqlite and not on_postgres:
        print("(failed on SQLite, see above)")
    return on_sqlite or on_postgres


def _interrupt_once(number: int, frame: object) -> None:
    """Ended from outside, the server must still be stopped; a second signal waits for that."""
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def _postgres() -> Iterator[str]:
    """A server somebody gave us, or one of our own."""
    for name in ("TEST_DATABASE_URL", "DATABASE_URL"):
        if os.environ.get(name, "").startswith(("postgres:", "postgresql:")):
            yield os.environ[name]
            return
    with temporary_postgres() as url:
        yield url


def _pytest(
    arguments: Sequence[str], *, url: str | None, output: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    environment = {k: v for k, v in os.environ.items() if not k.endswith("DATABASE_URL")}
    if url:
        environment["TEST_DATABASE_URL"] = url
    # Two passes at once would spoil each other's memory of what failed last.
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL if output else None,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
