"""Playing days in seconds: the portal and its sandboxes on one simulated clock.

Every simulated hour the same functions run that beat runs in real life, only with the
simulated moment as `at`: sizes are recorded, calls imported, jobs carried out, invoices
issued, and once a day clients reminded and suspended.  Around them life goes on in the
sandboxes (datastores fill up, people call) and clients pay.  Refused unless every server is
a sandbox on this machine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings

from backups import sizes
from billing_portal.automation import queries as automation
from billing_portal.calc.periods import local_date
from billing_portal.clock.setting import set_clock
from billing_portal.invoices.amounts import format_amount, seller_time
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import bill_run, captures, daily, invoice_paid, usage_alerts
from billing_portal.workflows.sandbox_life import SandboxLife
from pbx import calls
from provisioning import runner
from provisioning.models import Job, Server

HOUR = timedelta(hours=1)
PAYING_HOUR = 10
PAYS_AFTER = timedelta(days=2)
CATCH_UP_HOURS = range(2, 24, 4)
"""When calls are imported, clients billed and alerts sent.  All that catches up by itself;
sizes do not, so they are recorded each hour, as in real life."""


@dataclass(slots=True)
class Simulation:
    """One run.  `tell` gets a line for everything that happened, with its moment.

    `debtors` are clients who pay nothing while it runs.
    """

    tell: Callable[[datetime, str], None]
    debtors: frozenset[int] = frozenset()
    life: SandboxLife = field(default_factory=SandboxLife)
    daily_hour: int = field(default_factory=lambda: automation.rules().daily_hour)

    def play(self, start: datetime, end: datetime) -> None:
        """Live every hour in `[start, end)`, then set all clocks to `end`."""
        for at in _hours(start, end):
            self.live(at)
        self._set_clocks(end)

    def live(self, at: datetime) -> None:
        """Everything that happens in the hour that begins at `at`."""
        set_clock(at)
        self.life.set_backup_clocks(at)
        self.work_off_jobs(at)
        for event in self.life.go_on(at):
            self.tell(at, event)
        self._record_sizes(at)
        if at.hour in CATCH_UP_HOURS:
            self.life.set_pbx_clocks(at)
            self._import_calls(at)
            self._bill(at)
            for warning in usage_alerts.tell_all(at):
                self.tell(at, f"told of use: {warning}")
        if seller_time(at).hour == self.daily_hour:
            self._do_the_days_work(at)
        if at.hour == PAYING_HOUR:
            self._pay(at)
            self.work_off_jobs(at)

    def work_off_jobs(self, at: datetime) -> None:
        """Carry out every job that is due, as the workers would."""
        for job_id in runner.due_jobs(at=at):
            runner.run(job_id, at=at)
            job = Job.objects.select_related("service__product").get(pk=job_id)
            self.tell(at, f"{job.get_kind_display()} {job.service}: {job.get_status_display()}")

    def _set_clocks(self, at: datetime) -> None:
        set_clock(at)
        self.life.set_backup_clocks(at)
        self.life.set_pbx_clocks(at)

    def _record_sizes(self, at: datetime) -> None:
        for server in Server.objects.filter(module_key="remote_backups"):
            if at.hour in CATCH_UP_HOURS:
                sizes.record_server(server.pk, at=at)
            else:
                sizes.record(sizes.look(server.pk, at=at))

    def _import_calls(self, at: datetime) -> None:
        for server in Server.objects.filter(module_key="fusionpbx"):
            calls.import_since(server.pk, at=at)

    def _bill(self, at: datetime) -> None:
        report = bill_run.bill_all(at)
        for invoice in report.issued:
            self.tell(at, f"{invoice.number} issued to {invoice.client}: {_total(invoice)}")
        for client, problem in report.parked:
            self.tell(at, f"{client} could not be billed: {problem}")

    def _do_the_days_work(self, at: datetime) -> None:
        for run in daily.tick(at):
            for item in run.items.all():
                self.tell(at, item.summary)
        captures.carry_out_waiting(at=at)
        self.work_off_jobs(at)

    def _pay(self, at: datetime) -> None:
        """Clients pay what is two days old, all but the debtors and bank-transfer orders."""
        old_enough = Invoice.objects.filter(
            status=InvoiceStatus.UNPAID, issued_at__lte=at - PAYS_AFTER
        ).exclude(client_id__in=self.debtors)
        for invoice in old_enough.select_related("client").order_by("pk"):
            pay(invoice, at=at)
            self.tell(at, f"{invoice.number} paid by {invoice.client}: {_total(invoice)}")


def pay(invoice: Invoice, *, at: datetime) -> None:
    """Pay the rest of an invoice through the test gateway's event."""
    invoice_paid.apply_webhook(
        "test",
        event_id=f"simulated-{invoice.number}",
        body={
            "type": "paid",
            "invoice_id": invoice.pk,
            "payment_id": f"simulated-{invoice.number}",
            "amount": str(invoice.balance),
            "currency": invoice.currency,
        },
        at=at,
    )


def summary(since: datetime) -> list[str]:
    """What stands at the end: services by state and what was invoiced since `since`."""
    lines = []
    for status in ServiceStatus:
        if count := Service.objects.filter(status=status).count():
            lines.append(f"{count} service(s) {status.label.lower()}")
    for invoice in Invoice.objects.filter(issued_at__gte=since).order_by("issued_at", "pk"):
        day = local_date(invoice.issued_at, settings.SELLER_TIMEZONE)
        lines.append(
            f"{invoice.number}  {day}  {invoice.client}  {_total(invoice)}"
            f"  {invoice.get_status_display().lower()}"
        )
        lines += [
            f"    {line.description}  {format_amount(line.amount, invoice.currency)}"
            for line in invoice.lines.all()
        ]
    return lines


def _hours(start: datetime, end: datetime) -> Iterator[datetime]:
    at = start
    while at < end:
        yield at
        at += HOUR


def _total(invoice: Invoice) -> str:
    return format_amount(invoice.total, invoice.currency)
