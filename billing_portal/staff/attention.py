"""What needs a person now, the first thing staff see.

Every kind is asked for once and cut to a few rows, so the page costs the same number of
queries however much is wrong.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from django.db.models import Count, Exists, F, Max, OuterRef, Prefetch, Q, QuerySet
from django.urls import reverse
from post_office.models import STATUS

from backups.models import Datastore
from billing_portal.admin_print import moment
from billing_portal.automation.models import TaskRun
from billing_portal.clients.models import Client
from billing_portal.invoices.amounts import format_amount
from billing_portal.mail.models import ClientMail
from billing_portal.orders.models import Order
from billing_portal.orders.queries import Step, step_of
from billing_portal.payments import queries as payments
from billing_portal.payments.models import Refund, WebhookEvent
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import spend_cap
from pbx.models import Call, CallCursor
from provisioning import queries as provisioning
from provisioning.models import Job

SHOWN = 5
"""Rows per kind; one more is fetched to know whether there are more."""
UNSEEN = timedelta(hours=3)
"""Sizes are recorded every hour; a datastore unseen for longer is worth a look."""


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    address: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """One kind of thing that waits for a person.  `state` chooses the light."""

    title: str
    state: str
    address: str
    rows: tuple[Row, ...]
    has_more: bool = False


def needs(at: datetime) -> list[Need]:
    """Everything that needs a person at `at`, the most urgent kind first; empty if all is well."""
    found = [
        _failed_jobs(),
        _failed_automation(),
        _parked_clients(),
        _gateway_problems(),
        _paused_servers(at),
        _stopped_imports(),
        _lost_datastores(at),
        _unrated_calls(),
        _retried_jobs(at),
        _orders(),
        _odd_payments(),
        _open_refunds(),
        _spent_caps(at),
        _loose_payments(),
        _failed_mails(),
    ]
    return [need for need in found if need.rows]


def _need(title: str, state: str, address: str, rows: Iterable[Row]) -> Need:
    fetched = tuple(rows)
    return Need(title, state, address, fetched[:SHOWN], has_more=len(fetched) > SHOWN)


def _failed_jobs() -> Need:
    rows = [
        Row(
            f"{job.get_kind_display()} {job.service} for {job.service.client}",
            reverse("staff:job", args=[job.pk]),
            job.last_error,
        )
        for job in provisioning.failed_jobs().order_by("pk")[: SHOWN + 1]
    ]
    return _need("Jobs that failed", "failed", reverse("staff:jobs"), rows)


def _failed_automation() -> Need:
    """What failed on the latest business day; the next day tries it again."""
    latest = TaskRun.objects.aggregate(day=Max("business_day"))["day"]
    failed = TaskRun.objects.filter(business_day=latest, state=TaskRun.State.FAILED)
    rows = [
        Row(
            str(run),
            reverse("staff:task-run", args=[run.pk]),
            run.error or f"{run.failed_count} failed, {run.done_count} done",
        )
        for run in failed[: SHOWN + 1]
    ]
    return _need("Daily work that failed", "failed", reverse("staff:automation"), rows)


def _retried_jobs(at: datetime) -> Need:
    retried = provisioning.open_jobs().filter(status=Job.Status.QUEUED, attempts__gt=0)
    rows = [
        Row(
            f"{job.get_kind_display()} {job.service} for {job.service.client}",
            reverse("staff:job", args=[job.pk]),
            f"Next try {moment(job.due_at)}. {job.last_error}",
        )
        for job in retried[: SHOWN + 1]
    ]
    return _need("Jobs that are tried again", "waiting", reverse("staff:jobs"), rows)


def _orders() -> Need:
    """Orders with a service that nobody but staff will start."""
    waiting = Service.objects.filter(
        order_item__order=OuterRef("pk"), status=ServiceStatus.PENDING, jobs__isnull=True
    )
    orders: QuerySet[Order] = (
        Order.objects.filter(Exists(waiting), status=Order.Status.PLACED)
        .exclude(invoice__status="unpaid")
        .select_related("client", "invoice")
        .prefetch_related(
            Prefetch("items__service", Service.objects.select_related("product")),
            "items__service__jobs",
        )
        .order_by("placed_at", "pk")
    )
    rows = []
    for order in orders[: SHOWN + 1]:
        services = [item.service for item in order.items.all()]
        names = [str(s) for s in services if step_of(order, s) == Step.REVIEW]
        rows.append(
            Row(
                f"Order {order.number} by {order.client}",
                reverse("staff:order", args=[order.pk]),
                f"To set up: {', '.join(names)}",
            )
        )
    return _need("Orders to set up", "waiting", reverse("admin:orders_order_changelist"), rows)


def _parked_clients() -> Need:
    parked = Client.objects.exclude(billing_problem="").order_by("pk")
    rows = [
        Row(str(client), reverse("staff:client", args=[client.pk]), client.billing_problem)
        for client in parked[: SHOWN + 1]
    ]
    address = reverse("admin:clients_client_changelist")
    return _need("Clients the bill run could not bill", "failed", address, rows)


def _loose_payments() -> Need:
    loose: Iterable[Any] = payments.unallocated()[: SHOWN + 1]
    rows = [
        Row(
            f"{format_amount(payment.left, payment.currency)} from {payment.client}",
            reverse("staff:client", args=[payment.client_id]),
            f"{payment.external_id}, received {moment(payment.received_at)}",
        )
        for payment in loose
    ]
    address = reverse("admin:payments_transaction_changelist") + "?allocation=open"
    return _need("Payments without an invoice", "waiting", address, rows)


def _odd_payments() -> Need:
    rows = [
        Row(
            f"{format_amount(payment.amount, payment.currency)} from {payment.client}",
            reverse("staff:payment", args=[payment.pk]),
            payment.problem,
        )
        for payment in payments.to_look_at()[: SHOWN + 1]
    ]
    address = reverse("admin:payments_transaction_changelist") + "?allocation=problem"
    return _need("Payments to look at", "waiting", address, rows)


def _open_refunds() -> Need:
    """Refunds whose gateway gave no answer: nobody knows yet whether the money went."""
    open_ones = Refund.objects.filter(state=Refund.State.UNDER_WAY).order_by("pk")
    rows = [
        Row(
            f"{format_amount(one.amount, one.transaction.currency)} to {one.transaction.client}",
            reverse("staff:payment", args=[one.transaction_id]),
            f"Asked {moment(one.refunded_at)}. Ask again on the payment's page.",
        )
        for one in open_ones.select_related("transaction__client")[: SHOWN + 1]
    ]
    address = reverse("admin:payments_transaction_changelist")
    return _need("Refunds without an answer", "waiting", address, rows)


def _spent_caps(at: datetime) -> Need:
    """Services whose usage costs as much as their client wants it to; nothing stops it."""
    rows = [
        Row(
            f"{service} of {service.client}",
            reverse("staff:service", args=[service.pk]),
            f"Cap of {format_amount(service.usage_cap or Decimal(0), service.currency)} reached.",
        )
        for service in islice(spend_cap.spent_caps(at), SHOWN + 1)
    ]
    address = reverse("admin:services_service_changelist")
    return _need("Usage that has reached its cap", "waiting", address, rows)


def _gateway_problems() -> Need:
    problems = WebhookEvent.objects.exclude(problem="").order_by("-received_at", "-pk")
    rows = [
        Row(
            f"{event.gateway} event {event.event_id}",
            reverse("admin:payments_webhookevent_change", args=[event.pk]),
            event.problem,
        )
        for event in problems[: SHOWN + 1]
    ]
    address = reverse("admin:payments_webhookevent_changelist")
    return _need("Payment events that could not be applied", "failed", address, rows)


def _paused_servers(at: datetime) -> Need:
    rows = [
        Row(
            server.name,
            reverse("staff:server", args=[server.pk]),
            f"Until {moment(server.paused_until)}: {server.pause_reason}",
        )
        for server in provisioning.paused_servers(at)[: SHOWN + 1]
    ]
    address = reverse("admin:provisioning_server_changelist")
    return _need("Servers that do not answer", "paused", address, rows)


def _unrated_calls() -> Need:
    """Calls no tariff has a price for, one row per service."""
    unrated = (
        Call.objects.filter(rating=Call.Rating.UNRATED, service__isnull=False)
        .order_by()
        .values("service", client=F("service__client__company_name"))
        .annotate(count=Count("pk"))
        .order_by("-count", "service")
    )
    calls = reverse("admin:pbx_call_changelist")
    rows = [
        Row(
            f"{row['count']} call{'' if row['count'] == 1 else 's'} of service {row['service']}",
            f"{calls}?rating__exact=unrated&service__id__exact={row['service']}",
            row["client"],
        )
        for row in unrated[: SHOWN + 1]
    ]
    return _need("Calls without a price", "unrated", f"{calls}?rating__exact=unrated", rows)


def _stopped_imports() -> Need:
    stopped = CallCursor.objects.filter(failed_at__isnull=False).select_related("server")
    rows = [
        Row(
            cursor.server.name,
            reverse("staff:server", args=[cursor.server_id]),
            f"Since {moment(cursor.failed_at)}: {cursor.last_error}",
        )
        for cursor in stopped.order_by("failed_at", "pk")[: SHOWN + 1]
    ]
    address = reverse("admin:provisioning_server_changelist")
    return _need("Servers whose calls cannot be collected", "failed", address, rows)


def _lost_datastores(at: datetime) -> Need:
    """Those of a service that are missing, or that nobody has seen for hours."""
    lost = Q(missing_at__isnull=False) | Q(last_seen_at__lt=at - UNSEEN)
    stores = Datastore.objects.filter(lost, deleted_at__isnull=True, service__isnull=False)
    rows = [
        Row(
            store.name,
            reverse("admin:backups_datastore_change", args=[store.pk]),
            f"Last seen {moment(store.last_seen_at)}",
        )
        for store in stores.order_by("last_seen_at", "pk")[: SHOWN + 1]
    ]
    address = reverse("admin:backups_datastore_changelist")
    return _need("Datastores not seen lately", "failed", address, rows)


def _failed_mails() -> Need:
    failed = ClientMail.objects.filter(email__status=STATUS.failed).select_related("email")
    rows = [
        Row(mail.email.subject, reverse("staff:mail", args=[mail.pk]), ", ".join(mail.email.to))
        for mail in failed[: SHOWN + 1]
    ]
    address = reverse("admin:mail_clientmail_changelist")
    return _need("Mails that did not go out", "failed", address, rows)
