"""Writing down changes of services: asked for, carried out, withdrawn.

pending --paid--> applying --vendor done--> applied
   |                 |
   +--> expired      +--> cancelled
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.changes import ChangePrice
from billing_portal.invoices.models import Invoice
from billing_portal.orders.models import ServiceChange
from billing_portal.services.models import Service

Status = ServiceChange.Status
OPEN = (Status.PENDING, Status.APPLYING)


def open_change(service_id: int) -> ServiceChange | None:
    """The change of a service that is not done yet, if there is one."""
    return ServiceChange.objects.filter(service_id=service_id, status__in=OPEN).first()


def write_down(
    service: Service,
    price: ChangePrice,
    *,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    policy: str,
    request_key: str,
    expires_at: datetime | None,
    at: datetime,
    actor: User | None,
) -> ServiceChange:
    """An open change: pending if it waits for money, which it does until `expires_at`.

    Raises IntegrityError if the service has an open one.
    """
    change = ServiceChange.objects.create(
        service=service,
        request_key=request_key,
        status=Status.PENDING if expires_at else Status.APPLYING,
        policy=policy,
        before=dict(before),
        after=dict(after),
        credit_part=price.credit,
        debit_part=price.debit,
        discount_part=price.discount,
        amount_due=price.payable,
        currency=service.currency,
        requested_by=actor,
        requested_at=at,
        expires_at=expires_at,
    )
    _record("requested", change, "asked for", at=at, actor=actor)
    return change


def attach_invoice(change: ServiceChange, invoice: Invoice) -> None:
    """Note which invoice asks for the money of a change."""
    change.invoice = invoice
    change.save(update_fields=["invoice"])


def begin(change: ServiceChange, *, at: datetime) -> None:
    """Nothing is owed any more: from here on it is carried out."""
    change.status, change.expires_at = Status.APPLYING, None
    change.save(update_fields=["status", "expires_at"])
    _record("paid", change, "paid", at=at)


def reprice(change: ServiceChange, amount: Decimal) -> None:
    """Note another amount, because the service was billed further meanwhile."""
    change.amount_due = amount
    change.save(update_fields=["amount_due"])


def note_problem(change: ServiceChange, problem: str) -> bool:
    """Note why a change does not go on; True if that was not known."""
    if change.problem == problem:
        return False
    change.problem = problem
    change.save(update_fields=["problem"])
    return True


def close(
    change: ServiceChange,
    status: ServiceChange.Status,
    *,
    at: datetime,
    actor: User | None = None,
    problem: str = "",
) -> None:
    """A change is applied, has expired or is cancelled; `problem` says why, if not applied."""
    change.status, change.closed_at, change.problem = status, at, problem
    change.save(update_fields=["status", "closed_at", "problem"])
    why = f": {problem}" if problem else ""
    _record(str(status), change, f"{status.label.lower()}{why}", at=at, actor=actor)


def _record(
    what: str, change: ServiceChange, words: str, *, at: datetime, actor: User | None = None
) -> None:
    service = change.service
    audit.record(
        f"change.{what}",
        service,
        summary=f"Change of {service} to {change.after['summary']}: {words}",
        at=at,
        actor=actor,
        client_id=service.client_id,
        details={"change": change.pk},
    )
