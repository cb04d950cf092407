"""The shape of the vendor's answers: read where it is written, refused where it is not."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backups.answers import (
    Rescale,
    UnexpectedAnswer,
    read_datastore,
    read_full_datastore,
    read_rescale_log,
)

RAW = {
    "_id": "678b9f3ac4f1d2a3b4c5d6e7",
    "friendly": "backup-client123-service456",
    "size": 500_000_000_000,
    "speed": 250,
    "autoscalingEnabled": True,
    "autoscalingScaleUpOnly": True,
    "autoscalingLowerThreshold": 60,
    "autoscalingUpperThreshold": 90,
    "datastoreUser": "c1234@pbs",
    "datastorePassword": "example-secret",
    "datastoreUserPassword": "another-example-secret",
    "server": {
        "hostname": "fra1-1.example-host.net",
        "ip": "203.0.113.10",
        "ip6": "2001:db8::10",
        "fingerprint": "64:d3",
    },
    "status": {"used": 312_456_789_012, "total": 500_000_000_000},
    "metrics": [],
    "createdAt": "2026-01-18T12:31:07.512Z",
}


def without(key):
    return {name: value for name, value in RAW.items() if name != key}


def test_every_field_of_a_datastore_is_read_where_the_vendor_writes_it():
    datastore = read_full_datastore(RAW)

    assert (datastore.id, datastore.name) == ("678b9f3ac4f1d2a3b4c5d6e7", RAW["friendly"])
    assert (datastore.size_bytes, datastore.size_gb) == (500_000_000_000, 500)
    assert datastore.used_bytes == 312_456_789_012
    assert datastore.speed_mbit == 250
    assert datastore.autoscaling_enabled and datastore.autoscaling_scale_up_only
    assert datastore.autoscaling_lower_percent == 60
    assert datastore.autoscaling_upper_percent == 90
    assert (datastore.user, datastore.password) == ("c1234@pbs", "example-secret")
    assert datastore.host == "fra1-1.example-host.net"
    assert (datastore.ip, datastore.ip6) == ("203.0.113.10", "2001:db8::10")
    assert datastore.fingerprint == "64:d3"
    assert datastore.created_at == datetime(2026, 1, 18, 12, 31, 7, 512000, tzinfo=UTC)


def test_the_password_does_not_show_when_a_datastore_is_printed():
    assert "example-secret" not in repr(read_full_datastore(RAW))


@pytest.mark.parametrize(
    ("size_bytes", "size_gb", "is_on_grid"),
    [
        (500_000_000_000, 500, True),
        (550_000_000_000, 550, False),
        (536_870_912_000, Decimal("536.870912"), False),
        (499_999_999_999, Decimal("499.999999999"), False),
    ],
)
def test_sizes_are_exact_and_never_rounded_onto_the_grid(size_bytes, size_gb, is_on_grid):
    datastore = read_datastore(RAW | {"size": size_bytes})

    assert (datastore.size_gb, datastore.is_on_grid) == (size_gb, is_on_grid)


@pytest.mark.parametrize("key", ["_id", "friendly", "size"])
def test_a_missing_key_is_an_error_and_not_a_zero(key):
    with pytest.raises(UnexpectedAnswer, match=f"no usable {key}"):
        read_datastore(without(key))


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": "500"},
        {"size": True},
        {"size": -1},
        {"size": Decimal("500000000000.5")},
        {"size": None},
        {"_id": ""},
        {"_id": 7},
        {"speed": "fast"},
        {"autoscalingEnabled": "yes"},
        {"status": {"total": 500_000_000_000}},
        {"status": {"used": "many"}},
        {"server": "fra1"},
        {"createdAt": "yesterday"},
        {"createdAt": "2026-01-18T12:31:07"},
        {"createdAt": 1768739467},
    ],
)
def test_a_misshapen_value_is_an_error(wrong):
    with pytest.raises(UnexpectedAnswer):
        read_datastore(RAW | wrong)


@pytest.mark.parametrize("answer", [None, [], "ok", 7, {}])
def test_something_else_is_not_a_datastore(answer):
    with pytest.raises(UnexpectedAnswer):
        read_datastore(answer)


def test_what_the_vendor_may_leave_out_has_its_default_and_unknown_use_is_unknown():
    datastore = read_datastore({"_id": "a", "friendly": "b", "size": 500_000_000_000})

    assert datastore.used_bytes is None
    assert (datastore.speed_mbit, datastore.autoscaling_enabled) == (500, False)
    assert (datastore.autoscaling_lower_percent, datastore.autoscaling_upper_percent) == (70, 80)
    assert (datastore.host, datastore.user, datastore.created_at) == ("", "", None)


@pytest.mark.parametrize("key", ["datastoreUser", "datastorePassword"])
def test_a_single_datastore_must_come_with_its_credentials(key):
    assert read_datastore(without(key)).name == RAW["friendly"]
    with pytest.raises(UnexpectedAnswer, match="no credentials"):
        read_full_datastore(without(key))


def test_a_rescale_log_is_turned_into_time_order_in_either_spelling():
    newest_first = [
        {"from": 600, "to": 700, "createdAt": "2026-01-19T01:00:00.000Z"},
        {"from_gb": 500, "to_gb": 600, "timestamp": "2026-01-18T13:00:00Z", "reason": "auto"},
    ]

    assert read_rescale_log(newest_first) == [
        Rescale(datetime(2026, 1, 18, 13, tzinfo=UTC), 500, 600),
        Rescale(datetime(2026, 1, 19, 1, tzinfo=UTC), 600, 700),
    ]


def test_changes_of_one_moment_keep_the_order_they_happened_in():
    at = "2026-01-19T01:00:00Z"
    newest_first = [
        {"from": 600, "to": 700, "createdAt": at},
        {"from": 500, "to": 600, "createdAt": at},
    ]

    assert [change.to_gb for change in read_rescale_log(newest_first)] == [600, 700]


def test_a_broken_rescale_log_is_an_error():
    for entry in ({"to": 600, "createdAt": "2026-01-19T01:00:00Z"}, {"from": 5, "to": 6}, "x"):
        with pytest.raises(UnexpectedAnswer):
            read_rescale_log([entry])
