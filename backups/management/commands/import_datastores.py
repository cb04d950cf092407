"""Adopt what already stands in the backup accounts: each datastore by the name it has."""

import csv
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from backups import actions, queries, sizes
from backups.models import Datastore
from billing_portal.clock.reading import now
from billing_portal.csv_rows import BadCsv, read_rows
from billing_portal.errors import PortalError
from billing_portal.services.models import Service
from provisioning.models import Server


@dataclass(frozen=True, slots=True)
class Line:
    """One datastore and what became of it: a row of the report."""

    account: str
    remote_id: str
    name: str
    size_gb: str
    used_gb: str
    outcome: str
    service: str
    remark: str


class Command(BaseCommand):
    help = (
        "Record the accounts and link each datastore that nobody has to the service its name"
        " speaks of: prefix-client<ID>-service<ID>. Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--server", help="Only the account with this name.")
        parser.add_argument("--prefix", help="Only names that begin with this and a hyphen.")
        parser.add_argument(
            "--mapping",
            type=Path,
            help="A CSV file with the columns name and service, for names whose ids are those of"
            " another system.",
        )
        parser.add_argument("--report", type=Path, help="Write a CSV file of what became of each.")
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")

    def handle(
        self,
        *,
        server: str | None,
        prefix: str | None,
        mapping: Path | None,
        report: Path | None,
        dry_run: bool,
        **options: Any,
    ) -> None:
        accounts = queries.accounts().filter(**{"name": server} if server else {})
        if not accounts:
            raise CommandError(f"There is no account {server!r}." if server else "No accounts.")
        known = _mapping(mapping) if mapping else {}
        lines: list[Line] = []
        failed = []
        for account in accounts:
            try:
                lines += self._import(account, prefix, known, at=now(), dry_run=dry_run)
            except PortalError as error:
                self.stderr.write(f"{account.name}: {error}")
                failed.append(account.name)
        self._tell(lines, report, dry_run)
        if failed:
            raise CommandError(f"not imported: {', '.join(failed)}")

    def _import(
        self,
        account: Server,
        prefix: str | None,
        known: Mapping[str, int],
        *,
        at: datetime,
        dry_run: bool,
    ) -> list[Line]:
        look = sizes.look(account.pk, at=at)
        with transaction.atomic():
            sizes.record(look)
            rows = queries.datastores().filter(server=account, missing_at=None)
            if prefix:
                rows = rows.filter(name__startswith=f"{prefix}-")
            lines = [_line(row, *_adopt(row, known, at=at)) for row in rows]
            transaction.set_rollback(dry_run)
        return lines

    def _tell(self, lines: Iterable[Line], report: Path | None, dry_run: bool) -> None:
        counts: dict[str, int] = {}
        for line in lines:
            counts[line.outcome] = counts.get(line.outcome, 0) + 1
            self.stdout.write(f"{line.outcome}: {line.name} ({line.size_gb} GB) {line.remark}")
        said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        self.stdout.write(f"{said or 'nothing found'}{' (dry run)' if dry_run else ''}")
        if report:
            with report.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow([field.name for field in fields(Line)])
                writer.writerows([_safe(cell) for cell in astuple(line)] for line in lines)


def _adopt(row: Datastore, known: Mapping[str, int], *, at: datetime) -> tuple[str, str]:
    """What became of one datastore, in a word and a remark."""
    if row.service:
        return "has service", str(row.service)
    service = (
        Service.objects.filter(pk=known[row.name]).first()
        if row.name in known
        else actions.adoptable_by(row)
    )
    if service is None:
        return "unmatched", "its name is not that of any service of ours"
    try:
        with transaction.atomic():
            actions.link(row.pk, service.pk, at=at, actor=None)
    except PortalError as error:
        return "refused", str(error)
    row.service = service
    return "linked", str(service)


def _line(row: Datastore, outcome: str, remark: str) -> Line:
    used = "" if row.used_gb is None else f"{row.used_gb:.1f}"
    service = str(row.service_id or "")
    return Line(
        row.server.name, row.remote_id, row.name, str(row.size_gb), used, outcome, service, remark
    )


def _mapping(path: Path) -> dict[str, int]:
    try:
        rows = read_rows(path, columns=["name", "service"])
        return {row.text("name"): row.whole("service") for row in rows}
    except (BadCsv, OSError) as error:
        raise CommandError(str(error)) from error


def _safe(cell: str) -> str:
    """Names come from outside; a spreadsheet must not take one for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell
