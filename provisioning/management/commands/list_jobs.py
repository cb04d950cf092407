"""`manage.py list_jobs`: what the queue holds."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand

from provisioning.models import Job


class Command(BaseCommand):
    help = "List provisioning jobs: those open or failed, unless a status is named."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--status", choices=Job.Status.values, action="append")
        parser.add_argument("--service", type=int, metavar="ID")
        parser.add_argument("--limit", type=_positive, default=100)
        parser.add_argument("--json", action="store_true", dest="as_json", help="One JSON list.")

    def handle(
        self, *, status: list[str] | None, service: int | None, limit: int, as_json: bool, **_: Any
    ) -> None:
        jobs = Job.objects.select_related("service__product").order_by("due_at", "pk")
        jobs = jobs.filter(status__in=status or [*Job.OPEN, Job.Status.FAILED])
        if service is not None:
            jobs = jobs.filter(service_id=service)
        rows = [_row(job) for job in jobs[:limit]]
        if as_json:
            self.stdout.write(json.dumps(rows, indent=2))
            return
        for row in rows:
            self.stdout.write(
                f"{row['id']:>6}  {row['status']:<9} {row['kind']:<16} "
                f"service {row['service_id']:<6} attempts {row['attempts']:<3} "
                f"due {row['due_at']}  {' '.join(row['last_error'].split())}".rstrip()
            )
        if not rows:
            self.stdout.write("No such jobs.")


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError(f"must be a whole number from 1 on, not {text!r}")
    return number


def _row(job: Job) -> dict[str, Any]:
    return {
        "id": job.pk,
        "status": job.status,
        "kind": job.kind,
        "service_id": job.service_id,
        "service": str(job.service),
        "attempts": job.attempts,
        "due_at": job.due_at.isoformat(timespec="seconds"),
        "last_error": job.last_error,
    }
