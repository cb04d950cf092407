"""Look at the vendor now and record what stands, as the hourly task does."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from backups import queries, sizes, spend_guard, use_alerts
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from provisioning.models import Server


class Command(BaseCommand):
    help = "Record the provisioned size of every datastore, account by account."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--server", help="Only the account with this name.")
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be noted.")

    def handle(self, *, server: str | None, dry_run: bool, **options: Any) -> None:
        accounts = queries.accounts().filter(**{"name": server} if server else {})
        if not accounts:
            raise CommandError(f"There is no account {server!r}." if server else "No accounts.")
        failed = [account.name for account in accounts if not self._record(account, dry_run)]
        if failed:
            raise CommandError(f"not recorded: {', '.join(failed)}")

    def _record(self, account: Server, dry_run: bool) -> bool:
        """Record one account and say what changed; whether that worked."""
        try:
            look = sizes.look(account.pk, at=now())
        except PortalError as error:
            self.stderr.write(f"{account.name}: {error}")
            return False
        with transaction.atomic():
            recorded = sizes.record(look)
            transaction.set_rollback(dry_run)
        if not dry_run:
            recorded.filling = use_alerts.tell(account.pk, at=look.at)
            recorded.beyond = spend_guard.guard(account.pk, at=look.at)
        would = " (not recorded)" if dry_run else ""
        self.stdout.write(f"{account.name}: {recorded.seen} datastore(s) seen{would}")
        for word in ("new", "changed", "missing", "late", "filling", "beyond"):
            for sentence in getattr(recorded, word):
                self.stdout.write(f"  {word}: {sentence}")
        return True
