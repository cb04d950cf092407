"""What every test gets without asking, and the few fixtures many tests share.

Without asking: sent tasks are recorded instead of run, no connection leaves this
machine, and a test that needs what is not there (PostgreSQL, Chromium, Redis) is left
out, or ends the run if `--require` names it.
"""

import ipaddress
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.conf import settings as django_settings
from django.core.cache import cache

from billing_portal.celery import app as celery_app

# A slow moment of the machine is no bug, and a run that failed fails again.
hypothesis.settings.register_profile("portal", deadline=None, derandomize=True)
hypothesis.settings.load_profile("portal")

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def on_postgres() -> bool:
    return django_settings.DATABASES["default"]["ENGINE"].endswith("postgresql")


NEEDS: dict[str, Callable[[], Any]] = {
    "postgres": on_postgres,
    "browser": chromium,
    "redis": lambda: shutil.which("redis-server"),
}
"""Marker -> whether what it needs is there."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require",
        action="append",
        default=[],
        choices=sorted(NEEDS),
        help="End the run instead of leaving out tests with this marker.",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = {marker for marker, is_there in NEEDS.items() if not is_there()}
    if required := missing & set(config.getoption("--require")):
        raise pytest.UsageError(f"required, but not there: {', '.join(sorted(required))}")
    left_out = {i: None for i in items if missing & {m.name for m in i.iter_markers()}}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [i for i in items if i not in left_out]


def pytest_report_header() -> str:
    missing = [marker for marker, is_there in NEEDS.items() if not is_there()]
    database = "PostgreSQL" if on_postgres() else "SQLite"
    return f"database: {database}, left out: {', '.join(missing) or 'nothing'}"


# --- Nothing leaves this machine ----------------------------------------------------------


class LeftTheHost(AssertionError):
    """A test tried to reach another machine."""


def _is_local(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a socket file
    host = address[0].decode() if isinstance(address[0], bytes) else address[0]
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _stays_on_this_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse connections and look-ups of other hosts, even where the caller hides it."""
    refused: list[str] = []

    def guarded(real: Callable[..., Any], address_of: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if not _is_local(address := address_of(*args, **kwargs)):
                refused.append(str(address))
                raise LeftTheHost(f"{real.__name__} to {address}")
            return real(*args, **kwargs)

        return call

    for name in ("connect", "connect_ex"):
        real = getattr(socket.socket, name)
        monkeypatch.setattr(socket.socket, name, guarded(real, lambda sock, address: address))
    look_up = guarded(
        socket.getaddrinfo, lambda host, port, *args, **kwargs: (host or "localhost", port)
    )
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield
    if refused:
        pytest.fail(f"tried to reach {', '.join(refused)}")


# --- Tasks --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SentTask:
    name: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    args: tuple[Any, ...] = ()


@pytest.fixture(autouse=True)
def sent_tasks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[SentTask]:
    """The tasks sent so far, in order.  They are recorded, not run.

    A test marked `sends_tasks` really sends them, and this list stays empty.
    """
    sent: list[SentTask] = []

    def record(name: str, args: Any = None, kwargs: Any = None, **options: Any) -> None:
        sent.append(SentTask(name, dict(kwargs or {}), tuple(args or ())))

    if request.node.get_closest_marker("sends_tasks") is None:
        monkeypatch.setattr(celery_app, "send_task", record)
    return sent


# --- Surroundings -------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def data_dir(settings: Any, tmp_path: Path) -> Path:
    """An own, empty DATA_DIR for each test."""
    folder = tmp_path / "portal"
    folder.mkdir()
    settings.DATA_DIR = folder
    settings.EMAIL_FILE_PATH = str(folder / "mail")
    settings.MEDIA_ROOT = str(folder / "media")
    return folder


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """Rate limits are counted in the cache; no test inherits another's."""
    cache.clear()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Chromium's program file; a test that uses it is marked `browser`."""
    path = chromium()
    assert path, "mark the test `browser`"
    return path


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real, empty Redis; a test that uses it is marked `redis`.

    Database 0 of a server that lives as long as the test run.  Flush it yourself.
    """
    program = shutil.which("redis-server")
    assert program, "mark the test `redis`"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "no"}
    command = [program, *(str(part) for k, v in options.items() for part in (f"--{k}", v))]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_for_port(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def _wait_for_port(port: int, *, timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


# Playwright's event loop counts as async code to Django, which then refuses plain queries.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
