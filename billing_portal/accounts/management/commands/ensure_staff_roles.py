"""`manage.py ensure_staff_roles`: make the staff roles, or repair them."""

from typing import Any

from django.core.management.base import BaseCommand

from billing_portal.accounts import actions


class Command(BaseCommand):
    help = "Make the staff roles Administrator, Billing, Support and Read only."

    def handle(self, **options: Any) -> None:
        for role in actions.ensure_staff_roles():
            self.stdout.write(f"{role.name}: {role.permissions.count()} permissions")
