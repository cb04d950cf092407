"""`list_jobs`, `retry_jobs` and `check_drift`, with good and bad input."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from provisioning.models import Job, Server
from tests.factories import make_placement, make_server, make_service
from tests.provisioning.jobs import after, make_job, row, run

pytestmark = pytest.mark.django_db

Status, Kind = Job.Status, Job.Kind


def told(*command, **options):
    """What a command printed, line by line."""
    out = StringIO()
    call_command(*command, **options, stdout=out)
    return out.getvalue().splitlines()


def told_before_failing(*command):
    """What a command printed before it failed, and with which words it failed."""
    out = StringIO()
    with pytest.raises(CommandError) as failure:
        call_command(*command, stdout=out)
    return out.getvalue().splitlines(), str(failure.value)


@pytest.fixture
def failed(job, vendor):
    vendor.rejects = "size not\nallowed"
    run(job)
    vendor.rejects = ""
    return job


# --- list_jobs ----------------------------------------------------------------------------


def test_open_and_failed_jobs_are_listed_in_the_order_they_are_due(server, failed):
    waiting = make_job(server, at=after(-60))
    done = make_job(server)
    run(done)

    lines = told("list_jobs")

    assert [line.split()[:3] for line in lines] == [
        [str(waiting.pk), "queued", "refresh"],
        [str(failed.pk), "failed", "create"],
    ]
    assert lines[1].endswith("attempts 1   due 2026-11-01T12:00:00+00:00  size not allowed")


def test_jobs_can_be_chosen_by_status_and_service(server, failed):
    done = make_job(server)
    run(done)
    waiting = make_job(server, service=done.service)

    def ids(*options):
        return [one["id"] for one in json.loads("\n".join(told("list_jobs", "--json", *options)))]

    assert ids("--status", "done") == [done.pk]
    assert ids("--status", "done", "--status", "failed") == [failed.pk, done.pk]
    assert ids("--service", str(done.service_id)) == [waiting.pk]
    assert ids("--limit", "1") == [failed.pk]


def test_json_holds_what_a_program_needs(failed):
    assert json.loads("\n".join(told("list_jobs", "--json"))) == [
        {
            "id": failed.pk,
            "status": "failed",
            "kind": "create",
            "service_id": failed.service_id,
            "service": f"Box #{failed.service_id}",
            "attempts": 1,
            "due_at": "2026-11-01T12:00:00+00:00",
            "last_error": "size not\nallowed",
        }
    ]


def test_an_empty_list_says_so():
    assert told("list_jobs") == ["No such jobs."]
    assert told("list_jobs", "--json") == ["[]"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--status", "broken"), "invalid choice: 'broken'"),
        (("--limit", "0"), "must be a whole number from 1 on, not '0'"),
        (("--limit", "-5"), "must be a whole number from 1 on, not '-5'"),
        (("--limit", "many"), "must be a whole number from 1 on, not 'many'"),
        (("--service", "mail"), "invalid int value: 'mail'"),
    ],
)
def test_list_jobs_refuses_nonsense(options, said):
    assert said in told_before_failing("list_jobs", *options)[1]


def test_listing_costs_one_query(server, django_assert_num_queries):
    for _ in range(5):
        make_job(server)

    with django_assert_num_queries(1):
        told("list_jobs")


# --- retry_jobs ---------------------------------------------------------------------------


def test_named_jobs_are_queued_again(failed):
    assert told("retry_jobs", str(failed.pk)) == [f"{failed}: size not allowed"]
    assert row(failed).status == Status.QUEUED


def test_all_failed_jobs_are_queued_again_and_no_others(server, failed, vendor):
    other = make_job(server)
    vendor.rejects = "no"
    run(other)
    done = make_job(make_server())
    vendor.rejects = ""
    run(done)

    assert len(told("retry_jobs", all=True)) == 2

    assert [row(job).status for job in (failed, other, done)] == ["queued", "queued", "done"]


def test_a_dry_run_only_lists(failed):
    assert told("retry_jobs", all=True, dry_run=True) == [f"{failed}: size not allowed"]
    assert row(failed).status == Status.FAILED


def test_nothing_to_retry_is_said(db):
    assert told("retry_jobs", all=True) == ["No failed jobs."]


def test_a_job_that_is_not_failed_stops_everything(server, failed):
    waiting = make_job(server)

    said = told_before_failing("retry_jobs", str(failed.pk), str(waiting.pk), "999999")

    assert said == ([], f"not failed, or not there: [{waiting.pk}, 999999]")
    assert row(failed).status == Status.FAILED


def test_one_that_cannot_be_retried_does_not_stop_the_others(server, failed, vendor):
    other = make_job(server)
    vendor.rejects = "no"
    run(other)
    type(failed.service).objects.filter(pk=failed.service_id).update(status="cancelled")

    lines, error = told_before_failing("retry_jobs", "--all")

    service = failed.service
    assert f"    not queued: {service} is cancelled; create does not apply." in lines
    assert error == "1 job(s) could not be queued again."
    assert [row(failed).status, row(other).status] == ["failed", "queued"]


@pytest.mark.parametrize("options", [(), ("5", "--all")])
def test_jobs_are_named_or_all_are_meant(options):
    said = told_before_failing("retry_jobs", *options)

    assert said == ([], "Name the jobs to retry, or say --all.")


def test_a_job_is_named_by_its_number():
    assert "invalid int value" in told_before_failing("retry_jobs", "first")[1]


# --- check_drift --------------------------------------------------------------------------


def test_agreement_is_said_for_each_server(server):
    make_server("another")

    assert told("check_drift") == ["another: agrees", "box: agrees"]


def test_disagreement_ends_with_an_error(server, vendor):
    vendor.add("left behind")

    assert told_before_failing("check_drift") == (
        ["box: orphan: left behind (acc-1) exists at the vendor, but no service knows it."],
        "1 disagreement(s) or unreachable server(s).",
    )


def test_a_server_that_cannot_be_asked_does_not_hide_the_others(server, vendor):
    make_server("another")
    vendor.unavailable = 1

    assert told_before_failing("check_drift") == (
        ["another: could not be asked: no answer", "box: agrees"],
        "1 disagreement(s) or unreachable server(s).",
    )


def test_a_server_whose_module_is_gone_does_not_hide_the_others(server):
    make_server("another", module_key="gone")

    assert told_before_failing("check_drift") == (
        ["box: agrees", "another: could not be asked: There is no module called 'gone'."],
        "1 disagreement(s) or unreachable server(s).",
    )


def test_one_server_can_be_named(server):
    make_server("another")

    assert told("check_drift", "--server", "box") == ["box: agrees"]


def test_an_unknown_server_is_refused(server, vendor):
    said = told_before_failing("check_drift", "--server", "bx", "--server", "box")

    assert said == ([], "no such server: bx")
    assert vendor.calls == []


def test_without_servers_there_is_nothing_to_compare(db):
    assert told("check_drift") == ["There are no servers to compare with."]


def test_checking_changes_nothing(server, vendor):
    placement = make_placement(make_service(), server=server)

    told_before_failing("check_drift")

    assert Server.objects.count() == 1
    placement.refresh_from_db()
    assert placement.removed_at is None
    assert not Job.objects.exists()
