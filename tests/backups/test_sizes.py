"""Looks become rows: one pass per account, whatever goes wrong at the vendor."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backups import sizes
from backups.models import Datastore, SizeSpan
from backups.sandbox import DEMO_TOKEN
from backups.span_rows import Look, Observation
from provisioning.contract import CredentialsRejected, RemoteUnavailable
from tests.factories import make_placement, make_product, make_server, make_service, utc

pytestmark = pytest.mark.django_db

GB = 10**9
START = utc(2026, 11, 1)
LOG_PATH = "/rescale-log"


@pytest.fixture
def server(sandbox, remote):
    remote.set_clock(START)
    return make_server(
        module_key="remote_backups", base_url=sandbox.url, credentials={"token": DEMO_TOKEN}
    )


def after(hours, minutes=0):
    return START + timedelta(hours=hours, minutes=minutes)


def looked(server, remote, at):
    """Set the vendor's clock and look, as the hourly task does."""
    remote.set_clock(at)
    return sizes.record_server(server.pk, at=at)


def spans(datastore_id):
    """The spans of a datastore: size, start, end, last seen, how the start is known."""
    return [
        (span.size_gb, span.starts_at, span.ends_at, span.last_seen_at, span.source)
        for span in SizeSpan.objects.filter(datastore__remote_id=datastore_id)
    ]


# --- One account over time ---


def test_a_datastore_is_recorded_from_the_moment_the_vendor_created_it(server, remote, client):
    remote.set_clock(after(0, 20))
    datastore_id = client.create_datastore("nas", size_gb=500)
    remote.use(datastore_id, 123)

    recorded = looked(server, remote, after(1))

    row = Datastore.objects.get()
    created_at = client.get_datastore(datastore_id).created_at
    assert (recorded.seen, recorded.new) == (1, ["nas: 500 GB"])
    assert (row.remote_id, row.name, row.service) == (datastore_id, "nas", None)
    assert (row.size_gb, row.used_gb, row.used_percent) == (500, 123, 24)
    assert (row.first_seen_at, row.last_seen_at) == (after(1), after(1))
    assert row.created_at == created_at
    assert spans(datastore_id) == [(500, created_at, None, after(1), "created")]


def test_the_same_size_extends_the_open_span(server, remote, client):
    datastore_id = client.create_datastore("nas", size_gb=500)
    for hour in (1, 2, 3):
        recorded = looked(server, remote, after(hour))

    assert (recorded.seen, recorded.new, recorded.changed, recorded.missing) == (1, [], [], [])
    ((size_gb, _, ends_at, last_seen_at, _),) = spans(datastore_id)
    assert (size_gb, ends_at, last_seen_at) == (500, None, after(3))
    assert Datastore.objects.get().last_seen_at == after(3)


def test_a_new_size_starts_at_the_exact_moment_of_the_vendors_log(server, remote, client):
    datastore_id = client.create_datastore("nas", size_gb=500)
    looked(server, remote, after(1))
    remote.resize(datastore_id, 900, at=after(1, 10))
    remote.resize(datastore_id, 700, at=after(1, 45))

    recorded = looked(server, remote, after(2))

    assert recorded.changed == ["nas: 500 GB -> 700 GB"]
    assert spans(datastore_id)[1:] == [
        (900, after(1, 10), after(1, 45), after(1, 45), "log"),
        (700, after(1, 45), None, after(2), "log"),
    ]
    assert spans(datastore_id)[0][2] == after(1, 10)
    assert Datastore.objects.get().size_gb == 700


def test_the_log_is_asked_only_for_what_changed(server, remote, client):
    ids = [client.create_datastore(f"nas-{number}", size_gb=500) for number in range(3)]
    looked(server, remote, after(1))
    remote.resize(ids[1], 600, at=after(1, 10))
    before = len(remote.requests())

    looked(server, remote, after(2))

    assert remote.requests()[before:] == [
        "GET /reseller/datastore",
        f"GET /reseller/datastore/{ids[1]}/rescale-log",
    ]


