"""Reading clients."""

from collections.abc import Sequence

from django.contrib.auth.models import AnonymousUser

from billing_portal.accounts.models import User
from billing_portal.clients.models import Client, ClientStatus, Membership


def memberships_of(user: User | AnonymousUser) -> list[Membership]:
    """The clients a user may act for, owners first, closed clients left out."""
    if user.pk is None:
        return []
    return list(
        Membership.objects.filter(user_id=user.pk)
        .exclude(client__status=ClientStatus.CLOSED)
        .select_related("client")
        .order_by("-is_owner", "client_id")
    )


def client_of(memberships: Sequence[Membership], client_id: int | None) -> Client | None:
    """The chosen client if the user may act for it, else the first one, else None."""
    chosen = [m.client for m in memberships if m.client_id == client_id]
    return next(iter([*chosen, *(m.client for m in memberships)]), None)


def mail_recipients(client: Client, category: str) -> list[str]:
    """The client's address and those of its contacts that asked for this kind of mail."""
    copies = [c.email for c in client.contacts.all() if category in c.categories]
    return [client.email, *dict.fromkeys(e for e in copies if e != client.email)]
