"""Writing history."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import models

from billing_portal.accounts.models import User
from billing_portal.audit.models import Entry


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
    written = entry(
        action,
        subject,
        summary=summary,
        at=at,
        actor=actor,
        client_id=client_id,
        details=details,
    )
    written.save()
    return written


def record_all(entries: Iterable[Entry]) -> None:
    """Add many lines made by `entry`, in one statement."""
    Entry.objects.bulk_create(entries)


def entry(
    action: str,
    subject: models.Model,
    *,
    summary: str,
    at: datetime,
    actor: User | None = None,
    client_id: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> Entry:
    """A line of history as `record` adds it, not stored yet."""
    return Entry(
        at=at,
        actor=actor,
        actor_name=actor.get_full_name()[:150] if actor else "system",
        action=action,
        subject_type=subject._meta.label_lower,
        subject_id=subject.pk,
        client_ref=client_id,
        summary=summary[:300],
        details=dict(details or {}),
    )
