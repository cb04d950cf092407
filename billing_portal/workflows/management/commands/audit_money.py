from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from billing_portal.workflows.audit_money import differences


class Command(BaseCommand):
    help = "Recompute every balance from its rows and print what does not add up."

    def handle(self, **options: Any) -> None:
        found = 0
        is_outermost = not connection.in_atomic_block
        with transaction.atomic():
            if is_outermost and connection.vendor == "postgresql":
                # One picture of all rows: what is paid meanwhile is no difference.
                connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            for difference in differences():
                found += 1
                self.stdout.write(difference)
        if found:
            raise CommandError(f"{found} differences.")
        self.stdout.write("Everything adds up.")
