"""Writing history."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import models

from billing_portal.accounts.models import User
from billing_portal.audit.models import Entry
from billing_portal.bulk_rows import insert_values

EntryValues = dict[str, Any]
"""The columns of one line of history."""


def record(
    action: str,
    subject: models.Model,
    *,
    summary: str,
    at: datetime,
    actor: User | None = None,
    client_id: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> Entry:
    """Add one line of history about `subject`, in the caller's transaction.

    `actor` is None for what the portal does by itself.  Never pass secrets in `details`.
    """
    values = entry(
        action,
        subject,
        summary=summary,
        at=at,
        actor=actor,
        client_id=client_id,
        details=details,
    )
    return Entry.objects.create(**values)


def record_all(entries: Iterable[EntryValues]) -> None:
    """Add many lines made by `entry`, in one statement."""
    insert_values(Entry, list(entries))


def entry(
    action: str,
    subject: models.Model,
    *,
    summary: str,
    at: datetime,
    actor: User | None = None,
    client_id: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> EntryValues:
    """A line of history as `record` adds it, not stored yet."""
    return {
        "at": at,
        "actor_id": actor.pk if actor else None,
        "actor_name": actor.get_full_name()[:150] if actor else "system",
        "action": action,
        "subject_type": subject._meta.label_lower,
        "subject_id": subject.pk,
        "client_ref": client_id,
        "summary": summary[:300],
        "details": dict(details or {}),
    }
