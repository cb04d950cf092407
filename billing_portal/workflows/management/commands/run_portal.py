"""The embedded portal: everything in one process, for a first look and for development."""

import logging
import os
import sys
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

from celery import current_app
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from billing_portal.accounts.models import User
from billing_portal.workflows import demo_cast, embedded

DEFAULT_PORT = 8000
LIVENESS_S = 1
LOG_LEVELS = {
    "celery": "WARNING",
    "celery.worker.control": "ERROR",
    "kombu": "ERROR",
    "waitress": "ERROR",
}
"""Quieter than LOG_LEVEL: a person watches this terminal."""


class Command(BaseCommand):
    help = "Set up the portal in DATA_DIR if needed and serve it until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, help="Default: that of PORTAL_URL.")
        parser.add_argument(
            "--no-sandboxes",
            action="store_true",
            help="For real vendors, or beside run_sandboxes.",
        )
        parser.add_argument("--empty", action="store_true", help="Without the demo's people.")

    def handle(self, *, port: int | None, no_sandboxes: bool, empty: bool, **_: Any) -> None:
        embedded.heed_signals()
        for name, level in LOG_LEVELS.items():
            logging.getLogger(name).setLevel(level)
        if port is None:
            port = urlsplit(settings.PORTAL_URL).port or DEFAULT_PORT
        else:
            settings.PORTAL_URL = f"http://{embedded.LOOPBACK}:{port}"  # where links lead
        worker: Thread | None = None
        try:
            with ExitStack() as parts:
                settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
                # Ports first: a taken one comes to light before anything is set up.
                server = embedded.bind_web(WSGIHandler(), port=port)
                if not no_sandboxes:
                    parts.enter_context(embedded.sandboxes())
                self._set_up(demo=settings.DEMO and not empty)
                worker = parts.enter_context(embedded.worker(current_app))
                parts.enter_context(embedded.beat(current_app))
                parts.enter_context(embedded.web(server))
                self._announce(port, sandboxes=not no_sandboxes)
                while worker.is_alive():
                    Event().wait(LIVENESS_S)
                raise CommandError("The worker ended unexpectedly; see the log above.")
        except embedded.AddressInUse as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
        if worker and worker.is_alive():
            self._leave_now()

    def _set_up(self, *, demo: bool) -> None:
        """Migrate, and in an empty demo portal live through its past."""
        self.stdout.write("Setting up the portal ...")
        call_command("migrate", verbosity=0, interactive=False)
        if not demo:
            return
        if _unfinished_demo().exists():
            call_command("flush", verbosity=0, interactive=False)
        if not User.objects.exists():
            self.stdout.write("Playing the demo's past ...")
            _unfinished_demo().touch()
            call_command("seed_demo", stdout=self.stdout)
            _unfinished_demo().unlink()

    def _announce(self, port: int, *, sandboxes: bool) -> None:
        portal = f"http://{embedded.LOOPBACK}:{port}"
        rows = [("Client area", f"{portal}/"), ("Staff", f"{portal}/staff/")]
        if sandboxes:
            rows += [
                ("Backups sandbox", settings.SANDBOX_BACKUPS_URL),
                ("PBX sandbox", settings.SANDBOX_PBX_URL),
            ]
        self.stdout.write("\nThe portal is ready.  Ctrl-C stops it.\n")
        for label, value in rows:
            self.stdout.write(f"  {label:<17}{value}")
        if User.objects.filter(email=demo_cast.ADMIN_EMAIL).exists():
            self.stdout.write("\nLog in as\n")
            for who, email, password in demo_cast.LOGINS:
                self.stdout.write(f"  {email:<26}{password:<19}{who}")
        self.stdout.write(f"\nEverything it keeps is in {settings.DATA_DIR}; mails are in mail/.\n")
        self.stdout.flush()

    def _leave_now(self) -> None:
        """End although a task still runs: its job's lease runs out and it is done again."""
        self.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _unfinished_demo() -> Path:
    """A file that exists while the demo's past is played: if it is found, that was broken off."""
    return Path(settings.DATA_DIR) / "demo-unfinished"
