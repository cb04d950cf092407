"""Our own changes are recorded at their own moment, through the real job runner."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import close_old_connections, connection

from backups import sizes
from backups.models import Datastore, SizeSpan
from backups.sandbox import DEMO_TOKEN
from billing_portal.calc.periods import Period
from billing_portal.services.models import ServiceUsagePrice
from billing_portal.services.states import ServiceStatus
from provisioning import actions, runner
from provisioning.models import Job
from tests.backups.metering import usage_of
from tests.factories import make_product, make_server, make_service, utc

pytestmark = pytest.mark.django_db

START = utc(2026, 11, 1)


def after(hours, minutes=0):
    return START + timedelta(hours=hours, minutes=minutes)


@pytest.fixture
def server(sandbox, remote):
    remote.set_clock(START)
    return make_server(
        module_key="remote_backups",
        base_url=sandbox.url,
        credentials={"token": DEMO_TOKEN},
        is_default=True,
    )


def spec(size_gb):
    return {"size_gb": size_gb, "name_prefix": "backup"}


def carry_out(job, at):
    runner.run(job.pk, at=at)
    job.refresh_from_db()
    assert (job.status, job.last_error) == (Job.Status.DONE, "")


@pytest.fixture
def service(server, remote):
    """An active service with a datastore of 500 GB, made at the start."""
    service = make_service(
        product=make_product(module_key="remote_backups"),
        status=ServiceStatus.PENDING,
        spec=spec(500),
        created_at=START,
    )
    carry_out(actions.request_create(service.pk, request_key="create", at=START), START)
    return service


def resize(service, remote, size_gb, at):
    remote.set_clock(at)
    key = f"resize-{at.isoformat()}"
    carry_out(actions.request_resize(service.pk, spec=spec(size_gb), request_key=key, at=at), at)


def look(server, remote, at):
    remote.set_clock(at)
    return sizes.record_server(server.pk, at=at)


def spans():
    return [
        (span.size_gb, span.starts_at, span.ends_at, span.source) for span in SizeSpan.objects.all()
    ]


def test_a_created_datastore_belongs_to_its_service_and_stands_at_once(service):
    row = Datastore.objects.get()

    assert (row.service, row.size_gb, row.last_seen_at) == (service, 500, START)
    assert row.name == f"backup-client{service.client_id}-service{service.pk}"
    assert spans() == [(500, START, None, "created")]


@pytest.mark.parametrize("size_gb", [600, 500])
def test_our_own_resize_counts_from_its_own_moment(server, service, remote, size_gb):
    resize(service, remote, 800, after(1, 20))

    look(server, remote, after(2))
    resize(service, remote, size_gb, after(2, 40))
    look(server, remote, after(3))

    assert spans() == [
        (500, START, after(1, 20), "created"),
        (800, after(1, 20), after(2, 40), "job"),
        (size_gb, after(2, 40), None, "job"),
    ]


def test_a_refresh_that_sees_a_shrink_by_others_counts_from_the_last_look(server, service, remote):
    resize(service, remote, 800, after(1))
    look(server, remote, after(2))
    remote.resize(Datastore.objects.get().remote_id, 700, at=after(2, 10))
    remote.set_clock(after(2, 30))
    job = actions.request(service.pk, kind=Job.Kind.REFRESH, request_key="r", at=after(2, 30))

    carry_out(job, after(2, 30))

    assert spans()[1:] == [(800, after(1), after(2), "job"), (700, after(2), None, "poll")]


def test_a_terminated_datastore_ends_at_the_moment_of_the_job(server, service, remote):
    look(server, remote, after(1))
    remote.set_clock(after(1, 25))
    job = actions.request(service.pk, kind=Job.Kind.TERMINATE, request_key="t", at=after(1, 25))
    carry_out(job, after(1, 25))

    recorded = look(server, remote, after(2))

    row = Datastore.objects.get()
    assert (row.deleted_at, row.missing_at) == (after(1, 25), None)
    assert spans() == [(500, START, after(1, 25), "created")]
    assert (recorded.seen, recorded.missing) == (0, [])


def test_terminating_what_had_vanished_ends_it_when_it_was_last_seen(server, service, remote):
    look(server, remote, after(1))
    remote.remove(Datastore.objects.get().remote_id)
    look(server, remote, after(2))
    job = actions.request(service.pk, kind=Job.Kind.TERMINATE, request_key="t", at=after(5))

    carry_out(job, after(5))

    assert spans() == [(500, START, after(1), "created")]
    assert Datastore.objects.get().deleted_at == after(5)


def test_a_deleted_datastore_an_old_list_still_shows_stays_deleted(server, service, remote):
    remote.set_clock(after(1))
    old_list = sizes.look(server.pk, at=after(1))
    job = actions.request(service.pk, kind=Job.Kind.TERMINATE, request_key="t", at=after(1))
    carry_out(job, after(1))

    recorded = sizes.record(old_list)

    assert (recorded.seen, recorded.new) == (0, [])
    assert spans() == [(500, START, after(1), "created")]


def test_a_list_asked_for_before_a_resize_does_not_undo_it(server, service, remote):
    remote.set_clock(after(1))
    before_the_resize = sizes.look(server.pk, at=after(1, 0))
    resize(service, remote, 600, after(0, 59))

    sizes.record(before_the_resize)

    assert [row[0] for row in spans()] == [500, 600]
    assert Datastore.objects.get().size_gb == 600


def test_growth_at_the_vendor_is_billed_for_the_hours_each_size_stood(server, service, remote):
    ServiceUsagePrice.objects.create(service=service, metric="storage", price=Decimal("10.00"))
    remote.resize(Datastore.objects.get().remote_id, 1000, at=after(200))
    for hour in (1, 200, 201, 720):
        look(server, remote, after(hour))

    (usage,) = usage_of(service.pk, Period(START, after(720)))

    assert usage.amount == Decimal("8.61")
    assert usage.description == "Backup storage 2026-11-01 to 2026-12-01, average 861.11 GB"
    assert [
        (one["size_gb"], one["from"], one["to"], one["amount"])
        for one in usage.evidence["segments"]
    ] == [
        (500, "2026-11-01T00:00:00+00:00", "2026-11-09T08:00:00+00:00", "1.39"),
        (1000, "2026-11-09T08:00:00+00:00", "2026-12-01T00:00:00+00:00", "7.22"),
    ]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_looks_at_the_same_moment_record_each_datastore_once(server, service, remote, client):
    for number in range(5):
        client.create_datastore(f"nas-{number}", size_gb=500)
    look = sizes.look(server.pk, at=after(1))
    start = threading.Barrier(4)

    def record():
        close_old_connections()
        start.wait()
        try:
            sizes.record(look)
        finally:
            connection.close()

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Datastore.objects.count() == 6
    assert SizeSpan.objects.count() == 6
