"""Cards and mandates clients left: kept, made the default, refused, removed.

Only the default one is ever charged by itself.  Order of locks: client, then method.
"""

from datetime import date, datetime

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.payments.contract import LeftMethod
from billing_portal.payments.models import CaptureAttempt, StoredMethod

Status = StoredMethod.Status
OPEN = (CaptureAttempt.Outcome.UNDER_WAY, CaptureAttempt.Outcome.PENDING)


class MethodInUse(PortalError):
    """A payment with the method is under way, so it cannot be removed now."""


class MethodNotUsable(PortalError):
    """The method expired, was refused or was removed."""


def keep(client_id: int, gateway: str, left: LeftMethod, *, at: datetime) -> StoredMethod:
    """Store what a client left; told of the same token again, it is the same row.

    The first usable one becomes the default.
    """
    with transaction.atomic():
        client = _locked_client(client_id)
        own = client.stored_methods.filter(gateway=gateway)
        # Tokens are encrypted, so the database cannot compare them.
        if known := next((one for one in own if one.token == dict(left.token)), None):
            return known
        method = StoredMethod.objects.create(
            client=client,
            gateway=gateway,
            token=dict(left.token),
            brand=left.brand[:40],
            last_digits=left.last_digits[-4:],
            expires_on=left.expires_on,
            created_at=at,
        )
        _record("stored", method, f"{method} stored", at=at)
        if not client.stored_methods.filter(is_default=True, status=Status.ACTIVE).exists():
            _choose(client, method, at=at)
    return method


def make_default(method_id: int, *, today: date, at: datetime, actor: User | None) -> StoredMethod:
    """Let this one be charged from now on, and invoices to come be paid this way.

    Raises MethodNotUsable.
    """
    with transaction.atomic():
        client, method = locked(method_id)
        if not is_usable(method, today):
            raise MethodNotUsable(f"{method} can no longer be used. Please add another one.")
        if not method.is_default:
            _choose(client, method, at=at, actor=actor)
    return method


def remove(method_id: int, *, at: datetime, actor: User | None) -> StoredMethod:
    """Forget a method and its token; what it paid stays.  Raises MethodInUse."""
    with transaction.atomic():
        _, method = locked(method_id)
        if method.status == Status.REMOVED:
            return method
        if method.captures.filter(outcome__in=OPEN).exists():
            raise MethodInUse(
                f"A payment with {method} is under way. Please remove it once that is done."
            )
        method.token = {}
        method.status, method.is_default = Status.REMOVED, False
        method.save(update_fields=["token", "status", "is_default"])
        _record("removed", method, f"{method} removed", at=at, actor=actor)
    return method


def refuse(method: StoredMethod, *, why: str, at: datetime) -> None:
    """The bank refuses this method for good; the caller holds the client's lock."""
    method.status, method.is_default = Status.REFUSED, False
    method.save(update_fields=["status", "is_default"])
    _record("refused", method, f"{method} refused by the bank: {why}", at=at)


def expire(method: StoredMethod, *, at: datetime) -> None:
    """Its last day is over; the caller holds the client's lock."""
    method.status, method.is_default = Status.EXPIRED, False
    method.save(update_fields=["status", "is_default"])
    _record("expired", method, f"{method} expired", at=at)


def note_told(method: StoredMethod, *, on: date, at: datetime) -> None:
    """The client was told that it expires; the caller holds the client's lock."""
    method.expiry_told_on = on
    method.save(update_fields=["expiry_told_on"])
    _record("expiry_told", method, f"Client told that {method} expires", at=at)


def is_usable(method: StoredMethod, today: date) -> bool:
    """Whether it may be charged on this day."""
    is_over = method.expires_on is not None and method.expires_on <= today
    return method.status == Status.ACTIVE and not is_over


def locked(method_id: int) -> tuple[Client, StoredMethod]:
    """A method and its client, with both rows locked."""
    client_id = StoredMethod.objects.values_list("client_id", flat=True).get(pk=method_id)
    client = _locked_client(client_id)
    return client, StoredMethod.objects.select_for_update(no_key=True).get(pk=method_id)


def _locked_client(client_id: int) -> Client:
    return Client.objects.select_for_update(of=("self",), no_key=True).get(pk=client_id)


def _choose(
    client: Client, method: StoredMethod, *, at: datetime, actor: User | None = None
) -> None:
    client.stored_methods.filter(is_default=True).update(is_default=False)
    method.is_default = True
    method.save(update_fields=["is_default"])
    # Else invoices to come would ask for another way to pay, and nothing would be taken.
    client.payment_method = method.gateway
    client.save(update_fields=["payment_method"])
    _record("made_default", method, f"{method} is the default", at=at, actor=actor)


def _record(
    what: str, method: StoredMethod, summary: str, *, at: datetime, actor: User | None = None
) -> None:
    audit.record(
        f"payment.method_{what}",
        method,
        summary=summary,
        at=at,
        actor=actor,
        client_id=method.client_id,
    )
