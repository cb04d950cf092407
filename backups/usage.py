"""What recorded sizes cost: spans into segments, segments into one amount per period.

Billed is the provisioned size, for exactly as long as it stood; before the service was
ordered, and after it ended or the datastore was deleted, nothing is owed.  Only our own
rows are read.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db.models import Q

from billing_portal.calc.money import exact, round_money, round_places
from billing_portal.calc.periods import Period, local_date
from billing_portal.calc.proration import (
    Segment,
    SizeChange,
    average_gb,
    in_time_order,
    prorate_sizes,
    total_amount,
)
from billing_portal.calc.tiers import UnitPricing, amount_of, price_units
from billing_portal.errors import PortalError
from billing_portal.products.metering import pricing_of
from billing_portal.services.models import Service, ServiceUsagePrice
from provisioning.contract import ChargedUsage, Usage, UsageMoved

from . import corrections
from .corrections import shares
from .limits import GB_PER_PRICE
from .models import Datastore, SizeSpan
from .spans import unwatched

METRIC = "storage"
_PLACES = 6


class NoAgreedPrice(PortalError):
    """The service was ordered without a price for storage."""


def collect_usage(windows: Mapping[int, Period]) -> dict[int, list[Usage]]:
    """What the datastores of each service owe for its window; nothing stood, no usage.

    What became known too late for an earlier period is another usage, which may be negative.
    500 GB for 200 h, then 1000 GB for 520 h, at 10.00 per 1000 GB: 861.11 GB, 8.61.
    Raises NoAgreedPrice if a service that owes has none for storage.
    """
    spans = _spans(windows)
    late = corrections.open_late(windows)
    agreed = _agreed_prices({*spans, *late})
    found: dict[int, list[Usage]] = {}
    for service_id, period in windows.items():
        usages = _storage(spans.get(service_id, []), period, agreed.get(service_id))
        if service_id in late:
            difference = corrections.usage_of(late[service_id], agreed[service_id])
            usages += [difference] if difference else []
        found[service_id] = usages
    return found


def _storage(
    spans: Sequence[SizeSpan], period: Period, agreed: ServiceUsagePrice | None
) -> list[Usage]:
    if not spans or agreed is None:
        return []
    price_per_gb = Fraction(agreed.price) / GB_PER_PRICE
    segments = _segments(spans, period, price_per_gb, agreed.service)
    if not segments:
        return []
    currency = agreed.service.currency
    average = average_gb(segments, period)
    pricing = pricing_of(agreed, per=GB_PER_PRICE)
    exact_amount = total_amount(segments) if pricing.is_linear else amount_of(average, pricing)
    amount = round_money(exact_amount, currency)
    evidence = _evidence(segments, spans, period, agreed.price, amount, currency)
    if not pricing.is_linear:
        evidence |= _pricing_evidence(average, pricing)
    return [
        Usage(
            metric=METRIC,
            period=period,
            quantity=round_places(average, _PLACES),
            unit="GB",
            unit_price=agreed.price if pricing.is_linear else None,
            amount=amount,
            currency=currency,
            description=_description(period, average),
            evidence=evidence,
            record_count=len(segments),
        )
    ]


def usage_charged(charged: Sequence[ChargedUsage]) -> None:
    """Keep the recorded sizes of the usages' periods as they are from now on.

    Raises UsageMoved if they changed since they were collected.
    """
    ids = {one.service_id for one in charged}
    locked = Datastore.objects.select_for_update(no_key=True).filter(service_id__in=ids)
    list(locked.order_by("pk").values_list("pk"))
    late = [one for one in charged if one.usage.metric == corrections.METRIC]
    if late:
        corrections.mark(late, _agreed_prices({one.service_id for one in late}))
    stood = {one.service_id: one.usage for one in charged if one.usage.metric == METRIC}
    _check_unmoved(stood)
    ends: dict[datetime, list[int]] = {}
    for service_id, usage in stood.items():
        ends.setdefault(usage.period.end, []).append(service_id)
    for end, service_ids in ends.items():
        unmarked = Q(charged_until__isnull=True) | Q(charged_until__lt=end)
        Datastore.objects.filter(unmarked, service_id__in=service_ids).update(charged_until=end)


def _check_unmoved(stood: Mapping[int, Usage]) -> None:
    spans = _spans({service_id: usage.period for service_id, usage in stood.items()})
    agreed = _agreed_prices(spans.keys())
    for service_id, usage in stood.items():
        now = _storage(spans.get(service_id, []), usage.period, agreed.get(service_id))
        if now != [usage]:
            raise UsageMoved(
                f"The recorded sizes of service {service_id} changed while it was billed."
            )


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


def _spans(windows: Mapping[int, Period]) -> dict[int, list[SizeSpan]]:
    """By service: the spans of its datastores that touch its window, by datastore, in time order.

    Services without any are missing.
    """
    if not windows:
        return {}
    first, last = min(p.start for p in windows.values()), max(p.end for p in windows.values())
    stood = Q(ends_at__isnull=True) | Q(ends_at__gt=first)
    spans = (
        SizeSpan.objects.filter(stood, datastore__service_id__in=windows, starts_at__lt=last)
        .select_related("datastore")
        .order_by("datastore_id", "starts_at", "pk")
    )
    found: dict[int, list[SizeSpan]] = {}
    for span in spans:
        service_id = span.datastore.service_id
        assert service_id is not None  # asked for by service
        window = windows[service_id]
        if span.starts_at < window.end and (span.ends_at is None or span.ends_at > window.start):
            found.setdefault(service_id, []).append(span)
    return found


def _agreed_prices(service_ids: Collection[int]) -> dict[int, ServiceUsagePrice]:
    """The agreed price of each service, with the service."""
    if not service_ids:
        return {}
    rows = ServiceUsagePrice.objects.filter(service_id__in=service_ids, metric=METRIC)
    found = {row.service_id: row for row in rows.select_related("service")}
    for service_id in service_ids:
        if service_id not in found:
            raise NoAgreedPrice(f"Service {service_id} has no agreed price for storage.")
    return found


def _segments(
    spans: Sequence[SizeSpan], period: Period, price_per_gb: Fraction, service: Service
) -> list[Segment]:
    """The priced stretches of every datastore, oldest first."""
    segments: list[Segment] = []
    for _, of_one in groupby(spans, key=lambda span: span.datastore_id):
        changes = in_time_order(_until_end(_changes(list(of_one), service.created_at), service))
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


def _until_end(changes: Iterable[SizeChange], service: Service) -> Iterator[SizeChange]:
    """Up to the end of the service: data that is kept for a while after it costs nothing."""
    ended_at = service.ended_at
    if ended_at is None:
        yield from changes
        return
    yield from (change for change in changes if change.at < ended_at)
    yield SizeChange(ended_at, 0)


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
    amounts = _shares_of(segments, amount, currency)
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


def _shares_of(segments: Sequence[Segment], amount: Decimal, currency: str) -> list[Decimal]:
    """The amount shared out among the segments, by what they would cost at the plain price."""
    plain = sum((segment.amount for segment in segments), Fraction())
    if not plain:
        return [round_money(0, currency)] * len(segments)
    return shares([s.amount * exact(amount) / plain for s in segments], amount, currency)


def _pricing_evidence(average: Fraction, pricing: UnitPricing) -> dict[str, Any]:
    """What was included, and what each bracket of the rest costs."""
    return {
        "included_gb": _plain(exact(pricing.included)),
        "brackets": [
            {
                "gb": _plain(part.units),
                "price_per_1000gb": _plain(exact(part.price)),
                "amount": _plain(part.amount),
            }
            for part in price_units(average, pricing)
        ],
    }


def _size_gb(size_gb: int | Decimal) -> int | str:
    return size_gb if isinstance(size_gb, int) else str(size_gb)


def _plain(value: Fraction) -> str:
    """A number for display, six places at most: 720, 861.111111."""
    text = str(round_places(value, _PLACES))
    return text.rstrip("0").rstrip(".") if "." in text else text
