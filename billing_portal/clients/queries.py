"""Reading clients."""

from collections.abc import Collection, Sequence

from django.contrib.auth.models import AnonymousUser

from billing_portal.accounts.models import User
from billing_portal.clients.models import (
    Client,
    ClientField,
    ClientStatus,
    Contact,
    Membership,
)


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


def mail_copies(clients: Collection[Client], category: str) -> dict[int, list[str]]:
    """By client: its contacts' addresses that asked for this kind of mail, each once."""
    contacts = Contact.objects.filter(client__in=clients).order_by("name", "pk")
    copies: dict[int, dict[str, None]] = {client.pk: {} for client in clients}
    for contact in contacts:
        if category in contact.categories:
            copies[contact.client_id][contact.email] = None
    return {
        client.pk: [email for email in copies[client.pk] if email != client.email]
        for client in clients
    }


def asked_fields(*, by_staff: bool = False) -> list[ClientField]:
    """The further questions to every client; those for staff alone only to them."""
    fields = ClientField.objects.order_by("position", "pk")
    return list(fields if by_staff else fields.filter(staff_only=False))
