"""What recorded sizes cost: spans into segments, segments into one amount per period.

Billed is the provisioned size, for exactly as long as it stood; before the service was
ordered and after the datastore was deleted nothing is owed.  Only our own rows are read.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db.models import Q

from billing_portal.calc.money import round_money, round_places
from billing_portal.calc.periods import Period, local_date
from billing_portal.calc.proration import (
    Segment,
    SizeChange,
    average_gb,
    in_time_order,
    prorate_sizes,
    total_amount,
)
from billing_portal.errors import PortalError
from billing_portal.services.models import ServiceUsagePrice
from provisioning.contract import Usage, UsageMoved

from . import corrections
from .corrections import shares
from .limits import GB_PER_PRICE
from .models import Datastore, SizeSpan
from .spans import unwatched

METRIC = "storage"
_PLACES = 6


class NoAgreedPrice(PortalError):
    """The service was ordered without a price for storage."""


def collect_usage(service_id: int, period: Period) -> list[Usage]:
    """What a service's datastores owe for `period`, as one usage; nothing stood, no usage.

    What became known too late for an earlier period is another usage, which may be negative.
    500 GB for 200 h, then 1000 GB for 520 h, at 10.00 per 1000 GB: 861.11 GB, 8.61.
    Raises NoAgreedPrice if the service has none for storage.
    """
    usages = _storage(service_id, period)
    if late := corrections.open_late(service_id):
        difference = corrections.usage_of(late, agreed_price(service_id))
        usages += [difference] if difference else []
    return usages


def _storage(service_id: int, period: Period) -> list[Usage]:
    spans = _spans(service_id, period)
    if not spans:
        return []
    agreed = agreed_price(service_id)
    price_per_gb = Fraction(agreed.price) / GB_PER_PRICE
    segments = _segments(spans, period, price_per_gb, ordered_at=agreed.service.created_at)
    if not segments:
        return []
    currency = agreed.service.currency
    average = average_gb(segments, period)
    amount = round_money(total_amount(segments), currency)
    return [
        Usage(
            metric=METRIC,
            period=period,
            quantity=round_places(average, _PLACES),
            unit="GB",
            unit_price=agreed.price,
            amount=amount,
            currency=currency,
            description=_description(period, average),
            evidence=_evidence(segments, spans, period, agreed.price, amount, currency),
            record_count=len(segments),
        )
    ]


def usage_charged(service_id: int, usage: Usage, *, charge_id: int) -> None:
    """Keep the recorded sizes of the usage's period as they are from now on.

    Raises UsageMoved if they changed since they were collected.
    """
    datastores = (
        Datastore.objects.select_for_update(no_key=True)
        .filter(service_id=service_id)
        .order_by("pk")
    )
    ids = [row.pk for row in datastores]
    if usage.metric == corrections.METRIC:
        corrections.mark(service_id, usage, agreed_price(service_id), charge_id=charge_id)
        return
    if _storage(service_id, usage.period) != [usage]:
        raise UsageMoved(f"The recorded sizes of service {service_id} changed while it was billed.")
    unmarked = Q(charged_until__isnull=True) | Q(charged_until__lt=usage.period.end)
    Datastore.objects.filter(unmarked, pk__in=ids).update(charged_until=usage.period.end)


def gaps(spans: Iterable[SizeSpan], period: Period) -> list[Period]:
    """When nobody was looking inside `period`, oldest first.

    span        |......=========......|      . not watched, = watched
    gaps        |-----|         |-----|      if longer than an hour and a half
    """
    found = set()
    for span in spans:
        ends_at = span.ends_at or (span.last_seen_at if _is_missing(span) else period.end)
        for earlier, later in (
            (span.starts_at, span.first_seen_at),
            (span.last_seen_at, ends_at),
        ):
            gap = period.overlap(earlier, later) if unwatched(earlier, later) else None
            if gap:
                found.add((gap.start, gap.end))
    return [Period(start, end) for start, end in sorted(found)]


def _spans(service_id: int, period: Period) -> list[SizeSpan]:
    """The spans of a service's datastores that touch `period`, by datastore, in time order."""
    stood = Q(ends_at__isnull=True) | Q(ends_at__gt=period.start)
    return list(
        SizeSpan.objects.filter(stood, datastore__service_id=service_id, starts_at__lt=period.end)
        .select_related("datastore")
        .order_by("datastore_id", "starts_at", "pk")
    )


def agreed_price(service_id: int) -> ServiceUsagePrice:
    agreed = (
        ServiceUsagePrice.objects.filter(service_id=service_id, metric=METRIC)
        .select_related("service")
        .first()
    )
    if agreed is None:
        raise NoAgreedPrice(f"Service {service_id} has no agreed price for storage.")
    return agreed


def _segments(
    spans: Sequence[SizeSpan], period: Period, price_per_gb: Fraction, *, ordered_at: datetime
) -> list[Segment]:
    """The priced stretches of every datastore, oldest first."""
    segments: list[Segment] = []
    for _, of_one in groupby(spans, key=lambda span: span.datastore_id):
        changes = in_time_order(_changes(list(of_one), ordered_at))
        segments += prorate_sizes(changes, period=period, price_per_gb=price_per_gb)
    return sorted(segments, key=lambda segment: segment.period.start)


def _changes(spans: Sequence[SizeSpan], ordered_at: datetime) -> Iterator[SizeChange]:
    """The sizes of one datastore from the order on; the last one ends with its span."""
    for span in spans:
        yield SizeChange(max(span.starts_at, ordered_at), span.size_gb)
    last = spans[-1]
    # One that is missing is billed for as long as it was seen.
    ends_at = last.ends_at or (last.last_seen_at if _is_missing(last) else None)
    if ends_at:
        yield SizeChange(max(ends_at, ordered_at), 0)


def _is_missing(span: SizeSpan) -> bool:
    return span.datastore.missing_at is not None


def _description(period: Period, average: Fraction) -> str:
    first, end = (local_date(at, settings.SELLER_TIMEZONE) for at in (period.start, period.end))
    return f"Backup storage {first} to {end}, average {round_places(average, 2)} GB"


def _evidence(
    segments: Sequence[Segment],
    spans: Sequence[SizeSpan],
    period: Period,
    price: Decimal,
    amount: Decimal,
    currency: str,
) -> dict[str, Any]:
    """JSON: what the amount follows from.  Numbers are texts, but for whole GB.

    The amounts of the segments add up to `amount`.
    """
    amounts = shares([segment.amount for segment in segments], amount, currency)
    evidence: dict[str, Any] = {
        "segments": [
            {
                "size_gb": _size_gb(segment.size_gb),
                "from": segment.period.start.isoformat(),
                "to": segment.period.end.isoformat(),
                "hours": _plain(segment.period.hours),
                "amount": str(share),
            }
            for segment, share in zip(segments, amounts, strict=True)
        ],
        "average_gb": _plain(average_gb(segments, period)),
        "price_per_1000gb": _plain(Fraction(price)),
        "hours": _plain(period.hours),
    }
    if unseen := gaps(spans, period):
        evidence["gaps"] = [
            {"from": gap.start.isoformat(), "to": gap.end.isoformat()} for gap in unseen
        ]
    return evidence


def _size_gb(size_gb: int | Decimal) -> int | str:
    return size_gb if isinstance(size_gb, int) else str(size_gb)


def _plain(value: Fraction) -> str:
    """A number for display, six places at most: 720, 861.111111."""
    text = str(round_places(value, _PLACES))
    return text.rstrip("0").rstrip(".") if "." in text else text
