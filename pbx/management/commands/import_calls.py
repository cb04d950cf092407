"""Collecting the new calls of one PBX or all of them, now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing_portal.clock.reading import now
from pbx import calls
from pbx.module import FusionPbxModule
from provisioning.contract import ModuleError
from provisioning.models import Server


class Command(BaseCommand):
    help = "Store and rate the new call records of every PBX, or of those named."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--server", action="append", default=[], metavar="NAME")
        parser.add_argument("--dry-run", action="store_true", help="Only say where it would begin.")

    def handle(self, *, server: list[str], dry_run: bool, **options: Any) -> None:
        failed = [one.name for one in _servers(server) if not self._import(one, dry_run=dry_run)]
        if failed:
            raise CommandError(f"not imported: {', '.join(failed)}")

    def _import(self, server: Server, *, dry_run: bool) -> bool:
        """Whether it worked; one server that fails does not stop the others."""
        if dry_run:
            self.stdout.write(f"{server}: {calls.beginning(server.pk)}")
            return True
        try:
            report = calls.import_since(server.pk, at=now())
        except ModuleError as error:
            self.stderr.write(f"{server}: {error}")
            return False
        self.stdout.write(
            f"{server}: {report.added} new calls, {report.unrated} without a price,"
            f" {report.parked} parked"
        )
        return True


def _servers(names: list[str]) -> list[Server]:
    pbxs = Server.objects.filter(module_key=FusionPbxModule.key).order_by("pk")
    found = list(pbxs.filter(name__in=names) if names else pbxs)
    if missing := sorted(set(names) - {server.name for server in found}):
        raise CommandError(f"no PBX is called {', '.join(missing)}")
    return found
