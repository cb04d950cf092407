"""Pricing again the calls that had no price, after a tariff or a tenant became known.

Only unrated calls are touched: what has a price keeps it, and so does what is charged.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from .models import Call, Tenant
from .tariffs import TariffBook

BATCH = 1000
CHANGED = [
    "service",
    "rating",
    "destination_digits",
    "prefix",
    "rate_description",
    "billed_s",
    "amount_micros",
    "explanation",
]


@dataclass(slots=True)
class RerateReport:
    """How many unrated calls have a price now, and how many still have none."""

    priced: int = 0
    unrated: int = 0


def rerate(
    *,
    service_id: int | None = None,
    dry_run: bool = False,
    tell: Callable[[Call], None] = lambda call: None,
) -> RerateReport:
    """Price the unrated calls of all services, or of one.

    `tell` gets every call looked at, in order of arrival, as it is now; in a dry run, as
    it would be.
    """
    calls = Call.objects.filter(rating=Call.Rating.UNRATED, service__isnull=False)
    if service_id is not None:
        calls = calls.filter(service_id=service_id)
    report, book, last = RerateReport(), TariffBook(), 0
    while True:
        with transaction.atomic():
            batch = _batch(calls, after=last)
            for call in batch:
                _price(call, book)
            priced = [call for call in batch if call.rating != Call.Rating.UNRATED]
            if not dry_run:
                Call.objects.bulk_update(priced, CHANGED)
        for call in batch:
            tell(call)
        report.priced += len(priced)
        report.unrated += len(batch) - len(priced)
        if len(batch) < BATCH:
            return report
        last = batch[-1].pk


def adopt(tenant: Tenant) -> int:
    """Give a tenant's parked calls to its service, priced; how many there were.

    In the caller's transaction, which has locked the tenant.
    """
    parked = Call.objects.filter(tenant=tenant, service__isnull=True)
    book, adopted = TariffBook(), 0
    while batch := _batch(parked, after=0):
        for call in batch:
            call.service = tenant.service
            _price(call, book)
        Call.objects.bulk_update(batch, CHANGED)
        adopted += len(batch)
    return adopted


def _batch(calls: QuerySet[Call], *, after: int) -> list[Call]:
    """The next calls by primary key, locked."""
    following = calls.filter(pk__gt=after).select_related("service__product").order_by("pk")
    return list(following.select_for_update(of=("self",), no_key=True)[:BATCH])


def _price(call: Call, book: TariffBook) -> None:
    """Set the call's fields anew."""
    outcome = book.rater_for(call.service).rate(
        direction=call.direction,
        leg=call.leg,
        billsec=call.billsec,
        hangup_cause=call.hangup_cause,
        destination=call.destination,
    )
    call.rating = outcome.rating
    call.destination_digits = outcome.destination_digits[:40]
    call.prefix = outcome.prefix
    call.rate_description = outcome.rate_description
    call.billed_s = outcome.billed_s
    call.amount_micros = outcome.amount_micros
    call.explanation = dict(outcome.explanation)
