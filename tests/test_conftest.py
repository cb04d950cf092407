"""The guards every test relies on do guard.  Each runs a small suite of its own."""

import os
import subprocess
import sys
from pathlib import Path

from billing_portal.celery import app
from tests.conftest import SentTask
from tests.settings import ROOT


def run_tests(folder: Path, *lines: str, arguments: tuple[str, ...] = ()) -> str:
    """What pytest says about a test file made of `lines`, under our conftest."""
    (folder / "test_guarded.py").write_text("\n".join(lines))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {k: v for k, v in os.environ.items() if k != "TEST_DATABASE_URL"}
    done = subprocess.run(
        [*command, "-p", "tests.conftest", "-c", ROOT / "pyproject.toml", folder],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def test_reaching_for_another_host_fails_the_test_even_if_the_error_is_swallowed(tmp_path):
    said = run_tests(
        tmp_path,
        "import contextlib, httpx, socket",
        "def test_connects():",
        "    with contextlib.suppress(Exception):",
        "        socket.socket().connect(('192.0.2.1', 80))",
        "def test_looks_up():",
        "    httpx.get('http://vendor.example/')",
    )

    assert "Failed: tried to reach ('192.0.2.1', 80)" in said
    assert "LeftTheHost: getaddrinfo to ('vendor.example', 80)" in said


def test_row_lock_tests_are_left_out_on_sqlite_not_skipped(tmp_path):
    said = run_tests(
        tmp_path,
        "import pytest",
        "@pytest.mark.postgres",
        "def test_locks(): assert False",
        "def test_plain(): pass",
    )

    assert "1 passed, 1 deselected" in said


def test_requiring_what_is_not_there_ends_the_run(tmp_path):
    said = run_tests(
        tmp_path,
        "def test_plain(): pass",
        arguments=("--require", "postgres"),
    )

    assert "required, but not there: postgres" in said
    assert "passed" not in said


def test_tasks_are_recorded_not_run(sent_tasks):
    rung = []

    @app.task(name="tests.ring", shared=False)
    def ring(*, job_id: int) -> None:
        rung.append(job_id)

    ring.delay(job_id=1)

    assert sent_tasks == [SentTask("tests.ring", {"job_id": 1})]
    assert rung == []
