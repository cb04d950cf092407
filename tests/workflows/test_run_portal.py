"""`manage.py run_portal` as a person starts and stops it: a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.settings import ROOT

START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 15


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Portal:
    """A started portal, what it printed so far, and its address."""

    def __init__(self, folder: Path, *arguments: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self.log = folder / "log"
        environment = {
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "DATA_DIR": str(folder / "data"),
            "SANDBOX_BACKUPS_URL": f"http://127.0.0.1:{free_port()}",
            "SANDBOX_PBX_URL": f"http://127.0.0.1:{free_port()}",
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run_portal", "--port", str(self.port), *arguments],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while "Ctrl-C" not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.1)

    def get(self, path: str) -> int:
        return int(urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20).status)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """One portal for the tests below, which run in order; the last one stops it."""
    portal = Portal(tmp_path_factory.mktemp("portal"), "--empty")
    try:
        portal.wait_until_ready()
        yield portal
    finally:
        portal.process.kill()
        portal.process.wait()


def test_it_prints_its_addresses_and_serves_them(portal):
    statuses = [portal.get("/accounts/login/"), portal.get("/staff/login/")]

    assert statuses == [200, 200]
    assert f"http://127.0.0.1:{portal.port}/\n" in portal.said
    assert f"http://127.0.0.1:{portal.port}/staff/\n" in portal.said


def test_nothing_alarming_is_printed_at_the_start(portal):
    assert [
        word for word in ("Traceback", "Warning", "WARNING", "ERROR") if word in portal.said
    ] == []


def test_a_second_portal_on_the_same_port_says_so_and_leaves(portal, tmp_path):
    second = Portal(tmp_path, port=portal.port)

    code = second.process.wait(START_TIMEOUT_S)

    assert code == 1
    assert second.said == (
        f"CommandError: Port {portal.port} is taken by another program "
        "(or an earlier portal that still runs).\n"
    )


def test_asked_to_end_it_stops_within_seconds_and_without_complaint(portal):
    portal.process.send_signal(signal.SIGINT)
    portal.process.send_signal(signal.SIGTERM)  # impatient

    code = portal.process.wait(STOP_TIMEOUT_S)

    assert code == 0
    assert portal.said.endswith("Stopped.\n")
