"""Wishing: what becomes a job, what is refused, and where a new service goes."""

import pytest

from billing_portal.audit.queries import history_of
from billing_portal.services.states import ServiceStatus
from provisioning import actions
from provisioning.contract import RemoteRejected
from provisioning.models import Job, Placement
from tests.conftest import SentTask
from tests.factories import (
    AT,
    make_placement,
    make_product,
    make_server,
    make_service,
    make_user,
    utc,
)

pytestmark = pytest.mark.django_db

RUN_JOB = "provisioning.tasks.run_job"
PENDING = ServiceStatus.PENDING


@pytest.fixture(autouse=True)
def _vendor(vendor):
    return vendor


@pytest.fixture
def pending():
    make_server("only")
    return make_service(status=PENDING)


@pytest.fixture
def active():
    service = make_service(product=make_product(module_settings={}))
    make_placement(service, server=make_server("only"))
    return service


def jobs():
    return list(Job.objects.values_list("service_id", "kind", "spec", "status", "due_at"))


# --- A wish is a row ----------------------------------------------------------------------


def test_a_wish_is_a_row_and_a_ring(pending, sent_tasks, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        job = actions.request_create(pending.pk, request_key="a", at=AT, requested_by="Ann")

    assert jobs() == [(pending.pk, "create", {"size": 5}, "queued", AT)]
    assert (job.requested_by, job.created_at, job.attempts) == ("Ann", AT, 0)
    assert sent_tasks == [SentTask(RUN_JOB, {"job_id": job.pk})]


def test_nothing_rings_before_the_commit(pending, sent_tasks, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        actions.request_create(pending.pk, request_key="a", at=AT)

    assert len(callbacks) == 1
    assert sent_tasks == []


def test_a_broker_that_is_down_does_not_show(
    pending, monkeypatch, django_capture_on_commit_callbacks
):
    def refuse(**kwargs):
        raise ConnectionError("no broker")

    monkeypatch.setattr(actions.run_job, "delay", refuse)

    with django_capture_on_commit_callbacks(execute=True):
        actions.request_create(pending.pk, request_key="a", at=AT)

    assert len(jobs()) == 1


@pytest.mark.parametrize(
    "wish",
    [
        lambda pk, at: actions.request_resize(pk, spec={"size": 6}, request_key="a", at=at),
        lambda pk, at: actions.request(pk, kind=Job.Kind.SUSPEND, request_key="a", at=at),
    ],
)
def test_the_same_key_is_the_same_job(active, wish):
    first = wish(active.pk, AT)

    assert wish(active.pk, utc(2026, 12, 1)) == first
    assert len(jobs()) == 1


def test_the_same_key_creates_once(pending):
    first = actions.request_create(pending.pk, request_key="a", at=AT)

    assert actions.request_create(pending.pk, request_key="a", at=AT) == first
    assert Placement.objects.count() == 1


def test_a_key_answers_even_when_the_state_would_refuse_it_by_now(active):
    job = actions.request(active.pk, kind=Job.Kind.SUSPEND, request_key="a", at=AT)
    type(active).objects.update(status=ServiceStatus.SUSPENDED)

    assert actions.request(active.pk, kind=Job.Kind.SUSPEND, request_key="a", at=AT) == job


def test_a_key_of_another_service_is_refused(active):
    other = make_service()
    make_placement(other, server=active.placement.server)
    actions.request(active.pk, kind=Job.Kind.REFRESH, request_key="a", at=AT)

    with pytest.raises(actions.RequestKeyTaken, match="already used"):
        actions.request(other.pk, kind=Job.Kind.REFRESH, request_key="a", at=AT)

    assert len(jobs()) == 1


def test_a_key_of_another_kind_is_refused(active):
    actions.request(active.pk, kind=Job.Kind.REFRESH, request_key="a", at=AT)

    with pytest.raises(actions.RequestKeyTaken):
        actions.request(active.pk, kind=Job.Kind.TERMINATE, request_key="a", at=AT)


def test_a_long_name_of_who_wished_is_cut(pending):
    job = actions.request_create(pending.pk, request_key="a", at=AT, requested_by="x" * 200)

    assert job.requested_by == "x" * 150


# --- Refusals -----------------------------------------------------------------------------

ALLOWED = {
    Job.Kind.SUSPEND: {"active", "cancelled"},
    Job.Kind.UNSUSPEND: {"suspended"},
    Job.Kind.CHANGE_PASSWORD: {"active"},
    Job.Kind.TERMINATE: {"active", "suspended", "completed", "cancelled"},
    Job.Kind.REFRESH: {"active", "suspended"},
}


@pytest.mark.parametrize("status", list(ServiceStatus))
@pytest.mark.parametrize("kind", list(ALLOWED))
def test_a_job_needs_a_state_it_fits(kind, status):
    service = make_service(status=status)
    make_placement(service)

    if status in ALLOWED[kind]:
        assert actions.request(service.pk, kind=kind, request_key="a", at=AT).kind == kind
        return

    with pytest.raises(actions.ServiceNotReady, match=f"is {status}; .* does not apply"):
        actions.request(service.pk, kind=kind, request_key="a", at=AT)
    assert jobs() == []


@pytest.mark.parametrize("status", sorted(set(ServiceStatus) - {"pending"}))
def test_only_a_pending_service_is_created(status):
    make_server()
    service = make_service(status=status)

    with pytest.raises(actions.ServiceNotReady):
        actions.request_create(service.pk, request_key="a", at=AT)

    assert (jobs(), Placement.objects.count()) == ([], 0)


@pytest.mark.parametrize("status", sorted(set(ServiceStatus) - {"active"}))
def test_only_an_active_service_is_resized(status):
    service = make_service(status=status)
    make_placement(service)

    with pytest.raises(actions.ServiceNotReady):
        actions.request_resize(service.pk, spec={"size": 6}, request_key="a", at=AT)

    assert jobs() == []


@pytest.mark.parametrize("kind", [Job.Kind.SUSPEND, Job.Kind.UNSUSPEND, Job.Kind.CHANGE_PASSWORD])
def test_what_the_vendor_cannot_do_is_refused(kind):
    service = make_service(product=make_product(module_key="plain"))
    make_placement(service)

    with pytest.raises(actions.NotSupported, match="Plain vendor cannot"):
        actions.request(service.pk, kind=kind, request_key="a", at=AT)

    assert jobs() == []


@pytest.mark.parametrize("size", [0, 11, "6", None])
def test_a_size_the_product_forbids_is_refused(active, size):
    with pytest.raises(RemoteRejected, match=r"The size must be from 1 to 10\."):
        actions.request_resize(active.pk, spec={"size": size}, request_key="a", at=AT)

    assert jobs() == []


def test_a_service_that_stands_nowhere_cannot_be_changed():
    unplaced, unnamed, gone = (make_service() for _ in range(3))
    make_placement(unnamed, remote_id="")
    make_placement(gone, removed_at=AT)

    for service in (unplaced, unnamed, gone):
        with pytest.raises(actions.ServiceNotReady, match="has nothing at the vendor"):
            actions.request(service.pk, kind=Job.Kind.TERMINATE, request_key="a", at=AT)
        with pytest.raises(actions.ServiceNotReady, match="has nothing at the vendor"):
            actions.request_resize(service.pk, spec={"size": 6}, request_key="a", at=AT)

    assert jobs() == []


# --- Choosing a server --------------------------------------------------------------------


def place(product=None):
    """Where a new service would go; it goes there."""
    service = make_service(status=PENDING, product=product)
    actions.request_create(service.pk, request_key=f"create:{service.pk}", at=AT)
    placement = Placement.objects.filter(service=service).first()
    return placement.server.name if placement else None


def test_the_default_server_is_filled_first():
    make_server("emptier")
    make_server("default", is_default=True, max_services=2)

    assert [place() for _ in range(4)] == ["default", "default", "emptier", "emptier"]


def test_without_a_default_the_emptiest_server_is_taken():
    make_server("first")
    make_server("second")

    assert [place() for _ in range(4)] == ["first", "second", "first", "second"]


def test_disabled_servers_and_those_of_other_modules_take_nothing():
    make_server("off", disabled=True, is_default=True)
    make_server("other", module_key="plain")
    make_server("right")

    assert place() == "right"


def test_a_removed_service_makes_room():
    server = make_server("small", max_services=1)
    leaving = make_placement(make_service(), server=server)
    leaving.removed_at = AT
    leaving.save()

    assert place() == "small"


def test_giving_up_a_service_that_never_was_makes_room():
    make_server("small", max_services=1)
    never = make_service(status=PENDING)
    actions.request_create(never.pk, request_key="a", at=AT)

    actions.give_up_place(never.pk, at=AT)

    assert place() == "small"


def test_giving_up_keeps_the_place_of_what_stands(active):
    actions.give_up_place(active.pk, at=AT)

    assert Placement.objects.get().removed_at is None


def test_without_room_the_wish_waits_for_a_person(pending):
    Placement.objects.all().delete()
    pending.product.module_key = "plain"
    pending.product.save()

    job = actions.request_create(pending.pk, request_key="a", at=AT)

    assert (job.status, job.finished_at, job.last_error) == (
        Job.Status.FAILED,
        AT,
        "No server for plain is enabled and has room.",
    )
    assert Placement.objects.count() == 0
    assert actions.request_create(pending.pk, request_key="a", at=AT) == job


def test_retrying_looks_for_room_again():
    service = make_service(status=PENDING)
    job = actions.request_create(service.pk, request_key="a", at=AT)

    with pytest.raises(actions.NoServerAvailable):
        actions.retry(job.pk, at=AT)

    make_server("new")
    assert actions.retry(job.pk, at=AT).status == Job.Status.QUEUED
    assert service.placement.server.name == "new"


# --- Retry and resolve --------------------------------------------------------------------


@pytest.fixture
def failed(active):
    job = actions.request(active.pk, kind=Job.Kind.REFRESH, request_key="a", at=AT)
    Job.objects.update(status=Job.Status.FAILED, attempts=15, finished_at=AT, last_error="no")
    return job


def test_a_retried_job_starts_over(failed, sent_tasks, django_capture_on_commit_callbacks):
    later, staff = utc(2026, 11, 2), make_user(name="Sam Staff")
    sent_tasks.clear()

    with django_capture_on_commit_callbacks(execute=True):
        actions.retry(failed.pk, at=later, actor=staff)

    failed.refresh_from_db()
    assert (failed.status, failed.attempts, failed.due_at, failed.finished_at) == (
        Job.Status.QUEUED,
        0,
        later,
        None,
    )
    assert sent_tasks == [SentTask(RUN_JOB, {"job_id": failed.pk})]


def test_retrying_tries_a_paused_server_at_once(failed, active):
    server = active.placement.server
    type(server).objects.update(paused_until=utc(2026, 11, 2), pause_reason="401")

    actions.retry(failed.pk, at=AT)

    server.refresh_from_db()
    assert (server.paused_until, server.pause_reason) == (None, "")


def test_a_resolved_job_is_closed_with_the_reason(failed, active):
    staff = make_user(name="Sam Staff")

    actions.resolve(failed.pk, at=utc(2026, 11, 2), actor=staff, reason="done by hand")

    failed.refresh_from_db()
    assert (failed.status, failed.finished_at) == (Job.Status.RESOLVED, utc(2026, 11, 2))
    entry = history_of(active)[0]
    assert (entry.action, entry.actor_name) == ("job.resolved", "Sam Staff")
    assert entry.summary == f"{failed} resolved: done by hand"


@pytest.mark.parametrize("status", sorted(set(Job.Status) - {"failed"}))
def test_only_a_failed_job_is_retried_or_resolved(failed, status):
    Job.objects.update(status=status)

    with pytest.raises(actions.JobNotFailed, match=f"is {status}, not failed"):
        actions.retry(failed.pk, at=AT)
    with pytest.raises(actions.JobNotFailed):
        actions.resolve(failed.pk, at=AT, actor=None, reason="x")

    assert Job.objects.get().status == status


def test_a_job_its_service_is_past_cannot_be_retried(pending):
    job = actions.request_create(pending.pk, request_key="a", at=AT)
    Job.objects.update(status=Job.Status.FAILED)
    type(pending).objects.update(status=ServiceStatus.CANCELLED)

    with pytest.raises(actions.ServiceNotReady, match="is cancelled; create does not apply"):
        actions.retry(job.pk, at=AT)

    assert Job.objects.get().status == Job.Status.FAILED
