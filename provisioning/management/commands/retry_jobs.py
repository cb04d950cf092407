"""`manage.py retry_jobs`: failed jobs once more."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from provisioning import actions, queries
from provisioning.models import Job


class Command(BaseCommand):
    help = "Queue failed provisioning jobs again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job_id", nargs="*", type=int)
        parser.add_argument("--all", action="store_true", help="Every failed job.")
        parser.add_argument("--dry-run", action="store_true", help="Only list them.")

    def handle(self, *, job_id: list[int], all: bool, dry_run: bool, **_: Any) -> None:
        if bool(job_id) == all:
            raise CommandError("Name the jobs to retry, or say --all.")
        failed = list(queries.failed_jobs(None if all else job_id))
        missing = sorted(set(job_id) - {job.pk for job in failed})
        if missing:
            raise CommandError(f"not failed, or not there: {missing}")
        refused = 0
        for job in failed:
            self.stdout.write(f"{job}: {' '.join(job.last_error.split())}")
            if not dry_run:
                refused += self._is_refused(job)
        if not failed:
            self.stdout.write("No failed jobs.")
        if refused:
            raise CommandError(f"{refused} job(s) could not be queued again.")

    def _is_refused(self, job: Job) -> bool:
        """Queue the job again; whether that was refused."""
        try:
            actions.retry(job.pk, at=now())
        except PortalError as error:
            self.stdout.write(f"    not queued: {error}")
            return True
        return False
