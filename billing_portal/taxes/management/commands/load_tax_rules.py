"""manage.py load_tax_rules --eu --canada --us-example: published rates to start from."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from billing_portal.clock.reading import now
from billing_portal.taxes import actions
from billing_portal.taxes.rates import PRESETS


class Command(BaseCommand):
    help = "Add tax rules with published rates; places that have a rule keep it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        for key, preset in PRESETS.items():
            parser.add_argument(
                f"--{key}", action="append_const", const=key, dest="keys", help=preset.says
            )
        parser.add_argument("--dry-run", action="store_true", help="Only list them.")

    def handle(self, *, keys: list[str] | None, dry_run: bool, **options: Any) -> None:
        if not keys:
            raise CommandError(f"Say which: {', '.join(f'--{key}' for key in PRESETS)}.")
        with transaction.atomic():
            for key in keys:
                loaded = actions.load_rates(PRESETS[key], actor=None, at=now())
                for rule in loaded.added:
                    self.stdout.write(f"added {rule}")
                for rate in loaded.kept:
                    place = " ".join(filter(None, [rate.country, rate.state]))
                    self.stdout.write(f"kept the rule of {place}")
            transaction.set_rollback(dry_run)
