"""Changing clients."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.clients.models import Client, Contact, Membership


def register_client(*, owner: User, profile: Mapping[str, Any], at: datetime) -> Client:
    """A new client with `owner` as its owner.

    `profile` holds the client's fields: names, e-mail, address, country, currency.
    """
    with transaction.atomic():
        client = Client.objects.create(created_at=at, **profile)
        Membership.objects.create(client=client, user=owner, is_owner=True)
        audit.record(
            "client.registered",
            client,
            summary=f"{client} registered",
            at=at,
            actor=owner,
            client_id=client.pk,
        )
    return client


def update_profile(
    client: Client, *, profile: Mapping[str, Any], actor: User, at: datetime
) -> None:
    """Change the client's own details.  Issued invoices keep the old ones."""
    changed = sorted(name for name, value in profile.items() if getattr(client, name) != value)
    if not changed:
        return
    with transaction.atomic():
        for name in changed:
            setattr(client, name, profile[name])
        client.save(update_fields=changed)
        audit.record(
            "client.profile_changed",
            client,
            summary=f"Changed {', '.join(changed)}",
            at=at,
            actor=actor,
            client_id=client.pk,
        )


def save_contact(contact: Contact, *, actor: User, at: datetime) -> None:
    """Store a new or changed contact of a client."""
    verb = "changed" if contact.pk else "added"
    with transaction.atomic():
        contact.save()
        _note_contact(contact, verb, actor=actor, at=at)


def remove_contact(contact: Contact, *, actor: User, at: datetime) -> None:
    """Delete a contact: it gets no more mails."""
    with transaction.atomic():
        _note_contact(contact, "removed", actor=actor, at=at)
        contact.delete()


def _note_contact(contact: Contact, verb: str, *, actor: User, at: datetime) -> None:
    audit.record(
        f"contact.{verb}",
        contact,
        summary=f"Contact {contact.name} {verb}",
        at=at,
        actor=actor,
        client_id=contact.client_id,
    )
