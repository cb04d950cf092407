"""Replacing a tariff by the rates in a CSV file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_slug

from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from pbx import tariffs
from pbx.csv_files import read_rates


class Command(BaseCommand):
    help = "Make a tariff hold exactly the rates of a CSV file.  Calls already rated stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--file",
            type=Path,
            required=True,
            metavar="FILE.csv",
            help="prefix,description,rate_per_minute,increment_s[,initial_increment_s,connection_fee]",
        )
        parser.add_argument("--slug", required=True, help="What products call the tariff.")
        parser.add_argument("--currency", required=True, help="Such as EUR.")
        parser.add_argument("--name", help="For a new tariff; the slug if not given.")
        parser.add_argument("--dry-run", action="store_true", help="Only show what would change.")

    def handle(
        self, *, file: Path, slug: str, currency: str, dry_run: bool, **options: Any
    ) -> None:
        try:
            validate_slug(slug)
            rates = read_rates(Path(file))
            if not rates:
                raise CommandError(f"{file} has no rates.")
            if dry_run:
                change = tariffs.compare(slug, currency, rates)
            else:
                name = options["name"] or slug
                change = tariffs.replace(slug, currency, rates, name=name, at=now())
        except ValidationError as error:
            raise CommandError(f"{slug!r} is no slug: {error.messages[0]}") from error
        except PortalError as error:
            raise CommandError(str(error)) from error
        if options["verbosity"]:
            self._show(change)

    def _show(self, change: tariffs.TariffChange) -> None:
        for sign, prefixes in (("+", change.added), ("~", change.changed), ("-", change.removed)):
            for prefix in prefixes:
                self.stdout.write(f"{sign} {prefix}")
        self.stdout.write(
            f"{len(change.added)} added, {len(change.changed)} changed,"
            f" {len(change.removed)} removed, {change.unchanged} as before"
        )
