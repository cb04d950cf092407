"""The embedded portal: everything in one process, for a first look and for development."""

import logging
import os
import signal
import sys
from argparse import ArgumentParser
from contextlib import ExitStack
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

from celery import current_app
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from billing_portal.workflows import embedded

LIVENESS_S = 1
LOG_LEVELS = {"celery": "WARNING", "kombu": "ERROR", "waitress": "ERROR"}
"""Quieter than LOG_LEVEL: a person watches this terminal."""


class Command(BaseCommand):
    help = "Set up the portal in DATA_DIR if needed and serve it until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        usual = urlsplit(settings.PORTAL_URL).port or 8000
        parser.add_argument("--port", type=int, default=usual, help=f"Default: {usual}.")
        parser.add_argument(
            "--no-sandboxes",
            action="store_true",
            help="For real vendors, or beside run_sandboxes.",
        )

    def handle(self, *, port: int, no_sandboxes: bool, **options: Any) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        for name, level in LOG_LEVELS.items():
            logging.getLogger(name).setLevel(level)
        worker: Thread | None = None
        try:
            with ExitStack() as parts:
                settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
                # Ports first: a taken one comes to light before anything is set up.
                server = embedded.bind_web(WSGIHandler(), port=port)
                if not no_sandboxes:
                    parts.enter_context(embedded.sandboxes())
                self._set_up()
                worker = parts.enter_context(embedded.worker(current_app))
                parts.enter_context(embedded.beat(current_app))
                parts.enter_context(embedded.web(server))
                self._announce(port)
                while worker.is_alive():
                    Event().wait(LIVENESS_S)
                raise CommandError("The worker ended unexpectedly; see the log above.")
        except embedded.AddressInUse as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
        if worker and worker.is_alive():
            self._leave_now()

    def _set_up(self) -> None:
        self.stdout.write("Setting up ...")
        call_command("migrate", verbosity=0, interactive=False)
        if settings.DEMO and not get_user_model().objects.exists():
            call_command("seed_demo")

    def _announce(self, port: int) -> None:
        portal = f"http://{embedded.LOOPBACK}:{port}"
        self.stdout.write(f"\n  Client area  {portal}/\n  Staff        {portal}/staff/")

    def _leave_now(self) -> None:
        """End although a task still runs: its job's lease runs out and it is done again."""
        self.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
