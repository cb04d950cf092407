"""Pricing calls that had no price, after the tariff was mended."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing_portal.services.models import Service
from pbx import queries, rerating
from pbx.models import Call


class Command(BaseCommand):
    help = "Price the calls that have no price yet.  Priced and charged calls stay as they are."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--service", type=int, metavar="ID", help="Only this service's calls.")
        parser.add_argument("--dry-run", action="store_true", help="Only show what would be.")

    def handle(self, *, service: int | None, dry_run: bool, **options: Any) -> None:
        if service is not None and not Service.objects.filter(pk=service).exists():
            raise CommandError(f"there is no service {service}")
        report = rerating.rerate(service_id=service, dry_run=dry_run, tell=self._tell)
        self.stdout.write(f"{report.priced} priced, {report.unrated} still without a price")

    def _tell(self, call: Call) -> None:
        price = "no price" if call.amount is None else f"{call.amount:f} for {call.billed_s} s"
        self.stdout.write(
            f"service {call.service_id}, {call.started_at:%Y-%m-%d %H:%M}, {call.destination}:"
            f" {price}. {queries.why(call)}"
        )
