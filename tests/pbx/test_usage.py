"""Calls as charges."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing_portal.calc.periods import Period
from billing_portal.invoices.models import Charge
from pbx.models import Call
from pbx.usage import collect_usage, usage_charged
from provisioning.contract import ChargedUsage, Usage, UsageMoved
from tests.factories import AT, make_service, utc
from tests.pbx.call_rows import make_call, make_free, make_unrated

MARCH = Period(utc(2026, 3, 1), utc(2026, 4, 1))
APRIL = Period(utc(2026, 4, 1), utc(2026, 5, 1))
BERLIN = {
    "prefix": "49",
    "rate_description": "Germany",
    "billed_s": 120,
    "billsec": 90,
    "amount_micros": 24000,
}


def usage_of(service_id, period):
    return collect_usage({service_id: period}).get(service_id, [])


def charge_for(service, usage, key="calls"):
    return Charge.objects.create(
        client=service.client,
        service=service,
        key=key,
        metric=usage.metric,
        description=usage.description,
        starts_at=usage.period.start,
        ends_at=usage.period.end,
        quantity=usage.quantity,
        unit=usage.unit,
        amount=usage.amount,
        currency=usage.currency,
        evidence=dict(usage.evidence),
        created_at=AT,
    )


def charged(service, period, key="calls"):
    """Collect and charge a period as a bill run does; the amount, or None without usage."""
    for usage in usage_of(service.pk, period):
        with transaction.atomic():
            charge = charge_for(service, usage, key)
            usage_charged([ChargedUsage(service.pk, usage, charge.pk)])
        return usage.amount
    return None


def test_usage_is_the_sum_of_the_rated_calls_with_its_evidence(server, service):
    make_call(server, service)
    make_call(server, service)
    last = make_call(server, service, **BERLIN)
    make_free(server, service)
    make_unrated(server, service)
    make_call(server, make_service(product=service.product))

    assert usage_of(service.pk, MARCH) == [
        Usage(
            metric="calls",
            period=MARCH,
            quantity=Decimal("4.20"),
            unit="min",
            unit_price=None,
            amount=Decimal("0.05"),
            currency="EUR",
            description="Calls: 3, 4.20 min",
            evidence={
                "calls": 3,
                "talked_s": 212,
                "billed_s": 252,
                "amount": "0.046000",
                "late_calls": 0,
                "unrated_calls": 1,
                "destinations": [
                    {
                        "description": "Germany",
                        "calls": 1,
                        "talked_s": 90,
                        "billed_s": 120,
                        "amount": "0.024000",
                    },
                    {
                        "description": "Hamburg",
                        "calls": 2,
                        "talked_s": 122,
                        "billed_s": 132,
                        "amount": "0.022000",
                    },
                ],
            },
            record_count=3,
            through_id=last.pk,
        )
    ]


def test_the_sum_is_rounded_once(server, service):
    for _ in range(3):
        make_call(server, service, amount_micros=4999)

    usage = usage_of(service.pk, MARCH)[0]

    assert (usage.amount, usage.evidence["amount"]) == (Decimal("0.01"), "0.014997")


def test_sums_are_exact_where_floats_are_not(server, service):
    for _ in range(10):
        make_call(server, service, amount_micros=500_000_100_000_000_000 // 10)

    usage = usage_of(service.pk, MARCH)[0]

    assert usage.evidence["amount"] == "500000100000.000000"
    assert usage.amount == Decimal("500000100000.00")


def test_without_rated_calls_there_is_no_usage(server, service):
    make_free(server, service)
    make_unrated(server, service)

    assert usage_of(service.pk, MARCH) == []


def test_a_call_belongs_to_the_period_it_begins_in(server, service):
    for started_at in (MARCH.end - timedelta(seconds=1), MARCH.end):
        make_call(server, service, started_at=started_at)

    assert [usage.record_count for usage in usage_of(service.pk, MARCH)] == [1]


def test_charged_calls_are_never_charged_again(server, service):
    make_call(server, service, amount_micros=10_000)

    first, again = charged(service, MARCH), charged(service, MARCH, "again")

    assert (first, again) == (Decimal("0.01"), None)
    assert Call.objects.get().charge == Charge.objects.get()


def test_a_late_call_comes_along_with_the_next_period(server, service):
    make_call(server, service, amount_micros=10_000)
    charged(service, MARCH)
    make_call(server, service, amount_micros=20_000)
    make_call(server, service, started_at=APRIL.start, amount_micros=30_000)

    usage = usage_of(service.pk, APRIL)[0]

    assert (usage.amount, usage.evidence["late_calls"]) == (Decimal("0.05"), 1)
    assert usage.description == "Calls: 2, 2.20 min (1 from earlier)"
    assert charged(service, APRIL, "april") == Decimal("0.05")


def test_only_the_collected_calls_are_stamped(server, service):
    make_call(server, service)
    usage = usage_of(service.pk, MARCH)[0]
    arrived = make_call(server, service)
    charge = charge_for(service, usage)

    usage_charged([ChargedUsage(service.pk, usage, charge.pk)])

    assert list(Call.objects.filter(charge__isnull=True)) == [arrived]


@pytest.mark.parametrize("change", ["another", "dearer", "gone"])
def test_calls_that_moved_between_collecting_and_charging_are_noticed(server, service, change):
    first = make_unrated(server, service)
    make_call(server, service)
    usage = usage_of(service.pk, MARCH)[0]
    if change == "another":
        Call.objects.filter(pk=first.pk).update(rating="rated", amount_micros=0)
    elif change == "dearer":
        Call.objects.filter(rating="rated").update(amount_micros=11001)
    else:
        Call.objects.filter(rating="rated").delete()
        first.delete()

    with pytest.raises(UsageMoved), transaction.atomic():
        usage_charged([ChargedUsage(service.pk, usage, charge_for(service, usage).pk)])

    assert Call.objects.filter(charge__isnull=False).count() == 0
    assert Charge.objects.count() == 0


def test_a_currency_without_cents_is_rounded_to_whole_units(server, product):
    service = make_service(product=product, currency="JPY")
    make_call(server, service, amount_micros=1_500_000)

    usage = usage_of(service.pk, MARCH)[0]

    assert (usage.amount, usage.currency) == (Decimal(2), "JPY")


def test_many_destinations_are_listed_up_to_a_hundred(server, service):
    for number in range(105):
        make_call(server, service, rate_description=f"D{number:03}", amount_micros=1000 - number)

    destinations = usage_of(service.pk, MARCH)[0].evidence["destinations"]

    assert len(destinations) == 101
    assert [one["description"] for one in destinations[98:]] == [
        "D098",
        "D099",
        "All other destinations",
    ]
    assert (destinations[-1]["calls"], destinations[-1]["amount"]) == (5, "0.004490")


def test_the_database_refuses_to_charge_what_has_no_price_or_no_service(server, service):
    usage_row = make_call(server, service)
    charge = charge_for(service, usage_of(service.pk, MARCH)[0])
    usage_row.delete()
    for row in (make_unrated(server, service), make_free(server, service), make_call(server, None)):
        with pytest.raises(IntegrityError), transaction.atomic():
            Call.objects.filter(pk=row.pk).update(charge=charge)


@pytest.mark.parametrize("count", [1, 40])
def test_collecting_costs_the_same_however_many_calls(
    server, service, count, django_assert_num_queries
):
    for number in range(count):
        make_call(server, service, rate_description=f"D{number % 7}")

    with django_assert_num_queries(4):
        usage_of(service.pk, MARCH)
