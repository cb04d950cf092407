"""Carrying out when the vendor is silent, refuses, or we made a mistake."""

from datetime import timedelta

import pytest
from django.db import OperationalError

from billing_portal.audit.models import Entry
from billing_portal.services.states import ServiceStatus
from provisioning import actions, outcomes, runner
from provisioning.models import Job, Placement, Server
from tests.factories import AT, make_server
from tests.provisioning.jobs import after, make_job, row, run

pytestmark = pytest.mark.django_db

Status, Kind = Job.Status, Job.Kind


# --- The vendor does not answer -----------------------------------------------------------


def test_the_waits_grow_and_end_after_twelve_hours():
    assert (
        *(15, 30, 60, 120, 300, 600, 1200, 1800),
        *(3600, 3600, 3600, 7200, 7200, 14400),
    ) == runner.BACK_OFF_S
    assert timedelta(hours=12) < timedelta(seconds=sum(runner.BACK_OFF_S)) < timedelta(hours=13)


def test_every_attempt_waits_longer_and_the_last_one_fails(job, vendor):
    vendor.unavailable = 15
    at, waits = AT, []

    for _ in range(14):
        run(job, at)
        assert job.status == Status.QUEUED
        waits.append((job.due_at - at).total_seconds())
        at = job.due_at
    run(job, at)

    assert waits == [15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 3600, 3600, 7200, 7200, 14400]
    assert (job.status, job.attempts) == (Status.FAILED, 15)
    assert job.last_error == "gave up after 15 attempts: no answer"
    assert Entry.objects.get().summary == "Create failed: gave up after 15 attempts: no answer"


def test_a_waiting_job_says_why(job, vendor):
    vendor.unavailable = 1

    run(job)

    assert (job.status, job.last_error, job.lease_until, job.lease_token) == (
        Status.QUEUED,
        "no answer",
        None,
        "",
    )
    assert not Entry.objects.exists()


def test_the_vendors_own_wish_counts_if_it_is_longer(job, vendor):
    vendor.unavailable, vendor.retry_after_s = 1, 600

    assert run(job).due_at == after(600)


def test_our_own_wait_counts_if_it_is_longer(job, vendor):
    vendor.unavailable, vendor.retry_after_s = 1, 1

    assert run(job).due_at == after(15)


def test_no_vendor_sends_us_away_for_longer_than_a_day(job, vendor):
    vendor.unavailable, vendor.retry_after_s = 1, 10**9

    assert run(job).due_at == after(86400)


def paused_until(server):
    return Server.objects.get(pk=server.pk).paused_until


def test_other_jobs_leave_a_silent_server_alone_for_a_moment(job, server, vendor):
    other = make_job(server)
    vendor.unavailable = 1
    run(job)

    assert paused_until(server) == after(15)
    assert run(other, after(14)).attempts == 0
    assert run(other, after(15)).status == Status.DONE


def test_a_server_that_names_a_time_is_left_alone_until_then(job, server, vendor):
    vendor.unavailable, vendor.retry_after_s = 1, 600

    run(job)

    assert paused_until(server) == after(600)
    assert Server.objects.get().pause_reason == "no answer"


def test_a_pause_is_never_shortened(job, server, vendor):
    other = make_job(server)
    running = [other]

    def meanwhile():
        if running:
            vendor.unavailable, vendor.retry_after_s = 1, 600
            runner.run(running.pop().pk, at=AT)
            vendor.unavailable, vendor.retry_after_s = 1, None

    vendor.during_call = meanwhile
    run(job)

    assert paused_until(server) == after(600)


def test_a_job_that_began_before_the_pause_does_not_end_it(job, server, vendor):
    vendor.during_call = lambda: Server.objects.update(paused_until=after(600))

    assert run(job).status == Status.DONE
    assert paused_until(server) == after(600)


def test_a_pause_holds_nobody_on_another_server(job, vendor):
    vendor.unavailable = 1
    run(job)

    assert run(make_job(make_server("other"))).status == Status.DONE


# --- The vendor refuses -------------------------------------------------------------------


def test_a_rejected_job_waits_for_a_person(job, vendor):
    vendor.rejects = "size not allowed"

    run(job)

    assert (job.status, job.attempts, job.last_error) == (Status.FAILED, 1, "size not allowed")
    assert runner.due_jobs(at=after(10**6)) == []
    assert job.service.status == ServiceStatus.PENDING
    entry = Entry.objects.get()
    assert (entry.action, entry.summary, entry.client_ref) == (
        "job.failed",
        "Create failed: size not allowed",
        job.service.client_id,
    )


def test_something_that_is_gone_needs_a_person(server, vendor):
    job = make_job(server, Kind.RESIZE)
    vendor.accounts.clear()

    run(job)

    assert (job.status, job.last_error) == (Status.FAILED, "There is no acc-1.")


def test_refused_credentials_stop_the_whole_server(job, server, vendor):
    other = make_job(server)
    vendor.refuses_credentials = True

    run(job)

    assert (job.status, job.last_error) == (Status.FAILED, "401: who are you?")
    assert paused_until(server) == after(4 * 3600)
    assert Server.objects.get().pause_reason == "401: who are you?"
    assert run(other, after(4 * 3600 - 1)).attempts == 0


def test_a_retried_job_tries_new_credentials_at_once(job, server, vendor):
    vendor.refuses_credentials = True
    run(job)
    vendor.refuses_credentials = False

    actions.retry(job.pk, at=after(60))

    assert run(job, after(60)).status == Status.DONE


def test_an_unknown_module_needs_a_person(job, server):
    Server.objects.update(module_key="gone")

    assert run(job).last_error == "There is no module called 'gone'."
    assert job.status == Status.FAILED


# --- Our own mistakes ---------------------------------------------------------------------


def test_our_bug_is_recorded_and_not_hidden(job, vendor):
    vendor.raises = ZeroDivisionError("oops")

    with pytest.raises(ZeroDivisionError):
        runner.run(job.pk, at=AT)

    assert (row(job).status, job.last_error) == (
        Status.FAILED,
        "our bug: ZeroDivisionError('oops')",
    )


def test_a_bug_in_recording_is_recorded_too(job, monkeypatch):
    def fail(*args, **kwargs):
        raise LookupError("no such thing")

    monkeypatch.setattr(outcomes, "notify", fail)

    with pytest.raises(LookupError):
        runner.run(job.pk, at=AT)

    assert (row(job).status, job.last_error) == (
        Status.FAILED,
        "our bug: LookupError('no such thing')",
    )
    assert Placement.objects.get().remote_id == ""  # all or nothing


def test_trouble_of_our_database_is_tried_again_by_itself(job, monkeypatch, settings):
    settings.JOB_LEASE_S = 120

    def fail(*args, **kwargs):
        raise OperationalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(outcomes, "apply", fail)
        with pytest.raises(OperationalError):
            runner.run(job.pk, at=AT)

    assert row(job).status == Status.RUNNING
    assert run(job, after(121)).status == Status.DONE


def test_an_error_never_shows_a_secret(job, vendor):
    vendor.rejects = 'bad request: {"password": "hunter2"}'

    assert run(job).last_error == 'bad request: {"password": "***"}'


def test_a_long_error_is_cut(job, vendor):
    vendor.rejects = "x" * 5000

    assert run(job).last_error == "x" * 1000
