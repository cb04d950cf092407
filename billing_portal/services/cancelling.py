"""Wishes to end a service: noted, taken back, and what has become of them.

    open --ends_on--> open, data kept until deletes_at --> done
      |                 |
      +--> withdrawn <--+  the client keeps the service

The service itself is moved by whoever carries the wish out; its row is locked.
"""

from datetime import date, datetime

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.errors import PortalError
from billing_portal.services.models import Cancellation, Service
from billing_portal.services.queries import billable_statuses, open_cancellation

When, Status = Cancellation.When, Cancellation.Status


class CancellationRefused(PortalError):
    """The service cannot be cancelled, or kept, as it stands."""


def note(
    service: Service,
    *,
    when: Cancellation.When,
    reason: str,
    ends_on: date,
    at: datetime,
    actor: User | None,
) -> Cancellation:
    """Note that a service ends on a day: the first one without it.

    Raises CancellationRefused unless it runs, or if it is cancelled already.
    """
    if open_cancellation(service.pk):
        raise CancellationRefused(f"{service} is cancelled already.")
    if service.status not in billable_statuses():
        raise CancellationRefused(f"{service} is {service.get_status_display().lower()}.")
    found = Cancellation.objects.create(
        service=service,
        when=when,
        reason=reason.strip(),
        requested_by=actor,
        requested_at=at,
        ends_on=ends_on,
    )
    _record("requested", found, f"is cancelled and ends on {ends_on}", at=at, actor=actor)
    return found


def note_end(found: Cancellation, *, deletes_at: datetime | None, at: datetime) -> None:
    """Note that the service has ended, and until when its data is kept; None: it has none."""
    service = found.service
    found.deletes_at = deletes_at
    found.suspension_cause = service.suspension_cause
    found.suspension_reason = service.suspension_reason
    found.save(update_fields=["deletes_at", "suspension_cause", "suspension_reason"])
    if deletes_at is None:
        close(found, Status.DONE, at=at, actor=None)


def put_off(found: Cancellation, *, until: datetime) -> None:
    """Keep the data of an ended service longer."""
    found.deletes_at = until
    found.save(update_fields=["deletes_at"])


def close(
    found: Cancellation, status: Cancellation.Status, *, at: datetime, actor: User | None
) -> None:
    """The service is gone for good, or is kept."""
    found.status, found.closed_at = status, at
    found.save(update_fields=["status", "closed_at"])
    words = "is gone for good" if status == Status.DONE else "is kept after all"
    _record(str(status), found, words, at=at, actor=actor)


def _record(
    what: str, found: Cancellation, words: str, *, at: datetime, actor: User | None
) -> None:
    service = found.service
    why = f": {found.reason}" if found.reason and what == "requested" else ""
    audit.record(
        f"cancellation.{what}",
        service,
        summary=f"{service} {words}{why}",
        at=at,
        actor=actor,
        client_id=service.client_id,
        details={"cancellation": found.pk},
    )
