"""`manage.py bill_run`: invoice what is due."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_datetime

from billing_portal.calc.invoice import DraftInvoice
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client
from billing_portal.clock.reading import now
from billing_portal.invoices.actions import printed_day
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.workflows import bill_run


class Command(BaseCommand):
    help = "Invoice every client with something due. Running it again does nothing more."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--at", metavar="ISO", help="Bill as of this moment, with offset; default now."
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Print what would be invoiced, line by line."
        )

    def handle(self, *, at: str | None, dry_run: bool, **_: Any) -> None:
        moment, today = _moment(at), now()
        if moment > today and not dry_run:
            raise CommandError(f"--at {at} is in the future: say --dry-run, or wait.")
        if not dry_run:
            _refuse_before_the_last_invoice(moment)
        count, parked = 0, list[tuple[Client, str]]()
        for report in bill_run.bill_in_chunks(moment, dry_run=dry_run):
            for client, draft in report.drafts:
                self._print_draft(client, draft)
            for invoice in report.issued:
                total = format_amount(invoice.total, invoice.currency)
                self.stdout.write(f"{invoice.number}  {invoice.client}  {total}")
            count += len(report.drafts) + len(report.issued)
            parked += report.parked
        verb = "would be issued" if dry_run else "issued"
        self.stdout.write(f"{count} invoice(s) {verb}.")
        if parked:
            lines = "\n".join(f"{client}: {problem}" for client, problem in parked)
            raise CommandError(f"{len(parked)} client(s) could not be billed:\n{lines}")

    def _print_draft(self, client: Client, draft: DraftInvoice) -> None:
        self.stdout.write(f"{client}  {format_amount(draft.total, draft.currency)}")
        for line in draft.lines:
            amount = format_amount(line.amount, draft.currency)
            first, end = printed_day(line.period_start), printed_day(line.period_end)
            period = f"{first} to {end}"
            self.stdout.write(f"    {line.description}  {period}  {amount}")


def _refuse_before_the_last_invoice(moment: datetime) -> None:
    """Raises CommandError if the next number would have an earlier date than the last one."""
    day = local_date(moment, settings.SELLER_TIMEZONE)
    later = Invoice.objects.filter(issue_date__gt=day).exclude(status=InvoiceStatus.DRAFT)
    if last := later.order_by("-issue_date", "-pk").first():
        raise CommandError(
            f"{last} was issued on {last.issue_date}: a run as of {day} would give later numbers "
            "an earlier date. What was missed is billed by a run of today."
        )


def _moment(text: str | None) -> datetime:
    if text is None:
        return now()
    try:
        moment = parse_datetime(text)
    except ValueError as error:
        raise CommandError(f"--at {text}: {error}") from error
    if moment is None or moment.tzinfo is None:
        raise CommandError(f"--at {text}: not an ISO moment with an offset (2026-12-01T00:00Z).")
    return moment
