"""Both vendor stand-ins on their own, beside a portal that runs in several processes."""

from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from billing_portal.workflows import embedded


class Command(BaseCommand):
    help = "Serve the sandboxes at SANDBOX_BACKUPS_URL and SANDBOX_PBX_URL until Ctrl-C."

    def handle(self, **options: Any) -> None:
        embedded.heed_signals()
        try:
            with embedded.sandboxes():
                self.stdout.write(f"Backups  {settings.SANDBOX_BACKUPS_URL}")
                self.stdout.write(f"PBX      {settings.SANDBOX_PBX_URL}")
                Event().wait()
        except embedded.AddressInUse as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
