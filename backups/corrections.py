"""What became known too late: the difference between what was billed and what stood.

A window that is charged stays as it was billed.  The difference is a usage of its own,
charged with the next window, with its evidence.  It may be negative: its charge then waits
until an invoice of the client is large enough to carry it, and makes that one smaller.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.apps import apps
from django.conf import settings

from billing_portal.calc.money import exact, minor_units, round_money, round_places
from billing_portal.calc.periods import Period, local_date, slices_from
from billing_portal.calc.tiers import amount_of
from billing_portal.products.metering import pricing_of
from billing_portal.services.models import Service, ServiceUsagePrice
from provisioning.contract import ChargedUsage, Usage, UsageMoved

from .answers import BYTES_PER_GB, in_gb
from .limits import GB_PER_PRICE
from .models import Datastore, LateSize

METRIC = "storage_correction"
BILLED_METRIC = "storage"
_PLACES = 6


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a late stretch inside one charged window, and what it changes, not rounded."""

    period: Period
    window: Period
    billed_bytes: int
    size_bytes: int
    share: Fraction
    """The difference in GB, weighed by its part of the window."""


def open_late(service_ids: Collection[int]) -> dict[int, list[LateSize]]:
    """By service: what was learned late about its datastores and is not charged yet.

    Services of which nothing was are missing.
    """
    late = LateSize.objects.filter(datastore__service_id__in=service_ids, charge_ref=None)
    found: dict[int, list[LateSize]] = {}
    for one in late.select_related("datastore").order_by("starts_at", "pk"):
        assert one.datastore.service_id is not None  # asked for by service
        found.setdefault(one.datastore.service_id, []).append(one)
    return found


def usage_of(late: Sequence[LateSize], agreed: ServiceUsagePrice) -> Usage | None:
    """The difference as one usage; None if it comes to nothing.

    800 GB billed where 500 GB stood for the last 2 of 720 hours, at 10.00 per 1000 GB:
    -0.008333 GB for the month, -0.01.
    """
    service = agreed.service
    parts = [part for one in late for part in _parts(one, service)]
    exact_gb = sum((part.share for part in parts), Fraction())
    rate = exact(agreed.price) / GB_PER_PRICE
    amount = round_money(_difference(parts, agreed), service.currency)
    if not amount:
        return None
    period = Period(min(p.period.start for p in parts), max(p.period.end for p in parts))
    return Usage(
        metric=METRIC,
        period=period,
        quantity=round_places(exact_gb, _PLACES),
        unit="GB",
        unit_price=None,
        amount=amount,
        currency=service.currency,
        description=_description(period),
        evidence={
            "corrections": _evidence(parts, rate, amount, service.currency),
            "price_per_1000gb": str(agreed.price),
            "learned_at": max(one.noted_at for one in late).isoformat(),
        },
        record_count=len(late),
        through_id=max(one.pk for one in late),
    )


def _difference(parts: Sequence[Part], agreed: ServiceUsagePrice) -> Fraction:
    """What the parts change, exact.

    Where units do not all cost the same it is, window by window, the price of the right
    average less that of the billed one.
    """
    pricing = pricing_of(agreed, per=GB_PER_PRICE)
    if pricing.is_linear:
        return sum((part.share for part in parts), Fraction()) * exact(agreed.price) / GB_PER_PRICE
    late: dict[datetime, Fraction] = {}
    for part in parts:
        late[part.window.start] = late.get(part.window.start, Fraction()) + part.share
    billed = _billed_averages(agreed.service_id, list(late))
    return sum(
        (
            amount_of(max(billed.get(start, Fraction()) + share, Fraction()), pricing)
            - amount_of(billed.get(start, Fraction()), pricing)
            for start, share in late.items()
        ),
        Fraction(),
    )


def _billed_averages(service_id: int, starts: Sequence[datetime]) -> dict[datetime, Fraction]:
    """The average GB each of these windows was billed with, corrections included."""
    charges = apps.get_model("invoices", "Charge").objects.filter(
        service_id=service_id, metric=BILLED_METRIC, starts_at__in=starts
    )
    return {start: exact(gb) for start, gb in charges.values_list("starts_at", "quantity")}


