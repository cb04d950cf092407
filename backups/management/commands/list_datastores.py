"""What stands in the backup accounts, according to the last look."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backups import queries
from backups.models import Datastore


class Command(BaseCommand):
    help = "List recorded datastores: account, name, size, use, service, when last seen."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--server", help="Only the account with this name.")

    def handle(self, *, server: str | None, **options: Any) -> None:
        if server and not queries.accounts().filter(name=server).exists():
            raise CommandError(f"There is no account {server!r}.")
        rows = queries.datastores()
        if server:
            rows = rows.filter(server__name=server)
        for row in rows:
            self.stdout.write("\t".join(_columns(row)))
        self.stdout.write(f"{len(rows)} datastore(s), {sum(row.size_gb for row in rows)} GB")


def _columns(row: Datastore) -> list[str]:
    used = "use unknown" if row.used_percent is None else f"{row.used_percent} % used"
    service = f"service {row.service_id}" if row.service_id else "no service"
    seen = f"seen {row.last_seen_at:%Y-%m-%d %H:%M}Z"
    missing = [f"MISSING since {row.missing_at:%Y-%m-%d %H:%M}Z"] if row.missing_at else []
    return [row.server.name, row.name, f"{row.size_gb} GB", used, service, seen, *missing]
