"""Calls as charges: the sum of what was rated and not yet charged.

A call belongs to the period it began in.  One that arrives after that period was charged
simply comes along with the next, and the evidence says so.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db.models import Count, Max, Q, QuerySet, Sum

from billing_portal.calc.money import round_money, round_places
from billing_portal.calc.periods import Period
from billing_portal.services.models import Service
from provisioning.contract import Usage, UsageMoved

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


def collect_usage(service_id: int, period: Period) -> list[Usage]:
    """What the service's calls cost that began before `period.end` and are not charged.

    One entry, or none without such calls.  Calls without a price are only counted: they
    are charged once they have one.
    """
    open_calls = _open_calls(service_id, period)
    destinations = _destinations(open_calls)
    if not destinations:
        return []
    currency = Service.objects.values_list("currency", flat=True).get(pk=service_id)
    late = Count("pk", filter=Q(started_at__lt=period.start))
    bounds = open_calls.aggregate(last=Max("pk"), late=late)
    whole = _sum("", destinations)
    minutes = round_places(Fraction(whole.billed_s, 60), 2)
    return [
        Usage(
            metric=METRIC,
            period=period,
            quantity=minutes,
            unit="min",
            unit_price=None,
            amount=round_money(whole.amount, currency),
            currency=currency,
            description=_description(whole.calls, minutes, late=bounds["late"]),
            evidence={
                **_plain(whole),
                "late_calls": bounds["late"],
                "unrated_calls": _unrated(service_id, period),
                "destinations": [_plain(one) for one in _listed(destinations)],
            },
            record_count=whole.calls,
            through_id=bounds["last"],
        )
    ]


def usage_charged(service_id: int, usage: Usage, *, charge_id: int) -> None:
    """Stamp the charge on exactly the calls it is for, in the caller's transaction.

    Raises UsageMoved if they are others, or cost something else, than were collected.
    """
    calls = _open_calls(service_id, usage.period).filter(pk__lte=usage.through_id)
    stamped = calls.update(charge_id=charge_id)
    micros = Call.objects.filter(charge_id=charge_id).aggregate(sum=Sum("amount_micros"))["sum"]
    amount = Fraction(micros or 0, 10**AMOUNT_PLACES)
    expected = Fraction(Decimal(usage.evidence["amount"]))
    if stamped != usage.record_count or amount != expected:
        raise UsageMoved(
            f"Service {service_id}: {usage.record_count} calls were collected,"
            f" {stamped} are there now."
        )


def _open_calls(service_id: int, period: Period) -> QuerySet[Call]:
    return Call.objects.filter(
        service_id=service_id,
        rating=Call.Rating.RATED,
        charge__isnull=True,
        started_at__lt=period.end,
    ).order_by()


def _unrated(service_id: int, period: Period) -> int:
    return Call.objects.filter(
        service_id=service_id, rating=Call.Rating.UNRATED, started_at__lt=period.end
    ).count()


def _destinations(calls: QuerySet[Call]) -> list[Destination]:
    """The calls by destination group, the dearest first."""
    groups = calls.values("rate_description").annotate(
        calls=Count("pk"),
        talked_s=Sum("billsec"),
        total_billed_s=Sum("billed_s"),
        micros=Sum("amount_micros"),
    )
    found = [
        Destination(
            description=group["rate_description"],
            calls=group["calls"],
            talked_s=group["talked_s"],
            billed_s=group["total_billed_s"],
            amount=Fraction(group["micros"], 10**AMOUNT_PLACES),
        )
        for group in groups
    ]
    return sorted(found, key=lambda one: (-one.amount, one.description))


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