def mark(charged: Sequence[ChargedUsage], agreed: Mapping[int, ServiceUsagePrice]) -> None:
    """Note the charges on what they correct.  The caller holds the datastores' locks.

    Raises UsageMoved if more was learned since the usage was collected.
    """
    late = open_late([one.service_id for one in charged])
    for one in charged:
        rows = late.get(one.service_id)
        if not rows or usage_of(rows, agreed[one.service_id]) != one.usage:
            raise UsageMoved(
                f"More was learned about service {one.service_id} while it was billed."
            )
        LateSize.objects.filter(pk__in=[row.pk for row in rows]).update(charge_ref=one.charge_id)


def note_resumed(service_id: int, unbilled: Period, *, at: datetime) -> None:
    """Note as not billed what stands in a stretch that was charged as if the service had ended.

    Noting it again adds nothing while it is not charged.

        window    |-------- charged --------|
        service   |------ ended | kept --------
        unbilled                |-----------|
    """
    rows = Datastore.objects.select_for_update(no_key=True).filter(service_id=service_id)
    for row in rows.order_by("pk"):
        noted = row.late_sizes.filter(
            charge_ref=None,
            billed_bytes=0,
            starts_at__lte=unbilled.start,
            ends_at__gt=unbilled.start,
        )
        if not noted.exists():
            LateSize.objects.bulk_create(_standing_in(unbilled, row, at), ignore_conflicts=True)
        # From here on a change in the stretch is another correction.
        if row.charged_until is None or row.charged_until < unbilled.end:
            row.charged_until = unbilled.end
            row.save(update_fields=["charged_until"])


def _standing_in(unbilled: Period, row: Datastore, at: datetime) -> Iterator[LateSize]:
    for span in row.spans.order_by("starts_at", "pk"):
        seen_until = span.last_seen_at if row.missing_at else unbilled.end
        if inside := unbilled.overlap(span.starts_at, span.ends_at or seen_until):
            yield LateSize(
                datastore=row,
                starts_at=inside.start,
                ends_at=inside.end,
                billed_bytes=0,
                size_bytes=span.size_bytes,
                source=span.source,
                noted_at=at,
            )


def shares(exact_amounts: Sequence[Fraction], amount: Decimal, currency: str) -> list[Decimal]:
    """Amounts in whole minor units that add up to `amount`: the largest remainders go up."""
    scale = 10 ** minor_units(currency)
    units = [share * scale // 1 for share in exact_amounts]
    missing = int(amount * scale) - sum(units)
    by_remainder = sorted(range(len(units)), key=lambda i: units[i] - exact_amounts[i] * scale)
    for index in by_remainder[:missing]:
        units[index] += 1
    return [round_money(Fraction(share, scale), currency) for share in units]


def _parts(late: LateSize, service: Service) -> Iterator[Part]:
    """The stretch, cut at the windows it lies in; nothing is owed before the order.

    Nor after the end of the service, however long its data was kept.
    """
    starts_at = max(late.starts_at, service.created_at)
    ends_at = min(late.ends_at, service.ended_at or late.ends_at)
    if starts_at >= ends_at:
        return
    difference = Fraction(late.size_bytes - late.billed_bytes, BYTES_PER_GB)
    for window in slices_from(service.usage_counted_from, timezone=settings.SELLER_TIMEZONE):
        if window.start >= ends_at:
            return
        if inside := window.overlap(starts_at, ends_at):
            share = difference * inside.microseconds / window.microseconds
            yield Part(inside, window, late.billed_bytes, late.size_bytes, share)


def _description(period: Period) -> str:
    first, last = (_day(at) for at in (period.start, period.end))
    return f"Correction of backup storage, {first} to {last}"


def _day(at: datetime) -> str:
    return str(local_date(at, settings.SELLER_TIMEZONE))


def _evidence(
    parts: Sequence[Part], rate: Fraction, amount: Decimal, currency: str
) -> list[dict[str, Any]]:
    """JSON, a row per part; the amounts add up to `amount`."""
    amounts = shares([part.share * rate for part in parts], amount, currency)
    return [
        {
            "from": part.period.start.isoformat(),
            "to": part.period.end.isoformat(),
            "billed_gb": str(in_gb(part.billed_bytes)),
            "size_gb": str(in_gb(part.size_bytes)),
            "hours": str(round_places(part.period.hours, _PLACES)),
            "amount": str(share),
        }
        for part, share in zip(parts, amounts, strict=True)
    ]
