"""The stand-in's own time: an account's clock, and the autoscaler that ticks by it."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

START = datetime(2026, 11, 1, tzinfo=UTC)
PATH = "/reseller/datastore"


def made(vendor, size_gb=500):
    return vendor.post(PATH, json={"friendly": "nas", "size": size_gb}).json()["_id"]


def log(vendor, datastore_id, days=30):
    entries = vendor.get(f"{PATH}/{datastore_id}/rescale-log", params={"range": f"{days}d"}).json()
    return [(entry["from"], entry["to"], entry["createdAt"]) for entry in entries]


def size_gb(vendor, datastore_id):
    return vendor.get(f"{PATH}/{datastore_id}").json()["size"] // 10**9


# --- Time ---


def test_an_accounts_clock_runs_on_from_where_it_is_set(vendor, remote):
    remote.set_clock(START)

    assert timedelta() <= remote.clock() - START < timedelta(seconds=5)


def test_the_clock_does_not_go_back_past_what_happened(vendor, remote):
    remote.set_clock(START)
    made(vendor)

    with pytest.raises(httpx.HTTPStatusError, match="409"):
        remote.set_clock(START - timedelta(days=1))


def test_a_resize_by_the_vendor_has_the_moment_it_was_given(vendor, remote):
    remote.set_clock(START)
    datastore_id = made(vendor)
    remote.set_clock(START + timedelta(days=10))

    remote.resize(datastore_id, 1000, at=START + timedelta(hours=200))

    assert log(vendor, datastore_id) == [(500, 1000, "2026-11-09T08:00:00.000Z")]


def test_a_resize_in_the_future_happens_when_its_moment_comes(vendor, remote):
    remote.set_clock(START)
    datastore_id = made(vendor)
    remote.resize(datastore_id, 1000, at=START + timedelta(hours=200))

    before = size_gb(vendor, datastore_id)
    remote.set_clock(START + timedelta(hours=201))

    assert (before, size_gb(vendor, datastore_id)) == (500, 1000)
    assert log(vendor, datastore_id) == [(500, 1000, "2026-11-09T08:00:00.000Z")]


def test_the_past_cannot_be_rewritten(vendor, remote):
    remote.set_clock(START)
    datastore_id = made(vendor)
    remote.set_clock(START + timedelta(days=10))
    remote.resize(datastore_id, 1000, at=START + timedelta(days=5))

    with pytest.raises(httpx.HTTPStatusError, match="409"):
        remote.resize(datastore_id, 700, at=START + timedelta(days=3))
    assert size_gb(vendor, datastore_id) == 1000


def test_the_log_is_newest_first_and_reaches_back_the_days_asked_for(vendor, remote):
    remote.set_clock(START)
    datastore_id = made(vendor)
    remote.resize(datastore_id, 600, at=START + timedelta(days=1))
    remote.resize(datastore_id, 700, at=START + timedelta(days=40))
    remote.set_clock(START + timedelta(days=50))

    assert [entry[:2] for entry in log(vendor, datastore_id, days=90)] == [(600, 700), (500, 600)]
    assert [entry[:2] for entry in log(vendor, datastore_id, days=30)] == [(600, 700)]
    bad = vendor.get(f"{PATH}/{datastore_id}/rescale-log", params={"range": "month"})
    assert bad.status_code == 400


# --- The autoscaler ---


def test_it_grows_100_gb_at_every_five_minutes_until_there_is_room(vendor, remote):
    remote.set_clock(START + timedelta(minutes=2))
    datastore_id = made(vendor)
    remote.autoscale(datastore_id)
    remote.use(datastore_id, 600, at=START + timedelta(hours=1))
    remote.set_clock(START + timedelta(hours=2))

    # 600 of 700 GB is 85.7 %, of 800 GB 75 %.  What did not fit was waiting.
    assert log(vendor, datastore_id) == [
        (700, 800, "2026-11-01T01:10:00.000Z"),
        (600, 700, "2026-11-01T01:05:00.000Z"),
        (500, 600, "2026-11-01T01:00:00.000Z"),
    ]


def test_it_shrinks_100_gb_at_a_time_and_never_below_500(vendor, remote):
    remote.set_clock(START + timedelta(minutes=2))
    datastore_id = made(vendor, 700)
    remote.autoscale(datastore_id)
    remote.set_clock(START + timedelta(hours=1))

    assert log(vendor, datastore_id) == [
        (600, 500, "2026-11-01T00:10:00.000Z"),
        (700, 600, "2026-11-01T00:05:00.000Z"),
    ]


def test_it_keeps_what_it_has_when_it_may_only_scale_up(vendor, remote):
    remote.set_clock(START)
    datastore_id = made(vendor, 700)
    remote.autoscale(datastore_id, scale_up_only=True)
    remote.set_clock(START + timedelta(hours=1))

    assert log(vendor, datastore_id) == []


def test_it_does_nothing_while_it_is_off(vendor, remote):
    remote.set_clock(START)
    datastore_id = made(vendor)
    remote.use(datastore_id, 499)
    remote.set_clock(START + timedelta(days=30))

    assert log(vendor, datastore_id) == []


def test_it_stops_at_20_tb(vendor, remote):
    remote.set_clock(START)
    datastore_id = made(vendor)
    remote.autoscale(datastore_id)
    remote.use(datastore_id, 50_000)
    remote.set_clock(START + timedelta(days=2))

    assert size_gb(vendor, datastore_id) == 20_000


@pytest.mark.parametrize(("flapping", "changes"), [(False, 1), (True, 12)])
def test_it_flaps_if_it_is_told_to(vendor, remote, flapping, changes):
    remote.set_clock(START + timedelta(minutes=2))
    datastore_id = made(vendor)
    remote.autoscale(datastore_id, flapping=flapping)
    # 410 of 500 GB is 82 %, of 600 GB 68.3 %.
    remote.use(datastore_id, 410)
    remote.set_clock(START + timedelta(minutes=62))

    assert len(log(vendor, datastore_id)) == changes


def test_planned_growth_is_followed_point_by_point(vendor, remote):
    remote.set_clock(START)
    datastore_id = made(vendor)
    remote.autoscale(datastore_id)
    remote.grow(
        datastore_id,
        [(START + timedelta(days=1), 390), (START + timedelta(days=2, minutes=1), 450)],
    )
    remote.set_clock(START + timedelta(days=3))

    assert log(vendor, datastore_id) == [(500, 600, "2026-11-03T00:05:00.000Z")]
    (raw,) = remote.datastores()
    assert raw["status"]["used"] == 450 * 10**9


def test_metrics_follow_use_and_size_by_the_hour(vendor, remote):
    remote.set_clock(START + timedelta(minutes=30))
    datastore_id = made(vendor)
    remote.use(datastore_id, 100, at=START + timedelta(hours=1, minutes=30))
    remote.resize(datastore_id, 600, at=START + timedelta(hours=2, minutes=30))
    remote.set_clock(START + timedelta(hours=3, minutes=10))

    metrics = vendor.get(f"{PATH}/{datastore_id}").json()["metrics"]

    hour = int(START.timestamp()) + 3600
    assert metrics == [
        {"time": hour, "used": 0, "total": 500 * 10**9},
        {"time": hour + 3600, "used": 100 * 10**9, "total": 500 * 10**9},
        {"time": hour + 7200, "used": 100 * 10**9, "total": 600 * 10**9},
    ]
