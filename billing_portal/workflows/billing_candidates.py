"""Which clients a bill run should look at.  May name one too many, never one too few."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet

from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client
from billing_portal.invoices.models import Charge
from billing_portal.products.models import Cycle
from billing_portal.services.models import Service
from billing_portal.services.queries import billable_statuses
from provisioning import registry

SHORTEST_MONTH = timedelta(days=27)
"""Shorter than any month, whatever its clock changes."""


def clients_due(at: datetime) -> QuerySet[Client]:
    """Clients with a period, a usage window or a charge to bill at `at`, in order of key."""
    mine = Q(client_id=OuterRef("pk"))
    advance = _advance_due(at).filter(mine)
    usage = _usage_due(at).filter(mine)
    charges = Charge.objects.filter(service__client_id=OuterRef("pk"), line__isnull=True)
    due = Exists(advance) | Exists(usage) | Exists(charges)
    return Client.objects.filter(due).order_by("pk")


def _advance_due(at: datetime) -> QuerySet[Service]:
    horizon = local_date(at, settings.SELLER_TIMEZONE) + timedelta(days=settings.INVOICE_LEAD_DAYS)
    return Service.objects.filter(
        status__in=billable_statuses(), recurring_amount__gt=0, billed_until__lte=horizon
    ).exclude(cycle=Cycle.ONE_TIME)


def _usage_due(at: datetime) -> QuerySet[Service]:
    """Metered services whose next window may have ended, or whose last one is still open."""
    metered = [key for key, module in registry.modules().items() if module.metrics]
    settled = at - timedelta(minutes=settings.USAGE_SETTLE_MINUTES)
    old_enough = local_date(settled - SHORTEST_MONTH, settings.SELLER_TIMEZONE)
    return (
        Service.objects.filter(product__module_key__in=metered, activated_at__isnull=False)
        .annotate(closed_until=Max("usage_windows__ends_at"))
        .filter(
            Q(closed_until__isnull=True, ended_at__isnull=True, anchor_date__lte=old_enough)
            | Q(closed_until__isnull=True, ended_at__lte=settled)
            | Q(closed_until__lte=settled - SHORTEST_MONTH, ended_at__isnull=True)
            | Q(closed_until__lt=F("ended_at"), ended_at__lte=settled)
        )
    )
