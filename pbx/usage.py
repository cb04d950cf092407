"""Calls as charges: the sum of what was rated and not yet charged.

A call belongs to the period it began in.  One that arrives after that period was charged
simply comes along with the next, and the evidence says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.apps import apps
from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery, Sum

from billing_portal.calc.money import round_money, round_places
from billing_portal.calc.periods import Period
from billing_portal.services.models import Service
from provisioning.contract import ChargedUsage, Usage, UsageMoved

from .models import Call
from .rating import AMOUNT_PLACES

METRIC = "calls"
LISTED_DESTINATIONS = 100
REST = "All other destinations"


@dataclass(frozen=True, slots=True)
class Destination:
    """The calls to one destination group.  `amount` is exact."""

    description: str
    calls: int
    talked_s: int
    billed_s: int
    amount: Fraction


def collect_usage(windows: Mapping[int, Period]) -> dict[int, list[Usage]]:
    """What the calls of each service cost that began before its window's end, not charged yet.

    One entry, or none without such calls.  Calls without a price are only counted: they
    are charged once they have one.
    """
    found: dict[int, list[Usage]] = {}
    for period, service_ids in _by_period(windows.items()):
        destinations = _destinations(_open_calls(service_ids, period))
        if destinations:
            found |= _usages(destinations, period)
    return found


def _usages(
    destinations: Mapping[int, list[Destination]], period: Period
) -> dict[int, list[Usage]]:
    services = Service.objects.filter(pk__in=destinations).values_list("pk", "currency")
    open_calls = _open_calls(destinations, period).values("service_id")
    late = Count("pk", filter=Q(started_at__lt=period.start))
    bounds = {row["service_id"]: row for row in open_calls.annotate(last=Max("pk"), late=late)}
    unrated = _unrated(destinations, period)
    return {
        service_id: [
            _usage(
                destinations[service_id],
                period,
                currency,
                late=bounds[service_id]["late"],
                unrated=unrated.get(service_id, 0),
                through_id=bounds[service_id]["last"],
            )
        ]
        for service_id, currency in services
    }


def _usage(
    destinations: list[Destination],
    period: Period,
    currency: str,
    *,
    late: int,
    unrated: int,
    through_id: int,
) -> Usage:
    whole = _sum("", destinations)
    minutes = round_places(Fraction(whole.billed_s, 60), 2)
    return Usage(
        metric=METRIC,
        period=period,
        quantity=minutes,
        unit="min",
        unit_price=None,
        amount=round_money(whole.amount, currency),
        currency=currency,
        description=_description(whole.calls, minutes, late=late),
        evidence={
            **_plain(whole),
            "late_calls": late,
            "unrated_calls": unrated,
            "destinations": [_plain(one) for one in _listed(destinations)],
        },
        record_count=whole.calls,
        through_id=through_id,
    )


def usage_charged(charged: Sequence[ChargedUsage]) -> None:
    """Stamp the charges on exactly the calls they are for, in the caller's transaction.

    Raises UsageMoved if they are others, or cost something else, than were collected.
    """
    by_service = {one.service_id: one for one in charged}
    charge_ids = [one.charge_id for one in charged]
    charges = apps.get_model("invoices", "Charge").objects.filter(pk__in=charge_ids)
    mine = Subquery(charges.filter(service_id=OuterRef("service_id")).values("pk")[:1])
    windows = {one.service_id: one.usage.period for one in charged}
    for period, service_ids in _by_period(windows.items()):
        # A call beyond the last one collected of its own service shows as one too many below.
        last = max(by_service[service_id].usage.through_id for service_id in service_ids)
        _open_calls(service_ids, period).filter(pk__lte=last).update(charge_id=mine)
    stamped = {
        row["charge_id"]: (row["calls"], Fraction(row["micros"], 10**AMOUNT_PLACES))
        for row in Call.objects.filter(charge_id__in=charge_ids)
        .order_by()
        .values("charge_id")
        .annotate(calls=Count("pk"), micros=Sum("amount_micros"))
    }
    for one in charged:
        expected = (one.usage.record_count, Fraction(Decimal(one.usage.evidence["amount"])))
        found = stamped.get(one.charge_id, (0, Fraction()))
        if found != expected:
            raise UsageMoved(
                f"Service {one.service_id}: {expected[0]} calls were collected,"
                f" {found[0]} are there now."
            )


def _by_period(windows: Iterable[tuple[int, Period]]) -> Iterable[tuple[Period, list[int]]]:
    """The services of each window; services billed on one day mostly share theirs."""
    found: dict[Period, list[int]] = {}
    for service_id, period in windows:
        found.setdefault(period, []).append(service_id)
    return found.items()


def _open_calls(service_ids: Iterable[int], period: Period) -> QuerySet[Call]:
    return Call.objects.filter(
        service_id__in=list(service_ids),
        rating=Call.Rating.RATED,
        charge__isnull=True,
        started_at__lt=period.end,
    ).order_by()


def _unrated(service_ids: Iterable[int], period: Period) -> dict[int, int]:
    calls = Call.objects.filter(
        service_id__in=list(service_ids),
        rating=Call.Rating.UNRATED,
        started_at__lt=period.end,
    )
    counted = calls.order_by().values("service_id").annotate(calls=Count("pk"))
    return {row["service_id"]: row["calls"] for row in counted}


def _destinations(calls: QuerySet[Call]) -> dict[int, list[Destination]]:
    """By service: its calls by destination group, the dearest first."""
    groups = calls.values("service_id", "rate_description").annotate(
        calls=Count("pk"),
        talked_s=Sum("billsec"),
        total_billed_s=Sum("billed_s"),
        micros=Sum("amount_micros"),
    )
    found: dict[int, list[Destination]] = {}
    for group in groups:
        found.setdefault(group["service_id"], []).append(
            Destination(
                description=group["rate_description"],
                calls=group["calls"],
                talked_s=group["talked_s"],
                billed_s=group["total_billed_s"],
                amount=Fraction(group["micros"], 10**AMOUNT_PLACES),
            )
        )
    for destinations in found.values():
        destinations.sort(key=lambda one: (-one.amount, one.description))
    return found


def _listed(destinations: list[Destination]) -> list[Destination]:
    """The dearest ones, the others as one."""
    rest = destinations[LISTED_DESTINATIONS:]
    return destinations[:LISTED_DESTINATIONS] + ([_sum(REST, rest)] if rest else [])


def _sum(description: str, destinations: list[Destination]) -> Destination:
    return Destination(
        description=description,
        calls=sum(one.calls for one in destinations),
        talked_s=sum(one.talked_s for one in destinations),
        billed_s=sum(one.billed_s for one in destinations),
        amount=sum((one.amount for one in destinations), Fraction()),
    )


def _plain(one: Destination) -> dict[str, Any]:
    """As evidence carries it; amounts are texts with all their decimals."""
    plain = {
        "calls": one.calls,
        "talked_s": one.talked_s,
        "billed_s": one.billed_s,
        "amount": f"{round_places(one.amount, AMOUNT_PLACES):f}",
    }
    return {"description": one.description, **plain} if one.description else plain


def _description(calls: int, minutes: Decimal, *, late: int) -> str:
    """What the invoice says: "Calls: 12, 34.50 min" or "Calls: 12, 34.50 min (2 from earlier)"."""
    text = f"Calls: {calls}, {minutes} min"
    return f"{text} ({late} from earlier)" if late else text
