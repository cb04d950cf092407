"""Moving the portal's clock.  Refused outside a simulation."""

from datetime import datetime

from django.conf import settings
from django.utils import timezone

from billing_portal.clock.models import ClockOffset
from billing_portal.errors import PortalError


class ClockIsReal(PortalError):
    """Somebody tried to move the clock of a portal that bills real clients."""


def set_clock(to: datetime) -> None:
    """Make the portal's now equal `to`; it runs on from there at normal speed.

    Raises ClockIsReal unless the setting SIMULATION is on.
    """
    if not settings.SIMULATION:
        raise ClockIsReal("The clock can only be moved with SIMULATION=true.")
    ClockOffset.objects.update_or_create(pk=1, defaults={"offset": to - timezone.now()})


def follow_real_time() -> None:
    """Let the portal's now be the real one again."""
    ClockOffset.objects.all().delete()
