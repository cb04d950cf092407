"""Recorded sizes become one exact, explained amount per period."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from backups import queries, sizes
from backups.models import Datastore, SizeSpan
from backups.module import RemoteBackupsModule
from backups.span_rows import Look, Observation
from backups.usage import NoAgreedPrice
from billing_portal.calc.money import round_places
from billing_portal.calc.periods import Period
from billing_portal.calc.proration import SizeChange, in_time_order
from provisioning.contract import ChargedUsage, UsageMoved
from tests.backups.metering import usage_of
from tests.factories import make_product, make_server, make_service, utc

pytestmark = pytest.mark.django_db

GB = 10**9
NOVEMBER = Period(utc(2026, 11, 1), utc(2026, 12, 1))
VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())


def hours(count):
    return NOVEMBER.start + timedelta(hours=count)


def make_storage(price="10.00", **fields):
    """A service that was ordered long ago with an agreed price for storage."""
    return make_service(
        product=make_product(module_key="remote_backups"),
        **{"usage": {"storage": price}, "created_at": utc(2020, 1, 1)} | fields,
    )


def make_datastore(service, *changes, missing_at=None):
    """A datastore with these sizes, (moment, GB), each seen until the next; 0 GB ends it."""
    history = in_time_order([SizeChange(at, size_gb) for at, size_gb in changes])
    row = Datastore.objects.create(
        server=make_server(module_key="remote_backups"),
        remote_id=f"datastore-{Datastore.objects.count()}",
        service=service,
        name="nas",
        size_bytes=int(history[-1].size_gb * GB),
        first_seen_at=history[0].at,
        last_seen_at=history[-1].at,
        missing_at=missing_at,
    )
    for change, later in zip(history, [*history[1:], None], strict=True):
        if change.size_gb:
            SizeSpan.objects.create(
                datastore=row,
                size_bytes=int(change.size_gb * GB),
                starts_at=change.at,
                first_seen_at=change.at,
                last_seen_at=later.at if later else max(change.at, utc(2030, 1, 1)),
                ends_at=later.at if later else None,
                source="poll",
            )
    return row


def owed(service, period=NOVEMBER):
    (usage,) = [one for one in usage_of(service.pk, period) if one.metric == "storage"]
    return usage


# --- What it costs ---


def test_each_size_is_billed_for_the_hours_it_stood():
    service = make_storage()
    make_datastore(service, (hours(0), 500), (hours(200), 1000))

    usage = owed(service)

    assert (usage.amount, usage.currency) == (Decimal("8.61"), "EUR")
    assert (usage.quantity, usage.unit) == (Decimal("861.111111"), "GB")
    assert (usage.metric, usage.unit_price) == ("storage", Decimal("10.00"))
    assert usage.period == NOVEMBER
    assert usage.description == "Backup storage 2026-11-01 to 2026-12-01, average 861.11 GB"
    assert usage.evidence == {
        "segments": [
            {
                "size_gb": 500,
                "from": "2026-11-01T00:00:00+00:00",
                "to": "2026-11-09T08:00:00+00:00",
                "hours": "200",
                "amount": "1.39",
            },
            {
                "size_gb": 1000,
                "from": "2026-11-09T08:00:00+00:00",
                "to": "2026-12-01T00:00:00+00:00",
                "hours": "520",
                "amount": "7.22",
            },
        ],
        "average_gb": "861.111111",
        "price_per_1000gb": "10",
        "hours": "720",
    }


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_every_known_history_costs_what_was_worked_out(vector):
    service = make_storage(vector["price_per_1000gb"], currency=vector["currency"])
    events = [(datetime.fromisoformat(at), Decimal(size)) for at, size in vector["history"]]
    make_datastore(service, *events)

    for expected in vector["slices"]:
        period = Period(
            datetime.fromisoformat(expected["start"]), datetime.fromisoformat(expected["end"])
        )
        found = usage_of(service.pk, period)

        average = Fraction(expected["average_gb"])
        owed = [(expected["amount"], round_places(average, 6))] if average else []
        assert [(str(usage.amount), usage.quantity) for usage in found] == owed


def test_the_amounts_of_the_segments_add_up():
    service = make_storage("7.35")
    make_datastore(service, (hours(0), 500), (hours(100), 600), (hours(400), 700))

    usage = owed(service)

    # Exact: 0.5104..., 1.8375, 2.2866...; the missing cent goes to the largest remainder.
    assert usage.amount == Decimal("4.63")
    assert [segment["amount"] for segment in usage.evidence["segments"]] == ["0.51", "1.84", "2.28"]


def test_nothing_is_owed_before_the_service_was_ordered():
    service = make_storage(created_at=hours(360))
    make_datastore(service, (utc(2026, 1, 1), 900), (hours(100), 500))

    usage = owed(service)

    assert usage.amount == Decimal("2.50")
    assert [one["from"] for one in usage.evidence["segments"]] == ["2026-11-16T00:00:00+00:00"]


def test_nothing_is_owed_after_the_datastore_was_deleted():
    service = make_storage()
    make_datastore(service, (hours(0), 1000), (hours(72), 0))

    assert owed(service).amount == Decimal("1.00")
    assert usage_of(service.pk, Period(utc(2026, 12, 1), utc(2027, 1, 1))) == []


def test_a_missing_datastore_is_owed_for_as_long_as_it_was_seen():
    service = make_storage()
    row = make_datastore(service, (hours(0), 1000), missing_at=hours(73))
    row.spans.update(last_seen_at=hours(72))

    usage = owed(service)

    assert usage.amount == Decimal("1.00")
    assert "gaps" not in usage.evidence


def test_two_datastores_of_one_service_are_one_amount():
    service = make_storage()
    make_datastore(service, (hours(0), 500), (hours(360), 0))
    make_datastore(service, (hours(360), 1000))

    usage = owed(service)

    assert usage.amount == Decimal("7.50")
    assert [one["size_gb"] for one in usage.evidence["segments"]] == [500, 1000]


def test_a_size_off_the_grid_is_billed_exactly():
    service = make_storage("1000.00")
    make_datastore(service, (hours(0), Decimal("536.870912")))

    usage = owed(service)

    assert usage.amount == Decimal("536.87")
    assert usage.evidence["segments"][0]["size_gb"] == "536.870912"


def test_the_days_in_the_text_are_the_sellers(settings):
    settings.SELLER_TIMEZONE = "Europe/Berlin"
    service = make_storage()
    make_datastore(service, (utc(2026, 1, 1), 500))

    usage = owed(service, Period(utc(2026, 10, 31, 23), utc(2026, 11, 30, 23)))

    assert usage.description == "Backup storage 2026-11-01 to 2026-12-01, average 500.00 GB"


def test_a_service_without_datastores_owes_nothing():
    assert usage_of(make_storage().pk, NOVEMBER) == []


def test_a_price_of_nothing_is_not_a_missing_price():
    free, unpriced = make_storage("0"), make_storage(usage={})
    for service in (free, unpriced):
        make_datastore(service, (hours(0), 500))

    assert owed(free).amount == Decimal("0.00")
    with pytest.raises(NoAgreedPrice) as caught:
        usage_of(unpriced.pk, NOVEMBER)
    assert str(caught.value) == f"Service {unpriced.pk} has no agreed price for storage."


def test_the_number_of_queries_does_not_grow_with_the_history(django_assert_num_queries):
    service = make_storage()
    make_datastore(service, *((hours(hour), 500 + hour % 2 * 100) for hour in range(100)))

    with django_assert_num_queries(3):
        assert len(owed(service).evidence["segments"]) == 100


# --- From sightings ---


def sightings(service, *seen):
    """Look at one datastore of the service at these moments, (moment, GB)."""
    server = make_server(module_key="remote_backups")
    for at, size_gb in seen:
        see(server, at, size_gb)
    Datastore.objects.filter(remote_id="seen").update(service=service)


def see(server, at, size_gb):
    known = dict(Datastore.objects.values_list("remote_id", "last_seen_at"))
    observed = Observation("seen", "nas", size_gb * GB, None, None)
    sizes.record(Look(server.pk, at, [observed], known))


def test_what_only_looks_prove_is_billed_in_the_clients_favour():
    service = make_storage()
    # 10 November: 600 GB first seen at 11:00, last seen at 14:00.
    grown = [(hours(hour), 600) for hour in (227, 228, 229, 230)]
    sightings(service, (hours(0), 500), (hours(226), 500), *grown, (hours(231), 500))

    usage = owed(service)

    assert usage.quantity == Decimal("500.416667")
    assert [one["hours"] for one in usage.evidence["segments"]] == ["227", "3", "490"]


def test_hours_in_which_nobody_looked_are_listed():
    service = make_storage()
    day = Period(hours(0), hours(24))
    sightings(service, *((hours(hour), 500) for hour in range(24) if not 10 <= hour < 15))

    usage = owed(service, day)

    assert usage.amount == Decimal("5.00")
    gap = {"from": "2026-11-01T09:00:00+00:00", "to": "2026-11-01T15:00:00+00:00"}
    assert usage.evidence["gaps"] == [gap]
    assert queries.recording_gaps(service.pk, day) == [Period(hours(9), hours(15))]


@pytest.mark.parametrize("size_gb", [400, 600])
def test_a_gap_before_a_change_is_listed_in_both_directions(size_gb):
    service = make_storage()
    sightings(service, (hours(0), 500), (hours(1), 500), (hours(5), size_gb))

    assert queries.recording_gaps(service.pk, Period(hours(0), hours(6))) == [
        Period(hours(1), hours(5))
    ]


def test_recording_that_stopped_is_a_gap_until_the_end():
    service = make_storage()
    sightings(service, (hours(0), 500), (hours(1), 500))

    assert owed(service).evidence["gaps"] == [
        {"from": "2026-11-01T01:00:00+00:00", "to": "2026-12-01T00:00:00+00:00"}
    ]


# --- Charging ---


def charge(service, usage):
    RemoteBackupsModule.usage_charged([ChargedUsage(service.pk, usage, 1)])


def test_what_was_charged_does_not_change_any_more():
    service = make_storage()
    sightings(service, (hours(0), 800), (hours(718), 800))
    usage = owed(service)
    charge(service, usage)

    # Seen only now: it shrank some time after the last look.
    see(Datastore.objects.get().server, hours(722), 500)

    assert Datastore.objects.get().charged_until == NOVEMBER.end
    assert owed(service).amount == usage.amount
    assert [(span.size_gb, span.starts_at) for span in SizeSpan.objects.all()] == [
        (800, hours(0)),
        (800, hours(718)),
        (500, NOVEMBER.end),
    ]


def test_sizes_that_moved_while_they_were_billed_are_collected_again():
    service = make_storage()
    make_datastore(service, (hours(0), 500))
    usage = owed(service)
    SizeSpan.objects.update(size_bytes=600 * GB)

    with pytest.raises(UsageMoved, match=f"service {service.pk} changed"):
        charge(service, usage)

    assert Datastore.objects.get().charged_until is None


def test_charging_an_older_period_keeps_the_newer_mark():
    service = make_storage()
    make_datastore(service, (utc(2026, 10, 1), 500))
    for period in (NOVEMBER, Period(utc(2026, 10, 1), utc(2026, 11, 1))):
        charge(service, owed(service, period))

    assert Datastore.objects.get().charged_until == NOVEMBER.end


# --- For pages ---


def test_a_chart_gets_steps_until_the_last_look():
    service = make_storage()
    sightings(
        service, *((hours(hour), 500 if hour < 12 else 600) for hour in range(24) if hour != 6)
    )

    steps = queries.size_steps(service.pk, Period(hours(2), hours(48)))

    assert [(step.starts_at, step.ends_at, step.size_gb, step.source) for step in steps] == [
        (hours(2), hours(12), 500, "poll"),
        (hours(12), hours(23), 600, "poll"),
    ]


def test_a_page_without_a_datastore_is_empty():
    service = make_storage()

    assert queries.datastore_of(service.pk) is None
    assert queries.size_steps(service.pk, NOVEMBER) == []
    assert queries.recording_gaps(service.pk, NOVEMBER) == []


def test_the_list_for_staff_has_what_stands_in_order_of_account_and_name():
    service = make_storage()
    first, second = make_datastore(service, (hours(0), 500)), make_datastore(None, (hours(0), 500))
    gone = make_datastore(None, (hours(0), 500), (hours(9), 0))
    Datastore.objects.filter(pk=gone.pk).update(deleted_at=hours(9))

    assert list(queries.datastores()) == [first, second]


def test_times_of_spans_are_in_utc():
    make_datastore(make_storage(), (hours(0), 500))

    assert SizeSpan.objects.get().starts_at.tzinfo == UTC
