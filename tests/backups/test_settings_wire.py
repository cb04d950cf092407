"""Settings, retention and graph over real HTTP: what is sent, what stands, what is refused."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from backups.answers import UnexpectedAnswer, UsePoint, read_datastore, read_graph
from backups.client import GraphRange
from backups.limits import check_speed, check_thresholds, highest_steady_lower
from backups.retention import PruneSettings, check_schedule
from provisioning.contract import RemoteNotFound, RemoteRejected, RemoteUnavailable
from tests.backups.test_answers import RAW

PATH = "/reseller/datastore"
GB = 10**9
VENDORS_OWN = PruneSettings(keep_last=3, keep_daily=7, keep_weekly=4, schedule="Mon,Thu 0,12:00")


@pytest.fixture
def nas(client):
    return client.create_datastore("nas", size_gb=500)


def gc(remote):
    (raw,) = remote.datastores()
    return raw["gc"]


def size_gb(remote):
    (raw,) = remote.datastores()
    return raw["size"] // GB


def prune_body(**kept):
    return {"keepLast": {**kept, "schedule": "daily"}, "targetSchedule": "daily"}


def refusal(vendor, nas, body):
    answer = vendor.patch(f"{PATH}/{nas}/prune-settings", json=body)
    return answer.status_code, answer.json()["message"]


# --- Retention ---


def test_what_is_kept_is_read_where_the_vendor_writes_it(client, nas):
    assert client.get_datastore(nas).prune == VENDORS_OWN
    assert read_datastore(RAW).prune is None


def test_all_six_counts_and_the_schedule_twice_are_sent(client, nas, exchanges, remote):
    wished = PruneSettings(keep_last=5, keep_monthly=12, schedule="mon..fri 22:30")
    exchanges.clear()

    changed = client.update_prune_settings(nas, wished)

    assert changed.prune == wished
    assert [one.action for one in exchanges] == [
        f"GET {PATH}/{nas}",
        f"PATCH {PATH}/{nas}/prune-settings",
        f"GET {PATH}/{nas}",
    ]
    assert exchanges[1].request["body"] == {
        "keepLast": {
            "keep-last": 5,
            "keep-hourly": 0,
            "keep-daily": 0,
            "keep-weekly": 0,
            "keep-monthly": 12,
            "keep-yearly": 0,
            "schedule": "mon..fri 22:30",
        },
        "targetSchedule": "mon..fri 22:30",
    }
    assert gc(remote) == {"keep-last": 5, "keep-monthly": 12, "schedule": "mon..fri 22:30"}


def test_nothing_is_sent_if_it_is_kept_so_already(client, nas, exchanges):
    exchanges.clear()

    client.update_prune_settings(nas, VENDORS_OWN)

    assert [one.action.split()[0] for one in exchanges] == ["GET"]


def test_a_lost_reply_to_new_retention_is_repeated_by_reading(client, nas, remote):
    wished = PruneSettings(keep_last=5)
    remote.fault("lose_reply", method="PATCH")
    with pytest.raises(RemoteUnavailable):
        client.update_prune_settings(nas, wished)

    assert client.update_prune_settings(nas, wished).prune == wished
    assert [one.split()[0] for one in remote.requests()].count("PATCH") == 1


def test_retention_of_what_is_gone_is_not_found(client):
    with pytest.raises(RemoteNotFound):
        client.update_prune_settings("other", VENDORS_OWN)


def test_the_stand_in_takes_an_empty_object_and_no_empty_list(vendor, nas, remote):
    kept = vendor.patch(
        f"{PATH}/{nas}/prune-settings", json={"keepLast": {}, "targetSchedule": "weekly"}
    )

    assert kept.status_code == 200
    assert gc(remote) == {"keep-last": 3, "keep-daily": 7, "keep-weekly": 4, "schedule": "weekly"}
    assert refusal(vendor, nas, {"keepLast": [], "targetSchedule": "weekly"}) == (
        400,
        ["keepLast must be an object"],
    )


def test_the_stand_in_keeps_what_is_left_out_and_forgets_what_is_zero(vendor, nas, remote):
    body = prune_body(**{"keep-last": 0, "keep-yearly": 2})

    vendor.patch(f"{PATH}/{nas}/prune-settings", json=body)

    assert gc(remote) == {
        "keep-daily": 7,
        "keep-weekly": 4,
        "keep-yearly": 2,
        "schedule": "daily",
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (prune_body(**{"keep-last": -1}), ["keep-last must not be less than 0"]),
        (prune_body(**{"keep-last": "3"}), ["keep-last must be an integer number"]),
        (prune_body(keepLast=3), ["property keepLast should not exist"]),
        ({"keepLast": {"keep-last": 1}}, ["targetSchedule must be a string"]),
        (
            {"keepLast": {"keep-last": 1}, "targetSchedule": "daily"},
            ["keepLast.schedule must equal targetSchedule"],
        ),
        (prune_body() | {"size": 500}, ["property size should not exist"]),
    ],
)
def test_the_stand_in_refuses_retention_that_is_not_as_the_vendor_wants_it(
    vendor, nas, remote, body, message
):
    before = gc(remote)

    assert refusal(vendor, nas, body) == (400, message)
    assert gc(remote) == before


@pytest.mark.parametrize(
    "schedule",
    [
        *("daily", "weekly", "hourly", "Mon,Thu 0,12:00", "Wed,Thu 0,1,2,16:00", "mon..fri 22:30"),
        *("sat", "21:00", "*:0/30", "mon..wed,sun 0/2:15"),
    ],
)
def test_a_schedule_of_the_backup_server_is_taken_as_it_is(schedule):
    assert check_schedule(f" {schedule} ") == schedule


@pytest.mark.parametrize(
    "schedule", ["", "sometimes", "25:00", "12:60", "Mo 12:00", "*:0/0", "12", "2026-1-1 0:00"]
)
def test_what_is_no_schedule_is_refused_with_an_example(schedule):
    with pytest.raises(RemoteRejected) as caught:
        check_schedule(schedule)

    assert str(caught.value) == (
        f"{schedule!r} is not a schedule: write daily, weekly, or weekdays and hours"
        " such as Mon,Thu 0,12:00."
    )


def test_retention_without_any_limit_keeps_everything():
    assert PruneSettings().keeps_everything
    assert not VENDORS_OWN.keeps_everything
    assert PruneSettings.read(VENDORS_OWN.as_json()) == VENDORS_OWN


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"keep_last": -1}, "Keep a whole number from 0 to 9999, not -1."),
        ({"keep_last": True}, "Keep a whole number from 0 to 9999, not True."),
        ({"keep_last": "3"}, "Keep a whole number from 0 to 9999, not '3'."),
        ({"keep_all": 1}, "Retention needs all its settings: ['keep_all']."),
    ],
)
def test_retention_is_checked_where_it_is_read(changed, sentence):
    with pytest.raises(RemoteRejected) as caught:
        PruneSettings.read(VENDORS_OWN.as_json() | changed)

    assert str(caught.value) == sentence


# --- Settings beside a working autoscaler ---


def test_a_size_that_grew_between_reading_and_writing_is_put_back(client, nas, remote):
    remote.fault("autoscale", method="PATCH")

    changed = client.update_datastore(nas, speed_mbit=100)

    assert (changed.size_gb, changed.speed_mbit) == (600, 100)
    assert size_gb(remote) == 600
    # What happened stays readable: it grew, our write undid it, and we put it back.
    log = client.rescale_log(nas, days=30)
    assert [(one.from_gb, one.to_gb) for one in log] == [(500, 600), (600, 500), (500, 600)]


def test_a_size_that_grew_before_reading_is_written_as_it_is(client, nas, remote):
    remote.fault("autoscale", method="GET", path=nas)

    changed = client.update_datastore(nas, autoscaling_enabled=True)

    assert (changed.size_gb, changed.autoscaling_enabled) == (600, True)
    assert [one.split()[0] for one in remote.requests()].count("PATCH") == 1


def test_a_size_that_grew_after_writing_is_left_alone(client, nas, remote):
    client.update_datastore(nas, speed_mbit=250)
    remote.fault("autoscale", method="GET", path=f"{nas}/rescale-log", times=2)

    changed = client.update_datastore(nas, speed_mbit=100)

    # Once between the two reads before writing, once after it.
    assert changed.speed_mbit == 100
    assert size_gb(remote) == 700


def test_settings_change_also_when_the_log_is_not_told(client, nas, remote):
    remote.fault("html200", path="rescale-log", times=2)

    assert client.update_datastore(nas, speed_mbit=100).speed_mbit == 100


def test_the_stand_in_wants_the_lower_threshold_below_the_upper(client, nas, remote):
    with pytest.raises(RemoteRejected, match="must be less than the upper threshold"):
        client.update_datastore(nas, autoscaling_lower_percent=80)

    (raw,) = remote.datastores()
    assert raw["autoscalingLowerThreshold"] == 70


@pytest.mark.parametrize(
    ("lower", "upper", "sentence"),
    [
        (80, 80, "The lower threshold must be below the upper one: 80 is not below 80."),
        (-1, 80, "A threshold is a whole number from 0 to 100, not -1."),
        (70, 101, "A threshold is a whole number from 0 to 100, not 101."),
        (70.5, 80, "A threshold is a whole number from 0 to 100, not 70.5."),
    ],
)
def test_thresholds_have_their_rules(lower, upper, sentence):
    check_thresholds(0, 100)
    with pytest.raises(RemoteRejected) as caught:
        check_thresholds(lower, upper)

    assert str(caught.value) == sentence


def test_the_speeds_are_those_the_vendor_has():
    assert [check_speed(speed) for speed in (100, 250, 500)] == [100, 250, 500]
    with pytest.raises(RemoteRejected, match="one of 100, 250, 500 Mbit/s, not 300"):
        check_speed(300)


@pytest.mark.parametrize(
    ("size", "upper", "lower"), [(600, 80, 66), (500, 80, 64), (1000, 80, 72), (500, 100, 80)]
)
def test_the_highest_lower_threshold_that_does_not_flap(size, upper, lower):
    assert highest_steady_lower(size, upper) == lower


# --- The graph ---


def test_a_graph_tells_how_full_it_was(client, nas, remote):
    remote.use(nas, "312.5")
    used_at = remote.clock()
    remote.set_clock(used_at + timedelta(hours=2))

    graph = client.use_graph(nas, reach=GraphRange.DAY)

    points = [point for point in graph if point.at > used_at]

    assert [(point.used_bytes, point.total_bytes) for point in points] == [
        (312_500_000_000, 500 * GB)
    ] * len(points)
    assert len(points) == 4
    assert [later.at - one.at for one, later in pairwise(points)] == [timedelta(minutes=30)] * 3
    assert remote.requests()[-1] == f"GET {PATH}/{nas}/graph"


@pytest.mark.parametrize("reach", list(GraphRange))
def test_every_range_of_a_new_datastore_is_empty_and_no_error(client, nas, reach):
    assert client.use_graph(nas, reach=reach) == []


def test_the_stand_in_knows_no_other_range(vendor, nas):
    answer = vendor.get(f"{PATH}/{nas}/graph", params={"range": "year"})

    assert (answer.status_code, answer.json()["message"]) == (
        400,
        ["range must be one of the following values: hour, day, week, month, decade"],
    )


def test_a_moment_without_a_reading_has_no_point_and_time_is_in_seconds():
    read = read_graph(
        [
            {"time": 1768750260, "used": Decimal("7.0"), "total": 9, "write_bytes": 4},
            {"time": 1768748460},
            {"time": 1768746660, "used": 5, "total": 9, "read_bytes": 0, "write_bytes": None},
        ]
    )

    assert read == [
        UsePoint(datetime(2026, 1, 18, 14, 31, tzinfo=UTC), 5, 9, 0, None),
        UsePoint(datetime(2026, 1, 18, 15, 31, tzinfo=UTC), 7, 9, None, 4),
    ]


@pytest.mark.parametrize(
    "answer", [{}, [7], [{"used": 5, "total": 9}], [{"time": 10**18, "used": 5, "total": 9}]]
)
def test_a_misshapen_graph_is_an_error(answer):
    with pytest.raises(UnexpectedAnswer):
        read_graph(answer)
