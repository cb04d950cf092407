"""What a finished job leaves behind: the placement, the state, the history and the mail."""

from dataclasses import replace

import pytest
from django.db import IntegrityError, connection
from post_office.models import Email

from billing_portal.audit.models import Entry
from billing_portal.mail.models import ClientMail
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from provisioning import actions
from provisioning.models import Job, Placement
from tests.factories import AT, make_server, make_service
from tests.fakes import FakeModule
from tests.provisioning.jobs import after, make_job, run

pytestmark = pytest.mark.django_db

Kind = Job.Kind


def history():
    return list(Entry.objects.order_by("pk").values_list("action", "summary"))


# --- Creating -----------------------------------------------------------------------------


def test_a_creation_fills_in_the_place_and_starts_the_service(job, vendor):
    run(job)

    placement = Placement.objects.get()
    assert (placement.remote_id, placement.remote_name) == (
        "acc-1",
        f"fake-service{job.service_id}",
    )
    assert (placement.spec, placement.details) == ({"size": 5}, {"host": "box.example.net"})
    assert placement.credentials == {
        "user": f"fake-service{job.service_id}",
        "password": "first-password",
    }
    assert (placement.placed_at, placement.seen_at, placement.suspended) == (AT, AT, False)
    service = Service.objects.get()
    assert (service.status, service.activated_at) == (ServiceStatus.ACTIVE, AT)
    assert vendor.observed == [(service.pk, "acc-1")]


def test_the_credentials_are_not_readable_in_the_database(job):
    run(job)

    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM provisioning_placement")
        (stored,) = cursor.fetchone()
    assert "first-password" not in stored
    assert stored.startswith("gAAAA")


def test_history_tells_of_the_creation_and_of_who_wished_it(job):
    Job.objects.update(requested_by="Ann")

    run(job)

    service = job.service
    assert history() == [
        ("service.active", f"{service} is now active"),
        ("job.create", "Create done"),
    ]
    entry = Entry.objects.get(action="job.create")
    assert entry.details == {"job": job.pk, "attempts": 1, "requested_by": "Ann"}
    assert entry.client_ref == service.client_id


def test_the_client_is_told_once_that_it_is_ready(job, vendor):
    vendor.lose_replies = 1
    run(job)
    run(job, after(15))

    (mail,) = Email.objects.all()
    assert (mail.to, mail.subject) == ([job.service.client.email], f"{job.service} is ready")
    assert "(size 5) is active." in mail.message
    assert f"http://127.0.0.1:8000/services/{job.service_id}/" in mail.message
    assert ClientMail.objects.get().key == f"service_active:{job.service_id}"


def test_the_mail_holds_no_secrets(job):
    run(job)

    mail = Email.objects.get()
    for part in (mail.subject, mail.message, mail.html_message, str(mail.context)):
        assert "first-password" not in part


def test_creating_a_second_time_changes_nothing_for_the_client(job, server):
    run(job)
    Job.objects.update(status=Job.Status.QUEUED)  # as after a lease that ran out unseen

    run(job, after(60))

    assert Service.objects.get().activated_at == AT
    assert Placement.objects.get().placed_at == AT
    assert ClientMail.objects.count() == 1


# --- Changing -----------------------------------------------------------------------------


def test_a_resize_becomes_the_spec_of_the_service(server, vendor):
    job = make_job(server, Kind.RESIZE)

    run(job, after(60))

    assert vendor.calls == ["resize acc-1 to 6"]
    assert Service.objects.get().spec == {"size": 6}
    placement = Placement.objects.get()
    assert (placement.spec, placement.placed_at, placement.seen_at) == ({"size": 6}, AT, after(60))
    assert history()[0] == ("service.changed", f"{job.service} changed")
    assert Entry.objects.order_by("pk").first().details == {
        "before": {"size": 5},
        "after": {"size": 6},
    }


def test_a_failed_resize_leaves_the_spec(server, vendor):
    vendor.rejects = "too small for the data"

    run(make_job(server, Kind.RESIZE))

    assert Service.objects.get().spec == {"size": 5}


