"""The portal's clock: read in views, tasks and commands, and passed on as `at`.

In production it is the real clock and costs nothing.  With `SIMULATION` on, `simulate`
may move it, and web, workers, beat and commands then agree on the simulated moment,
because the distance is one row in the database they share.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from billing_portal.clock.models import ClockOffset


def now() -> datetime:
    """The present moment as the portal sees it, aware, in UTC."""
    if not settings.SIMULATION:
        return timezone.now()
    return timezone.now() + offset()


def offset() -> timedelta:
    """How far the simulation has moved the clock; zero if it never did."""
    stored = ClockOffset.objects.filter(pk=1).values_list("offset", flat=True).first()
    return stored or timedelta()
