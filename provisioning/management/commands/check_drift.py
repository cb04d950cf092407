"""`manage.py check_drift`: where portal and vendors disagree."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from provisioning import drift
from provisioning.models import Server


class Command(BaseCommand):
    help = "Compare every server with the portal. Changes nothing; exits 1 if they disagree."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--server", action="append", metavar="NAME", help="Only this server.")

    def handle(self, *, server: list[str] | None, **_: Any) -> None:
        servers = list(Server.objects.order_by("module_key", "name"))
        if not servers:
            self.stdout.write("There are no servers to compare with.")
        if server:
            unknown = sorted(set(server) - {known.name for known in servers})
            if unknown:
                raise CommandError(f"no such server: {', '.join(unknown)}")
            servers = [known for known in servers if known.name in server]
        problems = [self._check(one) for one in servers]
        if sum(problems):
            raise CommandError(f"{sum(problems)} disagreement(s) or unreachable server(s).")

    def _check(self, server: Server) -> int:
        try:
            found = drift.check_server(server, at=now())
        except PortalError as error:
            self.stdout.write(f"{server}: could not be asked: {error}")
            return 1
        for one in found:
            self.stdout.write(f"{server}: {one.kind}: {one.message}")
        if not found:
            self.stdout.write(f"{server}: agrees")
        return len(found)
