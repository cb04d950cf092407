"""The use graph on a datastore's page: from our own rows, whatever the vendor does."""

import pytest

from backups.models import Datastore, UseGraph
from tests.conftest import SentTask
from tests.factories import utc

from .conftest import NOW

GB = 10**9
POINTS = [
    [int(utc(2026, 11, 20, hour).timestamp()), used * GB, 1000 * GB, 0, 5_000_000]
    for hour, used in ((9, 700), (10, 720), (11, 740))
]
TASK = "backups.tasks.refresh_graph"


@pytest.fixture
def store(household):
    return Datastore.objects.get(service=household.backup)


def page_of(browser, household, query=""):
    return browser.get(f"/services/{household.backup.pk}/{query}").content.decode()


def asked(sent_tasks):
    return [task for task in sent_tasks if task.name == TASK]


def keep(store, **fields):
    values = {"points": POINTS, "asked_at": NOW, "as_of": NOW}
    return UseGraph.objects.create(datastore=store, reach="week", **values | fields)


def test_the_first_visit_asks_for_the_graph_and_says_so(
    browser, household, store, sent_tasks, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        page = page_of(browser, household)
        page_of(browser, household)

    assert "The readings are being fetched." in page
    assert asked(sent_tasks) == [SentTask(TASK, {"datastore_id": store.pk, "reach": "week"})]


def test_a_kept_graph_is_shown_with_its_moment_and_its_numbers(
    browser, household, store, sent_tasks
):
    keep(store)

    page = page_of(browser, household)

    assert 'data-chart="use-data"' in page
    assert "740 GB</td>" in page
    assert "5 MB</td>" in page
    assert "could not be fetched" not in page
    assert asked(sent_tasks) == []


def test_a_vendor_that_is_down_hides_nothing(browser, household, store):
    keep(store, as_of=utc(2026, 11, 19, 9), problem="GET ...: 503")

    page = page_of(browser, household)

    assert "Newer readings could not be fetched; this is what we have." in page
    assert "740 GB</td>" in page
    assert "503" not in page


def test_another_range_is_a_link_and_an_unknown_one_is_the_week(
    browser, household, store, sent_tasks, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        page = page_of(browser, household, "?use=month")
        page_of(browser, household, "?use=<script>")

    assert '<strong aria-current="true">Month</strong>' in page
    assert [task.kwargs["reach"] for task in asked(sent_tasks)] == ["month", "week"]


def test_a_broker_that_is_down_hides_nothing(
    browser, household, store, monkeypatch, django_capture_on_commit_callbacks
):
    def fail(**kwargs):
        raise OSError("no broker")

    monkeypatch.setattr("billing_portal.clientarea.use_graph.refresh_graph.delay", fail)

    with django_capture_on_commit_callbacks(execute=True):
        assert "Use over time" in page_of(browser, household)


def test_a_pbx_has_no_such_graph(browser, household):
    page = browser.get(f"/services/{household.pbx.pk}/").content.decode()

    assert "Use over time" not in page