@pytest.mark.parametrize("kind", ["503", "html200", "log_gap", "lose_reply"])
def test_without_a_usable_log_growth_counts_from_the_look_that_saw_it(server, remote, client, kind):
    datastore_id = client.create_datastore("nas", size_gb=500)
    looked(server, remote, after(1))
    remote.resize(datastore_id, 600, at=after(1, 10))
    remote.fault(kind, path=LOG_PATH)

    looked(server, remote, after(2))

    assert spans(datastore_id)[1] == (600, after(2), None, after(2), "poll")


def test_without_a_usable_log_a_shrink_counts_from_the_last_look_before(server, remote, client):
    datastore_id = client.create_datastore("nas", size_gb=700)
    looked(server, remote, after(1))
    remote.resize(datastore_id, 600, at=after(1, 10))
    remote.fault("503", path=LOG_PATH)

    looked(server, remote, after(2))

    assert [row[:3] for row in spans(datastore_id)[1:]] == [(600, after(1), None)]
    assert spans(datastore_id)[0][2] == after(1)


def test_the_same_look_twice_changes_nothing(server, remote, client):
    datastore_id = client.create_datastore("nas", size_gb=500)
    looked(server, remote, after(1))
    remote.resize(datastore_id, 600, at=after(1, 10))
    remote.set_clock(after(2))
    look = sizes.look(server.pk, at=after(2))
    sizes.record(look)
    once = spans(datastore_id)

    again = [sizes.record(look), sizes.record_server(server.pk, at=after(2))]

    assert [recorded.changed for recorded in again] == [[], []]
    assert spans(datastore_id) == once


def test_a_look_that_arrives_late_is_no_news(server, remote, client):
    datastore_id = client.create_datastore("nas", size_gb=500)
    looked(server, remote, after(1))
    late = sizes.look(server.pk, at=after(1, 30))
    remote.resize(datastore_id, 600, at=after(1, 40))
    looked(server, remote, after(2))
    before = spans(datastore_id)

    sizes.record(late)

    assert spans(datastore_id) == before
    assert Datastore.objects.get().size_gb == 600


def test_a_gap_means_nobody_was_looking(server, remote, client):
    datastore_id = client.create_datastore("nas", size_gb=500)
    looked(server, remote, after(1))

    looked(server, remote, after(6))

    assert [row[2:4] for row in spans(datastore_id)] == [
        (after(6), after(1)),
        (None, after(6)),
    ]


def test_a_size_off_the_grid_is_kept_to_the_byte_and_said(server, remote, client):
    datastore_id = client.create_datastore("nas", size_gb=500)
    looked(server, remote, after(1))
    remote.fault("off_grid", method="GET")

    recorded = looked(server, remote, after(2))

    assert recorded.changed == ["nas: 500 GB -> 536.870912 GB (off the grid)"]
    assert Datastore.objects.get().size_bytes == 536_870_912_000
    assert spans(datastore_id)[-1][0] == Datastore.objects.get().size_gb


# --- What is not there ---


def test_a_vanished_datastore_is_noted_and_stands_no_longer_than_it_was_seen(
    server, remote, client
):
    datastore_id = client.create_datastore("nas", size_gb=500)
    client.create_datastore("other", size_gb=500)
    looked(server, remote, after(1))
    remote.remove(datastore_id)

    noted = [looked(server, remote, after(hour)).missing for hour in (2, 3)]

    row = Datastore.objects.get(remote_id=datastore_id)
    assert noted == [["nas"], []]
    assert (row.missing_at, row.last_seen_at, row.deleted_at) == (after(2), after(1), None)
    assert [one[2:4] for one in spans(datastore_id)] == [(None, after(1))]


