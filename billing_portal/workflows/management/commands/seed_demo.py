"""`manage.py seed_demo`: a portal with a past, for a first look."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from billing_portal.accounts.models import User
from billing_portal.calc.periods import local_date, local_midnight
from billing_portal.clock.setting import follow_real_time
from billing_portal.mail import delivery
from billing_portal.workflows import demo, embedded


class Command(BaseCommand):
    help = "Fill an empty portal with a catalogue, an administrator and customers with a past."

    def handle(self, **_: Any) -> None:
        if not settings.SIMULATION:
            raise CommandError("This portal bills real clients: SIMULATION is off.")
        if User.objects.exists():
            raise CommandError("The portal is not empty; the demo was not added.")
        end = datetime.now(UTC)
        today = local_date(end, settings.SELLER_TIMEZONE)
        first_day = today - timedelta(days=demo.DEMO.days)
        with embedded.sandboxes_unless_served():
            demo.play(local_midnight(first_day, settings.SELLER_TIMEZONE), end)
        follow_real_time()
        delivery.deliver_queued(limit=10_000)
        self.stdout.write(f"Played {demo.DEMO.days} days for {len(demo.DEMO.customers)} customers.")
