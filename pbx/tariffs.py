"""Price lists in the database: replacing one from a file, and getting one ready to rate by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from django.db import transaction

from billing_portal.calc.money import exact, minor_units
from billing_portal.errors import PortalError
from billing_portal.services.models import Service

from .call_rating import PriceList, Rater
from .models import Tariff, TariffRate
from .rating import AMOUNT_PLACES, Rate
from .rating import Tariff as RatingTariff

MAX_WHOLE_DIGITS = 8
MAX_PRICE = Decimal(10**MAX_WHOLE_DIGITS)
BATCH = 2000


class RateDoesNotFit(PortalError):
    """A price has more decimals or digits than are kept."""


@dataclass(frozen=True, slots=True)
class TariffChange:
    """How a tariff differs from its file: prefixes, in order."""

    added: Sequence[str]
    changed: Sequence[str]
    removed: Sequence[str]
    unchanged: int

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.removed)


@dataclass(slots=True)
class TariffBook:
    """Raters by service, each tariff read from the database once."""

    _raters: dict[tuple[str, str], Rater] = field(default_factory=dict)

    def rater_for(self, service: Service | None) -> Rater:
        """How a service's calls are priced: the tariff its product names, in its currency."""
        if service is None:
            return Rater(None, {"rule": "no_service"})
        key = (service.product.module_settings.get("tariff", ""), service.currency)
        if key not in self._raters:
            self._raters[key] = _rater(*key)
        return self._raters[key]


def compare(slug: str, currency: str, rates: Sequence[Rate]) -> TariffChange:
    """What `replace` would change.  Raises what it raises."""
    _check(currency, rates)
    stored = {rate.prefix: rate for rate in stored_rates(slug, currency)}
    wished = {rate.prefix: rate for rate in rates}
    both = stored.keys() & wished.keys()
    changed = sorted(prefix for prefix in both if stored[prefix] != wished[prefix])
    return TariffChange(
        added=sorted(wished.keys() - stored.keys()),
        changed=changed,
        removed=sorted(stored.keys() - wished.keys()),
        unchanged=len(both) - len(changed),
    )


def replace(
    slug: str, currency: str, rates: Sequence[Rate], *, name: str, at: datetime
) -> TariffChange:
    """Make the tariff hold exactly these rates, all at once; calls already rated stay.

    The same rates again change nothing.  `name` names a new tariff.
    Raises UnknownCurrency, and RateDoesNotFit if a price has more than 6 decimals.
    """
    _check(currency, rates)
    with transaction.atomic():
        tariff, _ = Tariff.objects.select_for_update(no_key=True).get_or_create(
            slug=slug, currency=currency, defaults={"name": name, "imported_at": at}
        )
        change = compare(slug, currency, rates)
        if change.is_empty:
            return change
        tariff.rates.all().delete()
        TariffRate.objects.bulk_create((_row(tariff, rate) for rate in rates), batch_size=BATCH)
        Tariff.objects.filter(pk=tariff.pk).update(imported_at=at)
        return change


def stored_rates(slug: str, currency: str) -> list[Rate]:
    """The rates of a tariff, in order of prefix; none if there is no such tariff."""
    rows = TariffRate.objects.filter(tariff__slug=slug, tariff__currency=currency)
    return [_rate(row) for row in rows.order_by("prefix")]


def _rater(slug: str, currency: str) -> Rater:
    if not Tariff.objects.filter(slug=slug, currency=currency).exists():
        return Rater(None, {"rule": "no_tariff", "tariff": slug, "currency": currency})
    return Rater(PriceList(slug, RatingTariff(stored_rates(slug, currency))))


def _check(currency: str, rates: Sequence[Rate]) -> None:
    """Raise unless everything can be stored exactly as it is."""
    minor_units(currency)
    for rate in rates:
        for amount in (rate.rate_per_minute, rate.connection_fee):
            if not _fits(amount):
                raise RateDoesNotFit(
                    f"Prefix {rate.prefix}: {amount} has more than {AMOUNT_PLACES} decimals"
                    f" or {MAX_WHOLE_DIGITS} digits before the point."
                )
        if len(rate.prefix) > 20 or len(rate.description) > 120:
            raise RateDoesNotFit(
                f"Prefix {rate.prefix}: the prefix or its description is too long."
            )


def _fits(amount: Decimal) -> bool:
    micros: Fraction = exact(amount) * 10**AMOUNT_PLACES
    return micros.denominator == 1 and amount < MAX_PRICE


def _rate(row: TariffRate) -> Rate:
    return Rate(
        prefix=row.prefix,
        description=row.description,
        rate_per_minute=row.rate_per_minute,
        increment_s=row.increment_s,
        initial_increment_s=row.initial_increment_s,
        connection_fee=row.connection_fee,
    )


def _row(tariff: Tariff, rate: Rate) -> TariffRate:
    fields: Mapping[str, object] = {
        "prefix": rate.prefix,
        "description": rate.description,
        "rate_per_minute": rate.rate_per_minute,
        "increment_s": rate.increment_s,
        "initial_increment_s": rate.initial_increment_s,
        "connection_fee": rate.connection_fee,
    }
    return TariffRate(tariff=tariff, **fields)