def test_one_that_was_only_left_out_of_a_list_goes_on(server, remote, client):
    datastore_id = client.create_datastore("nas", size_gb=500)
    looked(server, remote, after(1))
    remote.fault("disappear")
    looked(server, remote, after(2))

    looked(server, remote, after(3))

    assert Datastore.objects.get().missing_at is None
    assert [row[2:4] for row in spans(datastore_id)] == [
        (after(3), after(1)),
        (None, after(3)),
    ]


@pytest.mark.parametrize("kind", ["503", "html200", "no_size", "lose_reply"])
def test_a_vendor_that_is_down_leaves_everything_as_it_was(server, remote, client, kind):
    datastore_id = client.create_datastore("nas", size_gb=500)
    looked(server, remote, after(1))
    before = spans(datastore_id)
    remote.fault(kind)

    with pytest.raises(RemoteUnavailable):
        looked(server, remote, after(2))

    assert spans(datastore_id) == before
    assert Datastore.objects.get().missing_at is None


def test_a_refused_token_records_nothing(server):
    server.credentials = {"token": "wrong-token"}
    server.save()

    with pytest.raises(CredentialsRejected):
        sizes.record_server(server.pk, at=START)

    assert not Datastore.objects.exists()


def test_accounts_do_not_miss_each_others_datastores(server, sandbox, remote, client):
    client.create_datastore("nas", size_gb=500)
    looked(server, remote, after(1))
    stranger = make_server(
        module_key="remote_backups", base_url=sandbox.url, credentials={"token": "second-token"}
    )
    remote.__class__(sandbox.url, "second-token").add_account()

    recorded = sizes.record_server(stranger.pk, at=after(2))

    assert (recorded.seen, recorded.missing) == (0, [])
    assert Datastore.objects.get().missing_at is None


def test_a_datastore_finds_its_service_by_the_placement(server, remote, client):
    datastore_id = client.create_datastore("nas", size_gb=500)
    looked(server, remote, after(1))
    service = make_service(product=make_product(module_key="remote_backups"))
    make_placement(service, server=server, remote_id=datastore_id)

    looked(server, remote, after(2))

    assert Datastore.objects.get().service == service


# --- Many at once ---


def observed(number, size_gb=500, used_gb=100):
    return Observation(f"id-{number}", f"nas-{number}", size_gb * GB, used_gb * GB, START)


def record(server, observations, at):
    known = dict(Datastore.objects.values_list("remote_id", "last_seen_at"))
    return sizes.record(Look(server.pk, at, observations, known))


def queries_of(server, observations, at):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        record(server, observations, at)
    return len(captured) - 1  # reading `known` is the test's own query


@pytest.mark.parametrize(
    "second",
    [
        lambda number: observed(number),
        lambda number: observed(number, used_gb=101),
        lambda number: observed(number, size_gb=600),
    ],
    ids=["nothing new", "all used more", "all grew"],
)
def test_the_number_of_queries_does_not_grow_with_the_datastores(server, second):
    counts = []
    # SQLite takes some 50 rows of a table this wide in one statement.
    for hour, amount in ((1, 4), (3, 40)):
        Datastore.objects.all().update(deleted_at=START)
        batch = range(hour * 1000, hour * 1000 + amount)
        first = queries_of(server, [observed(number) for number in batch], after(hour))
        again = queries_of(server, [second(number) for number in batch], after(hour + 1))
        counts.append((first, again))

    assert counts[0] == counts[1]
    assert max(counts[0]) <= 12


def test_many_datastores_are_each_recorded_as_they_are(server):
    record(server, [observed(number) for number in range(300)], after(1))

    recorded = record(
        server,
        [observed(number, size_gb=500 + number % 2 * 100) for number in range(299)],
        after(2),
    )

    assert (recorded.seen, len(recorded.changed), recorded.missing) == (299, 149, ["nas-299"])
    assert SizeSpan.objects.filter(ends_at__isnull=True).count() == 300
    assert SizeSpan.objects.filter(ends_at__isnull=True, size_bytes=600 * GB).count() == 149
    assert Datastore.objects.filter(last_seen_at=after(2)).count() == 299
