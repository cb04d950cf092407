"""The vendor's graph is kept as a row; a vendor that is down takes nothing away."""

from datetime import timedelta

import pytest

from backups import graphs, tasks
from backups.client import GraphRange
from backups.models import Datastore, UseGraph
from backups.sandbox import DEMO_TOKEN
from tests.factories import AT, make_server

pytestmark = pytest.mark.django_db
DAY = GraphRange.DAY


@pytest.fixture
def store(client, remote, sandbox):
    """A datastore with 200 GB in it for two hours."""
    datastore_id = client.create_datastore("nas", size_gb=500)
    remote.use(datastore_id, 200)
    remote.set_clock(remote.clock() + timedelta(hours=2))
    server = make_server(
        module_key="remote_backups", base_url=sandbox.url, credentials={"token": DEMO_TOKEN}
    )
    return Datastore.objects.create(
        server=server,
        remote_id=datastore_id,
        name="nas",
        size_bytes=500 * 10**9,
        first_seen_at=AT,
        last_seen_at=AT,
    )


def test_an_answer_is_kept_with_its_moment(store):
    graph = graphs.refresh(store.pk, DAY, at=AT)

    assert (graph.as_of, graph.asked_at, graph.problem) == (AT, AT, "")
    assert graph.points[-1][1:3] == [200 * 10**9, 500 * 10**9]
    assert graph == graphs.kept(store.pk, DAY)


@pytest.mark.parametrize("fault", ["500", "html200", "lose_reply", "429"])
def test_a_vendor_that_is_down_leaves_the_old_graph_and_a_reason(store, remote, fault):
    before = graphs.refresh(store.pk, DAY, at=AT)
    remote.fault(fault, path="graph")

    after = graphs.refresh(store.pk, DAY, at=AT + timedelta(hours=1))

    assert (after.points, after.as_of) == (before.points, AT)
    assert after.problem.startswith(f"GET /reseller/datastore/{store.remote_id}/graph")
    assert after.asked_at == AT + timedelta(hours=1)


def test_a_newer_graph_is_asked_for_once_in_a_while(store):
    assert graphs.is_stale(None, at=AT)
    graphs.note_asked(store.pk, DAY, at=AT)
    asked = graphs.kept(store.pk, DAY)
    assert not graphs.is_stale(asked, at=AT + timedelta(minutes=1))
    assert graphs.is_stale(asked, at=AT + timedelta(minutes=3))

    told = graphs.refresh(store.pk, DAY, at=AT)

    assert not graphs.is_stale(told, at=AT + timedelta(minutes=15))
    assert graphs.is_stale(told, at=AT + timedelta(minutes=16))


def test_the_task_may_be_delivered_twice(store):
    for _ in range(2):
        tasks.refresh_graph(datastore_id=store.pk, reach="week")

    assert [graph.reach for graph in UseGraph.objects.all()] == ["week"]


def test_long_graphs_are_thinned_and_end_with_the_last_point():
    points = [[second, 0, 0, None, None] for second in range(500)]

    thin = graphs.thinned(points)

    assert len(thin) == 100
    assert (thin[0][0], thin[-1][0]) == (4, 499)
    assert graphs.thinned(points[:7]) == points[:7]
    assert graphs.thinned([]) == []