def test_a_new_password_replaces_the_stored_one(server):
    run(make_job(server, Kind.CHANGE_PASSWORD))

    assert Placement.objects.get().credentials["password"] == "second-password"


def test_an_answer_without_credentials_keeps_the_stored_ones(server, vendor, monkeypatch):
    job = make_job(server, Kind.REFRESH)
    placement = Placement.objects.get()
    placement.credentials = {"password": "kept"}
    placement.save()
    real = FakeModule.describe
    monkeypatch.setattr(
        FakeModule, "describe", lambda self, pk: replace(real(self, pk), credentials={})
    )

    run(job)

    placement.refresh_from_db()
    assert placement.credentials == {"password": "kept"}
    assert placement.details == {"host": "box.example.net"}


# --- Suspending and ending ----------------------------------------------------------------


def suspend(service, reason="Overdue on payment"):
    return actions.request(
        service.pk, kind=Kind.SUSPEND, request_key=f"{reason}", at=AT, reason=reason
    )


def test_a_suspension_is_done_remembered_and_told_with_its_reason(server, vendor):
    service = make_job(server).service
    run(Job.objects.get())

    run(suspend(service))

    service.refresh_from_db()
    assert (service.status, service.suspension_reason) == ("suspended", "Overdue on payment")
    assert Placement.objects.get().suspended
    mail = Email.objects.get()
    assert mail.subject == f"{service} is suspended"
    assert "is suspended: Overdue on payment." in mail.message


def test_a_second_suspension_is_not_told_again(server):
    service = make_job(server).service
    run(Job.objects.get())
    first, second = suspend(service, "one"), suspend(service, "two")

    run(first)
    run(second)

    assert [mail.subject for mail in Email.objects.all()] == [f"{service} is suspended"]


def test_unsuspending_brings_the_service_back(server, vendor):
    service = make_job(server, Kind.SUSPEND).service
    run(Job.objects.get())
    service.refresh_from_db()

    run(make_job(server, Kind.UNSUSPEND, service=service))

    service.refresh_from_db()
    assert (service.status, service.suspension_reason) == (ServiceStatus.ACTIVE, "")
    assert not vendor.accounts["acc-1"].suspended


def test_a_termination_ends_the_service_and_forgets_the_credentials(server, vendor):
    job = make_job(server, Kind.TERMINATE)
    placement = Placement.objects.get()
    placement.credentials = {"password": "x"}
    placement.save()

    run(job, after(60))

    service = Service.objects.get()
    assert (service.status, service.ended_at) == (ServiceStatus.TERMINATED, after(60))
    placement.refresh_from_db()
    assert (placement.removed_at, placement.credentials) == (after(60), {})
    assert vendor.accounts == {}
    assert vendor.removed == [("acc-1", after(60))]


def test_terminating_twice_keeps_the_first_moment(server, vendor):
    first = make_job(server, Kind.TERMINATE)
    second = make_job(server, Kind.TERMINATE, service=first.service)

    run(first, after(60))
    run(second, after(120))

    assert Job.objects.get(pk=second.pk).status == Job.Status.DONE
    assert Service.objects.get().ended_at == after(60)
    assert Placement.objects.get().removed_at == after(60)
    assert vendor.removed == [("acc-1", after(60))]


def test_a_remote_object_of_another_service_is_never_shared(job, server):
    """Two services must not be billed for, or delete, the same thing."""
    other = make_service()
    Placement.objects.create(service=other, server=server, remote_id="acc-1")

    with pytest.raises(IntegrityError):
        run(job)

    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    assert job.last_error.startswith("our bug: IntegrityError")
    assert Placement.objects.get(service=job.service).remote_id == ""


def test_the_same_id_on_another_server_is_another_object(job):
    Placement.objects.create(service=make_service(), server=make_server(), remote_id="acc-1")

    assert run(job).status == Job.Status.DONE
