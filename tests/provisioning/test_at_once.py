"""Several workers at once: one job, one call; on both databases."""

import pytest
from django.db import connection
from post_office.models import STATUS, Email

from billing_portal.mail import actions as mail
from billing_portal.mail import delivery
from billing_portal.services.states import ServiceStatus
from provisioning import actions, runner
from provisioning.models import Job
from tests.factories import AT, make_server, make_service
from tests.provisioning.jobs import after, make_job
from tests.threads import at_once, failures

pytestmark = pytest.mark.django_db(transaction=True)


def test_workers_at_once_make_one_call_per_job(job, server, vendor):
    others = [make_job(server, Job.Kind.SUSPEND) for _ in range(9)]
    pks = [job.pk, *(other.pk for other in others)]

    def work():
        for pk in pks:
            runner.run(pk, at=AT)

    outcomes = at_once(*[work] * 4)

    assert failures(outcomes) == []
    assert sorted(vendor.calls) == sorted(
        [f"create fake-service{job.service_id}"]
        + [f"suspend {other.service.placement.remote_id}" for other in others]
    )
    assert set(Job.objects.values_list("status", "attempts")) == {("done", 1)}


def test_two_jobs_of_one_service_never_run_at_once(server, vendor):
    first = make_job(server, Job.Kind.SUSPEND)
    second = make_job(server, Job.Kind.REFRESH, service=first.service)
    running = []
    vendor.during_call = lambda: running.append(Job.objects.filter(status="running").count())

    at_once(
        lambda: runner.run(first.pk, at=AT),
        lambda: runner.run(second.pk, at=AT),
        lambda: runner.run(second.pk, at=AT),
    )
    runner.run(second.pk, at=AT)

    assert running == [1, 1]
    assert vendor.calls == ["suspend acc-1", "describe acc-1"]


def test_an_abandoned_job_is_taken_over_once(job, vendor):
    Job.objects.update(status=Job.Status.RUNNING, lease_until=AT, lease_token="dead", attempts=1)

    outcomes = at_once(*[lambda: runner.run(job.pk, at=after(1))] * 4)

    assert failures(outcomes) == []
    assert vendor.calls == [f"create fake-service{job.service_id}"]
    job.refresh_from_db()
    assert (job.status, job.attempts) == (Job.Status.DONE, 2)


def test_one_wish_made_by_many_at_once_is_one_job(server):
    service = make_job(server).service
    runner.run(Job.objects.get().pk, at=AT)

    outcomes = at_once(
        *[lambda: actions.request(service.pk, kind=Job.Kind.SUSPEND, request_key="same", at=AT).pk]
        * 4
    )

    assert failures(outcomes) == []
    assert len(set(outcomes)) == 1


def test_a_failed_job_is_retried_once(job, vendor):
    vendor.rejects = "no"
    runner.run(job.pk, at=AT)

    outcomes = at_once(*[lambda: actions.retry(job.pk, at=AT)] * 2)

    assert [type(error) for error in failures(outcomes)] == [actions.JobNotFailed]


def test_creations_at_once_fill_the_servers_and_no_further(vendor):
    for name in ("a", "b"):
        make_server(name, max_services=3)
    services = [make_service(status=ServiceStatus.PENDING) for _ in range(8)]

    outcomes = at_once(
        *[
            lambda pk=service.pk: actions.request_create(pk, request_key=f"create:{pk}", at=AT)
            for service in services
        ]
    )

    assert failures(outcomes) == []
    assert sorted(job.status for job in outcomes) == [*["failed"] * 2, *["queued"] * 6]
    placed = [job.service.placement.server.name for job in outcomes if job.status == "queued"]
    assert sorted(placed) == ["a", "a", "a", "b", "b", "b"]


def test_workers_at_once_deliver_each_mail_once(monkeypatch):
    sent = []
    monkeypatch.setattr(
        "django.core.mail.backends.locmem.EmailBackend.send_messages",
        lambda self, messages: sent.extend(message.to[0] for message in messages),
    )
    for number in range(10):
        mail.send("service_active", to=f"{number}@example.org", key=str(number), context={}, at=AT)

    outcomes = at_once(*[delivery.deliver_queued] * 4)

    assert failures(outcomes) == []
    assert sorted(sent) == [f"{number}@example.org" for number in range(10)]
    assert sum(outcomes) == 10
    assert Email.objects.filter(status=STATUS.sent).count() == 10


def test_first_mails_at_once_do_not_stop_later_ones():
    """Nothing in the database forbids two templates of one name."""
    outcomes = at_once(
        *[
            lambda key=key: mail.send(
                "service_active", to="ann@example.org", key=key, context={}, at=AT
            )
            for key in "abcd"
        ]
    )

    assert failures(outcomes) == []
    assert mail.send("service_active", to="ann@example.org", key="e", context={}, at=AT)


@pytest.mark.postgres
def test_a_claim_waits_for_nobody(job, vendor):
    """A worker that holds a job holds no lock while it calls the vendor."""
    seen = []

    def try_to_write():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
            updated = Job.objects.filter(pk=job.pk).update(requested_by="somebody else")
            cursor.execute("SET lock_timeout = 0")
        seen.append(updated)

    vendor.during_call = lambda: seen.extend(failures(at_once(try_to_write)))
    runner.run(job.pk, at=AT)

    assert seen == [1]
