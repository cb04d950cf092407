"""The row is the queue: whatever happens to Redis, a due job is rung for again."""

import pytest

from billing_portal.schedule import BEAT_SCHEDULE
from provisioning import tasks
from provisioning.models import Job
from tests.factories import AT
from tests.provisioning.jobs import after, make_job, row

pytestmark = pytest.mark.django_db

RUN_JOB = "provisioning.tasks.run_job"


@pytest.fixture
def clock(monkeypatch):
    """Sets the moment at which tasks believe to run."""

    def set_to(at):
        monkeypatch.setattr(tasks, "now", lambda: at)

    set_to(AT)
    return set_to


@pytest.fixture
def rung(sent_tasks):
    """Ids of jobs rung for since the last look."""

    def since():
        found = [task.kwargs["job_id"] for task in sent_tasks if task.name == RUN_JOB]
        sent_tasks.clear()
        return found

    return since


def test_a_job_whose_ring_was_lost_is_rung_for_again_until_it_is_done(job, clock, rung, vendor):
    tasks.sweep()
    tasks.sweep()
    assert rung() == [job.pk, job.pk]

    tasks.run_job(job_id=job.pk)
    tasks.run_job(job_id=job.pk)
    tasks.sweep()

    assert rung() == []
    assert vendor.calls == [f"create fake-service{job.service_id}"]


def test_only_due_jobs_are_rung_for(job, clock, rung, vendor):
    vendor.unavailable = 1
    tasks.run_job(job_id=job.pk)

    clock(after(14))
    tasks.sweep()
    assert rung() == []

    clock(after(15))
    tasks.sweep()
    assert rung() == [job.pk]


def test_an_abandoned_job_is_rung_for_when_its_lease_is_over(job, clock, rung):
    Job.objects.update(status=Job.Status.RUNNING, lease_until=after(120))

    clock(after(120))
    tasks.sweep()
    assert rung() == []

    clock(after(121))
    tasks.sweep()
    assert rung() == [job.pk]


def test_jobs_are_rung_for_in_the_order_they_are_due(server, clock, rung):
    late, early = make_job(server, at=after(5)), make_job(server, at=AT)
    clock(after(60))

    tasks.sweep()

    assert rung() == [early.pk, late.pk]


def test_a_late_double_or_unknown_ring_does_no_harm(job, clock, vendor):
    clock(after(86400))

    tasks.run_job(job_id=job.pk)
    tasks.run_job(job_id=job.pk)
    tasks.run_job(job_id=job.pk + 1000)

    assert row(job).attempts == 1
    assert vendor.names() == [f"fake-service{job.service_id}"]


def test_the_sweep_is_scheduled_every_minute():
    (entry,) = [one for one in BEAT_SCHEDULE.values() if one["task"] == tasks.sweep.name]

    assert entry["schedule"].minute == set(range(60))


def test_a_message_is_kept_until_the_work_is_done():
    assert tasks.run_job.acks_late
