"""Prices of other currencies computed from those of the seller's, looked at before.

Only prices that exist are changed: what is not offered in a currency stays so.  Services
keep what they cost; see `reprice.py`.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.money import round_places
from billing_portal.errors import PortalError
from billing_portal.products.models import AddonPrice, ChoicePrice, Price, UsagePrice
from billing_portal.products.rates import converted, rates_of

KINDS: tuple[tuple[type[Any], tuple[str, ...], tuple[str, ...]], ...] = (
    (Price, ("product_id", "cycle"), ("recurring", "setup_fee")),
    (ChoicePrice, ("choice_id", "cycle"), ("recurring", "setup_fee")),
    (AddonPrice, ("addon_id", "cycle"), ("recurring", "setup_fee")),
    (UsagePrice, ("product_id", "metric"), ("price",)),
)
"""Each kind of price: what it is for, and its amounts."""


class PricesMoved(PortalError):
    """Prices or rates changed since staff looked."""


@dataclass(frozen=True, slots=True)
class NewPrice:
    """One price row with what its amounts would become."""

    row: Any
    title: str
    before: tuple[Decimal, ...]
    after: tuple[Decimal, ...]


def plan(currencies: Collection[str]) -> list[NewPrice]:
    """Every price in these currencies that would change, by what it is for."""
    rates = rates_of(currencies)
    return [new for currency in sorted(rates) for new in _of(currency, rates[currency])]


def fingerprint(changes: Sequence[NewPrice]) -> str:
    """Names exactly these changes: applying asks for it, so nobody applies others."""
    text = ";".join(f"{type(c.row).__name__}:{c.row.pk}:{c.before}:{c.after}" for c in changes)
    return sha256(text.encode()).hexdigest()


def apply(
    changes: Sequence[NewPrice], *, at: datetime, actor: User | None, looked_at: str = ""
) -> int:
    """Write the new prices; how many.  `looked_at` is the fingerprint staff saw, if any.

    Raises PricesMoved if the changes are no longer those.
    """
    if looked_at and looked_at != fingerprint(changes):
        raise PricesMoved("Prices or rates changed since you looked. Please look again.")
    with transaction.atomic():
        for change in changes:
            columns = _amounts_of(type(change.row))
            for column, amount in zip(columns, change.after, strict=True):
                setattr(change.row, column, amount)
            change.row.save(update_fields=list(columns))
            audit.record(
                "price.converted",
                change.row,
                summary=f"{change.title}: {_shown(change.before)} became {_shown(change.after)}",
                at=at,
                actor=actor,
            )
    return len(changes)


def _of(currency: str, rate: Decimal) -> Iterator[NewPrice]:
    for model, key, columns in KINDS:
        rows: QuerySet[Any] = model._default_manager.all()
        own = {_values(row, key): row for row in rows.filter(currency=settings.DEFAULT_CURRENCY)}
        for row in rows.filter(currency=currency).order_by("pk"):
            base = own.get(_values(row, key))
            # Tiers have prices of their own inside: those are people's work.
            if base is None or getattr(base, "tiers", None):
                continue
            before = _values(row, columns)
            after = tuple(
                _converted(amount, rate, currency, model) for amount in _values(base, columns)
            )
            if before != after:
                yield NewPrice(row, str(row), before, after)


def _converted(amount: Decimal, rate: Decimal, currency: str, model: type[Any]) -> Decimal:
    """To the currency's minor unit; a price per unit of usage keeps its digits."""
    if model is UsagePrice:
        return round_places(Fraction(amount) * Fraction(rate), 6)
    return converted(amount, rate, currency)


def _values(row: Any, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in names)


def _amounts_of(model: type[Any]) -> tuple[str, ...]:
    return next(columns for kind, _, columns in KINDS if kind is model)


def _shown(amounts: Sequence[Decimal]) -> str:
    return " and ".join(f"{amount.normalize():f}" for amount in amounts)
