"""Whom a bill run should look at.  May name one too many, never one too few."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from billing_portal.billables.queries import due_items, last_day_of
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client
from billing_portal.invoices.models import Charge
from billing_portal.invoices.queries import WAITING_METRIC, billing_rules
from billing_portal.products.models import Cycle
from billing_portal.services.models import Service, ServiceAddon
from billing_portal.services.queries import billable_statuses
from provisioning import registry

SHORTEST_MONTH = timedelta(days=27)
"""Shorter than any month, whatever its clock changes."""
LONGEST_MONTH = timedelta(days=32)
LATE_FOR = timedelta(days=100)
"""After this long, both windows of an ended service are over."""


def clients_due(at: datetime) -> QuerySet[Client]:
    """Clients with a period, a usage window or a charge to bill at `at`, in order of key.

    Parked ones too: if nothing is due any more, billing them takes the mark off.
    """
    mine = Q(client_id=OuterRef("pk"))
    advance = _advance_due(at).filter(mine)
    usage = _usage_due(at).filter(mine)
    charges = Charge.objects.filter(client_id=OuterRef("pk"), line__isnull=True).exclude(
        metric=WAITING_METRIC
    )
    last_day = last_day_of(billing_rules(), today=local_date(at, settings.SELLER_TIMEZONE))
    items = due_items(last_day).filter(client_id=OuterRef("pk"))
    extras = _addons_due(at).filter(service__client_id=OuterRef("pk"))
    owed = Exists(advance) | Exists(extras) | Exists(usage) | Exists(charges) | Exists(items)
    due = owed | ~Q(billing_problem="")
    return Client.objects.filter(due).order_by("pk")


def services_due(client_ids: Collection[int]) -> dict[int, list[Service]]:
    """By client: services that may owe something, running ones and ended ones with usage.

    Locked, so that none starts or ends while it is billed.
    """
    running = Q(status__in=billable_statuses())
    ended = _metered().filter(_HAS_OPEN_WINDOW, client__in=client_ids, ended_at__isnull=False)
    services = (
        Service.objects.select_for_update(of=("self",), no_key=True)
        .filter(running | Q(pk__in=ended.values("pk")), client__in=client_ids)
        .prefetch_related("product", "promotion")
        .order_by("pk")
    )
    found: dict[int, list[Service]] = {client_id: [] for client_id in client_ids}
    for service in services:
        found[service.client_id].append(service)
    return found


def _advance_due(at: datetime) -> QuerySet[Service]:
    longest = billing_rules().longest_lead_days
    horizon = local_date(at, settings.SELLER_TIMEZONE) + timedelta(days=longest)
    return Service.objects.filter(
        _GOES_ON, status__in=billable_statuses(), recurring_amount__gt=0, billed_until__lte=horizon
    ).exclude(cycle=Cycle.ONE_TIME)


def _addons_due(at: datetime) -> QuerySet[ServiceAddon]:
    longest = billing_rules().longest_lead_days
    horizon = local_date(at, settings.SELLER_TIMEZONE) + timedelta(days=longest)
    return ServiceAddon.objects.filter(
        Q(ends_on__isnull=True) | Q(ends_on__gt=F("billed_until")),
        status__in=billable_statuses(),
        service__status__in=billable_statuses(),
        recurring_amount__gt=0,
        billed_until__lte=horizon,
    ).exclude(cycle=Cycle.ONE_TIME)


_GOES_ON = (Q(ends_on__isnull=True) | Q(ends_on__gt=F("billed_until"))) & (
    Q(periods_limit__isnull=True) | Q(periods_limit__gt=F("periods_billed"))
)
"""Services with periods to bill before their term is over."""


def _usage_due(at: datetime) -> QuerySet[Service]:
    """Metered services whose next window may have ended, or whose last one is still open."""
    settled = at - timedelta(minutes=settings.USAGE_SETTLE_MINUTES)
    old_enough = local_date(settled - SHORTEST_MONTH, settings.SELLER_TIMEZONE)
    next_window_ended = Q(closed_until__isnull=True, counted_from__lte=old_enough) | Q(
        closed_until__lte=settled - SHORTEST_MONTH
    )
    return _metered().filter(
        Q(ended_at__isnull=True) & next_window_ended
        | Q(ended_at__gte=at - LATE_FOR) & _HAS_OPEN_WINDOW
    )


_HAS_OPEN_WINDOW = Q(closed_until__isnull=True) | Q(closed_until__lte=F("ended_at") + LONGEST_MONTH)
"""Of an ended service: whether its usage, or what came late of it, was not collected yet.

The window of the end closes within a month of it; the one for what came late closes after
that, except at the end of a window, when the service is looked at a little longer.
"""


def _metered() -> QuerySet[Service]:
    """Services that may have usage, each with the end of its last closed window."""
    keys = [key for key, module in registry.modules().items() if module.metrics]
    return Service.objects.filter(
        product__module_key__in=keys, activated_at__isnull=False
    ).annotate(
        closed_until=Max("usage_windows__ends_at"),
        counted_from=Coalesce("usage_anchor_date", "anchor_date"),
    )
