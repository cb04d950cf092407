"""What pages show of a PBX: extensions, calls, totals, and what needs a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Q, QuerySet, Sum

from billing_portal.calc.periods import Period
from billing_portal.errors import PortalError

from .call_rating import explain
from .models import MICRO, Call, CallCursor, Extension

PAGE = 50


class BadPlace(PortalError):
    """The address names a place in the call list that cannot be."""


@dataclass(frozen=True, slots=True)
class CallPage:
    """Calls, newest first.  `older` continues after them; it is "" on the last page."""

    calls: Sequence[Call]
    older: str


@dataclass(frozen=True, slots=True)
class CallTotals:
    """All calls of a period together.  `amount` leaves out the unrated ones."""

    calls: int
    talked_s: int
    billed_s: int
    amount: Decimal
    unrated: int


def extensions(service_id: int) -> list[Extension]:
    """The service's present extensions, in order of number."""
    return list(
        Extension.objects.filter(tenant__service_id=service_id, removed_at__isnull=True).order_by(
            "number", "pk"
        )
    )


def call_page(
    service_id: int,
    *,
    period: Period | None = None,
    direction: str = "",
    search: str = "",
    older_than: str = "",
    limit: int = PAGE,
) -> CallPage:
    """A page of a service's calls, newest first: those after the place `older_than`.

    `search` looks for digits in the number called or calling and for an extension.
    However deep the page, it costs the same.  Raises BadPlace.
    """
    calls = _matching(service_id, period, direction, search)
    if older_than:
        started_at, pk = _read_place(older_than)
        calls = calls.filter(Q(started_at__lt=started_at) | Q(started_at=started_at, pk__lt=pk))
    # One more than shown tells whether there is another page.
    found = list(calls.order_by("-started_at", "-pk")[: limit + 1])
    shown = found[:limit]
    return CallPage(shown, _place(shown[-1]) if len(found) > limit else "")


def call_totals(
    service_id: int, *, period: Period | None = None, direction: str = "", search: str = ""
) -> CallTotals:
    """The sums over what `call_page` pages through, in one query."""
    sums = _matching(service_id, period, direction, search).aggregate(
        calls=Count("pk"),
        talked_s=Sum("billsec", default=0),
        total_billed_s=Sum("billed_s", default=0),
        micros=Sum("amount_micros", default=0),
        unrated=Count("pk", filter=Q(rating=Call.Rating.UNRATED)),
    )
    return CallTotals(
        calls=sums["calls"],
        talked_s=sums["talked_s"],
        billed_s=sums["total_billed_s"],
        amount=sums["micros"] * MICRO,
        unrated=sums["unrated"],
    )


def calls_of_charge(charge_id: int) -> QuerySet[Call]:
    """The itemised bill behind a charge, in time order."""
    return Call.objects.filter(charge_id=charge_id).order_by("started_at", "pk")


def unrated_calls() -> QuerySet[Call]:
    """Calls of our services nobody has a price for, newest first: a list to act on."""
    unrated = Call.objects.filter(rating=Call.Rating.UNRATED, service__isnull=False)
    return unrated.select_related("service__product", "service__client").order_by("-pk")


def parked_calls() -> QuerySet[Call]:
    """Calls no service of ours made, newest first."""
    parked = Call.objects.filter(service__isnull=True)
    return parked.select_related("server", "tenant").order_by("-pk")


def cursors() -> list[CallCursor]:
    """How far every server has been read, and what stopped it."""
    return list(CallCursor.objects.select_related("server").order_by("server__name", "server_id"))


def why(call: Call) -> str:
    """Why the call costs what it costs, in a sentence."""
    return explain(call.explanation)


def _matching(
    service_id: int, period: Period | None, direction: str, search: str
) -> QuerySet[Call]:
    calls = Call.objects.filter(service_id=service_id)
    if period is not None:
        calls = calls.filter(started_at__gte=period.start, started_at__lt=period.end)
    if direction:
        calls = calls.filter(direction=direction)
    if text := search.strip().lstrip("+"):
        calls = calls.filter(
            Q(destination__contains=text) | Q(caller__contains=text) | Q(extension_number=text)
        )
    return calls


def _place(call: Call) -> str:
    return f"{call.started_at.isoformat()}_{call.pk}"


def _read_place(place: str) -> tuple[datetime, int]:
    moment, _, pk = place.rpartition("_")
    try:
        # An unquoted + in an address arrives as a space.
        started_at = datetime.fromisoformat(moment.replace(" ", "+"))
        if started_at.tzinfo is None:
            raise ValueError("no time zone")
        return started_at, int(pk)
    except ValueError as error:
        raise BadPlace(f"{place!r} is no place in the list of calls.") from error
