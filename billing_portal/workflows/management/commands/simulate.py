"""`manage.py simulate`: play the coming days against the sandboxes."""

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.workflows import embedded, simulate
from billing_portal.workflows.simulate import Simulation


class Command(BaseCommand):
    help = (
        "Play N days from the portal's present on: datastores grow, calls happen, invoices are"
        " issued and paid. Moves the portal's clock; only against sandboxes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=31, metavar="N", help="Default: 31.")
        parser.add_argument("--quiet", action="store_true", help="Only the summary at the end.")

    def handle(self, *, days: int, quiet: bool, **_: Any) -> None:
        if days < 1:
            raise CommandError(f"--days {days}: at least one day.")
        if not settings.SIMULATION:
            raise CommandError("This portal bills real clients: SIMULATION is off.")
        start = _next_hour(now())
        end = start + timedelta(days=days)
        self.stdout.write(f"From {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC")
        try:
            with embedded.sandboxes_unless_served():
                Simulation(tell=_silent if quiet else self._tell).play(start, end)
        except PortalError as error:
            raise CommandError(str(error)) from error
        except httpx.HTTPError as error:
            raise CommandError(f"A sandbox did not play along: {error}") from error
        self.stdout.write(f"\nThe portal's clock now stands at {end:%Y-%m-%d %H:%M} UTC.")
        for line in simulate.summary(start):
            self.stdout.write(line)

    def _tell(self, at: datetime, event: str) -> None:
        self.stdout.write(f"{at:%Y-%m-%d %H:%M}  {event}")


def _next_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _silent(at: datetime, event: str) -> None:
    """Say nothing."""
