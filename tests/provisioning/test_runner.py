"""Carrying out: who may try a job, and what becomes of a worker that dies or comes back late."""

import pytest

from billing_portal.audit.models import Entry
from billing_portal.services.states import ServiceStatus
from provisioning import outcomes, runner
from provisioning.models import Job, Placement, Server
from tests.factories import AT
from tests.fakes import FakeModule
from tests.provisioning.jobs import after, make_job, row, run

pytestmark = pytest.mark.django_db

Status, Kind = Job.Status, Job.Kind


# --- Claiming -----------------------------------------------------------------------------


def test_a_job_is_done_once(job, vendor):
    run(job)
    runner.run(job.pk, at=after(1))

    assert vendor.calls == [f"create fake-service{job.service_id}"]
    assert (row(job).status, job.attempts, job.finished_at) == (Status.DONE, 1, AT)
    assert (job.lease_until, job.lease_token, job.last_error) == (None, "", "")


def test_a_job_is_not_tried_before_it_is_due(job, vendor):
    assert run(job, after(-1)).status == Status.QUEUED
    assert vendor.calls == []


@pytest.mark.parametrize("status", [Status.DONE, Status.FAILED, Status.RESOLVED])
def test_a_closed_job_stays_closed(job, vendor, status):
    Job.objects.update(status=status)

    assert run(job).status == status
    assert vendor.calls == []


def test_a_held_job_is_left_alone_until_its_lease_is_over(job, vendor, settings):
    settings.JOB_LEASE_S = 120
    Job.objects.update(status=Status.RUNNING, lease_until=after(120), lease_token="dead")

    assert run(job, after(120)).lease_token == "dead"
    assert run(job, after(121)).status == Status.DONE
    assert vendor.names() == [f"fake-service{job.service_id}"]


def test_the_lease_lasts_as_long_as_the_setting_says(job, vendor, settings):
    settings.JOB_LEASE_S = 90
    seen = []
    vendor.during_call = lambda: seen.append(row(job).lease_until)

    run(job)

    assert seen == [after(90)]


def test_each_exchange_lengthens_the_lease(job, vendor, monkeypatch, settings):
    settings.JOB_LEASE_S = 90
    elapsed = iter([1000.0, 1030.0])  # at the start, after the exchange
    monkeypatch.setattr(runner.time, "monotonic", lambda: next(elapsed))
    seen = []
    monkeypatch.setattr(outcomes, "apply", lambda *args, **kwargs: None)
    monkeypatch.setattr(runner, "_succeed", lambda *args, **kw: seen.append(row(job).lease_until))

    runner.run(job.pk, at=AT)

    assert seen == [after(120)]


def test_jobs_of_one_service_are_done_in_order(server, vendor):
    first = make_job(server, Kind.SUSPEND)
    second = make_job(server, Kind.REFRESH, service=first.service)

    assert run(second).status == Status.QUEUED
    assert runner.due_jobs(at=AT) == [first.pk]

    run(first)
    assert runner.due_jobs(at=AT) == [second.pk]
    assert run(second).status == Status.DONE


def test_a_later_job_waits_even_while_the_first_one_backs_off(server, vendor):
    first = make_job(server, Kind.SUSPEND)
    second = make_job(server, Kind.REFRESH, service=first.service)
    vendor.unavailable = 1
    run(first)

    assert runner.due_jobs(at=after(14)) == []
    assert runner.due_jobs(at=after(60)) == [first.pk]
    assert run(second, after(60)).status == Status.QUEUED


def test_a_failed_job_lets_the_next_one_pass(server, vendor):
    first = make_job(server, Kind.SUSPEND)
    second = make_job(server, Kind.REFRESH, service=first.service)
    vendor.rejects = "no"
    run(first)
    vendor.rejects = ""

    assert run(second).status == Status.DONE


