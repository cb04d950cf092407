"""Making users, and the staff roles: four groups and what each may do.

A role's permissions are Django's model permissions, read by the dashboard like this:

    view_X                      see X
    clients.change_client       edit clients (add_client: add them)
    services.change_service     run module commands, reveal credentials
    orders.change_order         set up what was ordered
    invoices.add_invoice        bill a client now, write and publish invoices
    billables.add_billableitem  note what to bill by hand
    quotes.add_quote            write quotes, mail them and turn them into invoices
    invoices.add_creditnote     correct an invoice by a credit note
    payments.add_transaction    record a payment
    payments.change_transaction deal with odd payments, note a charge-back
    payments.add_refund         send money back
    payments.add_creditentry    give, take and use credit
    automation.change_taskrun   run the day's work now; get the daily digest
    provisioning.change_job     retry and resolve jobs, test servers, look for drift
    provisioning.change_server  edit servers and their credentials
"""

from collections.abc import Iterable

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import QuerySet

from billing_portal.accounts.models import User

ADMINISTRATOR = "Administrator"
BILLING = "Billing"
SUPPORT = "Support"
READ_ONLY = "Read only"

_ONLY_ADMINISTRATORS = ("view_group", "view_permission", "view_server", "view_user")
"""Seeing these is part of running the portal, not of serving clients."""
_OUR_PACKAGES = ("billing_portal.", "provisioning", "pbx", "backups")
_FOREIGN_APPS = ("auth", "mfa", "post_office")

_EXTRA: dict[str, tuple[str, ...]] = {
    BILLING: (
        "clients.add_client",
        "clients.change_client",
        "clients.add_contact",
        "clients.change_contact",
        "clients.delete_contact",
        "services.change_service",
        "orders.change_order",
        "invoices.add_invoice",
        "billables.add_billableitem",
        "quotes.add_quote",
        "invoices.add_creditnote",
        "payments.add_transaction",
        "payments.change_transaction",
        "payments.add_refund",
        "payments.add_creditentry",
        "automation.change_taskrun",
    ),
    SUPPORT: (
        "clients.change_client",
        "clients.add_contact",
        "clients.change_contact",
        "services.change_service",
        "orders.change_order",
        "provisioning.change_job",
        "provisioning.view_server",
    ),
    READ_ONLY: (),
}
"""What a role may do beyond seeing."""


def ensure_staff_roles() -> list[Group]:
    """Make the four staff roles, or give them their permissions again.

    Repeating changes nothing.  Permissions an operator added to a role stay; other groups
    are left alone.
    """
    with transaction.atomic():
        roles = [_role(ADMINISTRATOR, _ours())]
        for name, extra in _EXTRA.items():
            roles.append(_role(name, [*_views(), *_named(extra)]))
    return roles


def user_with(email: str, *, name: str = "") -> User:
    """The user with this e-mail address, made without a password if there is none yet."""
    user = User.objects.filter(email__iexact=email.strip()).first()
    return user or User.objects.create_user(email, name=name)


def _role(name: str, permissions: Iterable[Permission]) -> Group:
    role, _ = Group.objects.get_or_create(name=name)
    role.permissions.add(*permissions)
    return role


def _ours() -> QuerySet[Permission]:
    """The permissions of the portal's own models and of the few foreign ones staff see."""
    labels = [
        config.label for config in apps.get_app_configs() if config.name.startswith(_OUR_PACKAGES)
    ]
    return Permission.objects.filter(content_type__app_label__in=[*labels, *_FOREIGN_APPS])


def _views() -> QuerySet[Permission]:
    return _ours().filter(codename__startswith="view_").exclude(codename__in=_ONLY_ADMINISTRATORS)


def _named(labels: Iterable[str]) -> list[Permission]:
    """The permissions called `app.codename`."""
    wanted = set(labels)
    found = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in _ours().select_related("content_type")
    }
    return [found[label] for label in sorted(wanted)]
