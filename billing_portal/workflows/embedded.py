"""The parts of the portal as threads of one process.

Each is a context manager: it has started when the block begins and has stopped when the
block is left.  The worker must share the process with whoever sends it tasks, because
the default broker is a queue in memory.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from celery import Celery
from celery.beat import Service
from celery.worker import WorkController
from django.conf import settings
from waitress import create_server, wasyncore
from waitress.server import TcpWSGIServer

from backups import sandbox as backups_sandbox
from billing_portal.errors import PortalError
from pbx import sandbox as pbx_sandbox

LOOPBACK = "127.0.0.1"
SIGNALS = (signal.SIGINT, signal.SIGTERM)
STOP_TIMEOUT_S = 5
WEB_THREADS = 8
WORKER_THREADS = 4
WORKER_NAME = "embedded@portal"
BEAT_PAUSE_S = 1
"""Beat looks at the schedule this often, and can be stopped this fast."""


class AddressInUse(PortalError):
    """Another program listens where a part of the portal should."""


class Server(Protocol):
    def serve_forever(self) -> None: ...

    def shutdown(self) -> None: ...


def heed_signals() -> None:
    """Turn Ctrl-C and SIGTERM into one KeyboardInterrupt; a second one changes nothing.

    Also when a script started us in the background, where a shell switches Ctrl-C off.
    """
    for number in SIGNALS:
        signal.signal(number, _interrupt_once)


def _interrupt_once(number: int, frame: object) -> None:
    for ignored in SIGNALS:
        signal.signal(ignored, signal.SIG_IGN)
    raise KeyboardInterrupt


def bind_web(application: Callable[..., Any], *, port: int) -> TcpWSGIServer:
    """A WSGI server on loopback whose callers wait until `web` answers them.

    Raises AddressInUse.
    """
    try:
        return create_server(
            application,
            host=LOOPBACK,
            port=port,
            threads=WEB_THREADS,
            ident=None,
            clear_untrusted_proxy_headers=True,
        )
    except OSError as error:
        raise AddressInUse(_in_use(port)) from error


@contextmanager
def web(server: TcpWSGIServer) -> Iterator[None]:
    """Answer requests.  Those under way are still answered after the block."""
    thread = threading.Thread(target=server.run, name="web", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.task_dispatcher.shutdown(timeout=STOP_TIMEOUT_S)
        # The loop owns the sockets: it closes them itself and ends for lack of any.
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))
        thread.join(STOP_TIMEOUT_S)


@contextmanager
def worker(app: Celery) -> Iterator[threading.Thread]:
    """Carry out tasks.  Running ones get a few seconds to end after the block.

    A task that takes longer keeps the yielded thread alive; its job is taken over when
    the lease runs out.
    """
    ready = threading.Event()
    controller = WorkController(
        app=app,
        hostname=WORKER_NAME,
        pool_cls="threads",
        concurrency=WORKER_THREADS,
        ready_callback=lambda consumer: ready.set(),
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
    )
    thread = threading.Thread(target=controller.start, name="worker", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield thread
    finally:
        app.control.shutdown(destination=[WORKER_NAME])
        thread.join(STOP_TIMEOUT_S)


@contextmanager
def beat(app: Celery) -> Iterator[None]:
    """Send scheduled tasks; a file in DATA_DIR remembers when each was last sent."""
    path = settings.DATA_DIR / "beat-schedule"
    service = Service(app, max_interval=BEAT_PAUSE_S, schedule_filename=str(path))
    thread = threading.Thread(target=service.start, name="beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        service.stop()
        thread.join(STOP_TIMEOUT_S)


@contextmanager
def sandboxes() -> Iterator[None]:
    """Both vendor stand-ins; files in DATA_DIR keep their state.  Raises AddressInUse."""
    with (
        _serving(backups_sandbox.serve, settings.SANDBOX_BACKUPS_URL, "sandbox-backups.json"),
        _serving(pbx_sandbox.serve, settings.SANDBOX_PBX_URL, "sandbox-pbx.json"),
    ):
        yield


@contextmanager
def sandboxes_unless_served() -> Iterator[None]:
    """Both vendor stand-ins for the block: those already running, else our own."""
    with ExitStack() as ours:
        # A taken port is a running portal's sandbox, which serves this process as well.
        with suppress(AddressInUse):
            ours.enter_context(sandboxes())
        yield


@contextmanager
def _serving(
    serve: Callable[[str, int, Path], Server], url: str, state_name: str
) -> Iterator[None]:
    address = urlsplit(url)
    port = address.port or 80
    try:
        server = serve(address.hostname or LOOPBACK, port, settings.DATA_DIR / state_name)
    except OSError as error:
        raise AddressInUse(_in_use(port)) from error
    thread = threading.Thread(target=server.serve_forever, name=url, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(STOP_TIMEOUT_S)


def _in_use(port: int) -> str:
    return f"Port {port} is taken by another program (or an earlier portal that still runs)."