def test_due_jobs_come_in_the_order_they_are_due(server):
    late, early = make_job(server, at=after(60)), make_job(server, at=AT)

    assert runner.due_jobs(at=after(60)) == [early.pk, late.pk]
    assert runner.due_jobs(at=after(59)) == [early.pk]
    assert runner.due_jobs(at=after(60), limit=1) == [early.pk]


# --- Workers that die or come back late ---------------------------------------------------


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing is cleaned up."""


def test_a_job_of_a_killed_worker_finishes_once(job, vendor, settings):
    settings.JOB_LEASE_S = 120

    def die():
        vendor.add(f"fake-service{job.service_id}")
        raise Killed

    vendor.during_call = die
    with pytest.raises(Killed):
        runner.run(job.pk, at=AT)
    vendor.during_call = lambda: None

    assert runner.due_jobs(at=after(120)) == []
    assert runner.due_jobs(at=after(121)) == [job.pk]
    assert run(job, after(121)).status == Status.DONE
    assert job.attempts == 2
    assert vendor.names() == [f"fake-service{job.service_id}"]


def test_a_job_that_kills_every_worker_is_given_up(job, vendor, settings):
    settings.JOB_LEASE_S = 120

    def die():
        raise Killed

    vendor.during_call = die
    for attempt in range(15):
        with pytest.raises(Killed):
            runner.run(job.pk, at=after(attempt * 121))

    run(job, after(15 * 121))

    assert (job.status, job.last_error) == (
        Status.FAILED,
        "Gave up: 15 attempts ended without a result.",
    )


@pytest.fixture
def taken_over(job, vendor):
    """While the vendor is asked, the lease runs out and another worker takes the job."""

    def take():
        vendor.during_call = lambda: None
        Job.objects.filter(pk=job.pk).update(lease_token="another worker")

    vendor.during_call = take
    return job


def test_a_worker_that_lost_its_lease_records_nothing(taken_over, vendor, caplog):
    run(taken_over)

    assert (taken_over.status, taken_over.lease_token) == (Status.RUNNING, "another worker")
    assert Placement.objects.get().remote_id == ""
    assert (taken_over.service.status, Entry.objects.count()) == (ServiceStatus.PENDING, 0)
    assert "outlived its lease" in caplog.text


@pytest.mark.parametrize("trouble", ["unavailable", "rejects", "refuses_credentials"])
def test_nor_does_it_record_a_failure_or_pause_the_server(taken_over, vendor, trouble):
    setattr(vendor, trouble, 1 if trouble == "unavailable" else "no")

    run(taken_over)

    assert (taken_over.status, taken_over.last_error) == (Status.RUNNING, "")
    assert (Server.objects.get().paused_until, Entry.objects.count()) == (None, 0)


def test_a_worker_that_lost_its_lease_makes_no_further_call(server, vendor, monkeypatch):
    job = make_job(server, Kind.SUSPEND)

    def suspend_in_two_calls(self, remote_id):
        self.describe(remote_id)
        return self._change(remote_id, f"suspend {remote_id}", suspended=True)

    monkeypatch.setattr(FakeModule, "suspend", suspend_in_two_calls)
    vendor.during_call = lambda: Job.objects.filter(pk=job.pk).update(lease_token="another")

    run(job)

    assert vendor.calls == ["describe acc-1"]
    assert (job.status, job.lease_token) == (Status.RUNNING, "another")


# --- A service that moved on --------------------------------------------------------------


@pytest.mark.parametrize("status", ["cancelled", "fraud", "terminated", "completed"])
def test_nothing_is_created_for_a_service_that_ended_meanwhile(job, vendor, status):
    type(job.service).objects.update(status=status)

    run(job)

    assert vendor.calls == []
    assert (job.status, job.last_error) == (
        Status.FAILED,
        f"{job.service} is {status} by now, so nothing was done.",
    )


def test_a_change_wished_before_a_suspension_is_still_made(server, vendor):
    job = make_job(server, Kind.RESIZE)
    type(job.service).objects.update(status=ServiceStatus.SUSPENDED)

    assert run(job).status == Status.DONE
