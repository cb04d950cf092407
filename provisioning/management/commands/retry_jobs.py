"""`manage.py retry_jobs`: failed jobs once more."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing_portal.clock.reading import now
from provisioning import actions, queries


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
        for job in failed:
            self.stdout.write(f"{job}: {job.last_error}")
            if not dry_run:
                actions.retry(job.pk, at=now())
        if not failed:
            self.stdout.write("No failed jobs.")
