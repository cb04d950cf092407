"""A client's credit: a ledger of movements, and their sum on the client.

Every movement is made under the client's lock and has a key, so it is made once.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.money import round_money
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import CreditNote, Invoice
from billing_portal.payments.models import CreditEntry, Transaction

Kind = CreditEntry.Kind
MAX_AMOUNT = Decimal(10**11)


class CreditRefused(PortalError):
    """The credit cannot be moved as asked."""


@dataclass(frozen=True, slots=True)
class Movement:
    """Credit that comes, or goes if `amount` is negative, and why.  `key` makes it once."""

    key: str
    kind: CreditEntry.Kind
    amount: Decimal
    currency: str
    description: str
    invoice: Invoice | None = None
    credit_note: CreditNote | None = None
    transaction: Transaction | None = None


def locked_client(client_id: int) -> Client:
    """The client with its row locked: the first lock of whoever moves money."""
    return Client.objects.select_for_update(no_key=True).get(pk=client_id)


def locked_clients(client_ids: Collection[int]) -> list[Client]:
    """These clients with their rows locked, in order of key."""
    rows = Client.objects.select_for_update(no_key=True).filter(pk__in=client_ids)
    return list(rows.order_by("pk"))


def move(
    client: Client, movement: Movement, *, at: datetime, actor: User | None = None
) -> CreditEntry:
    """Write one movement and the balance it leaves.  The same key returns the first entry.

    The caller holds the client's lock.  Raises CreditRefused if the balance would fall
    below zero, for another currency than the client's, or for an amount that is not money.
    """
    if known := CreditEntry.objects.filter(key=movement.key).first():
        return known
    (entry,) = move_all([(client, movement)], at=at, actor=actor)
    return entry


def move_all(
    movements: Sequence[tuple[Client, Movement]], *, at: datetime, actor: User | None = None
) -> list[CreditEntry]:
    """Write every movement as `move` does, all of them new, in three statements."""
    for client, movement in movements:
        _check(client, movement)
        client.credit_balance += movement.amount
    entries = CreditEntry.objects.bulk_create(
        _entry(client, movement, at=at, actor=actor) for client, movement in movements
    )
    # Not save(): the history of a client's details is none of its credit.
    Client.objects.bulk_update(_each_once(client for client, _ in movements), ["credit_balance"])
    audit.record_all(_noted(entry, at=at, actor=actor) for entry in entries)
    return entries


def check_amount(amount: Decimal, currency: str) -> None:
    """Raises CreditRefused unless `amount` is a sum of money above zero."""
    if not amount.is_finite() or amount <= 0:
        raise CreditRefused("The amount must be more than zero.")
    if amount >= MAX_AMOUNT:
        raise CreditRefused(f"{amount} is more than can be booked.")
    if round_money(amount, currency) != amount:
        raise CreditRefused(f"{amount} is finer than the smallest unit of {currency}.")


def _check(client: Client, movement: Movement) -> None:
    if movement.currency != client.currency:
        raise CreditRefused(
            f"The credit of {client} is in {client.currency}, not in {movement.currency}."
        )
    check_amount(abs(movement.amount), movement.currency)
    if client.credit_balance + movement.amount < 0:
        has = format_amount(client.credit_balance, client.currency)
        wanted = format_amount(-movement.amount, client.currency)
        raise CreditRefused(f"{client} has a credit of {has}, and {wanted} is more than that.")


def _entry(client: Client, movement: Movement, *, at: datetime, actor: User | None) -> CreditEntry:
    return CreditEntry(
        client=client,
        key=movement.key,
        kind=movement.kind,
        amount=movement.amount,
        currency=movement.currency,
        description=movement.description[:200],
        invoice=movement.invoice,
        credit_note=movement.credit_note,
        transaction=movement.transaction,
        made_by=actor,
        made_at=at,
    )


def _noted(entry: CreditEntry, *, at: datetime, actor: User | None) -> audit.EntryValues:
    shown = format_amount(entry.amount, entry.currency)
    left = format_amount(entry.client.credit_balance, entry.currency)
    return audit.entry(
        "credit.moved",
        entry,
        summary=f"Credit {shown}, now {left}: {entry.description}",
        at=at,
        actor=actor,
        client_id=entry.client_id,
    )


def _each_once(clients: Iterable[Client]) -> list[Client]:
    return list({client.pk: client for client in clients}.values())
