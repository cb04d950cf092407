"""Every way the portal and a vendor can disagree, and the ways that only look like it."""

import pytest

from billing_portal.services.states import ServiceStatus
from provisioning import actions, drift
from provisioning.contract import RemoteUnavailable
from provisioning.drift import Drift, DriftKind
from provisioning.models import Job, Placement
from tests.factories import AT, make_placement, make_server, make_service
from tests.fakes import FakeModule
from tests.provisioning.jobs import make_job, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def service(server, vendor):
    """One service that stands as it should."""
    service = make_service(label="mail")
    account = vendor.add(f"fake-service{service.pk}")
    make_placement(service, server=server, remote_id=account.remote_id)
    return service


@pytest.fixture
def account(service, vendor):
    return vendor.accounts["acc-1"]


def check(server):
    return drift.check_server(server, at=AT)


def only(server, service):
    """The one disagreement, as (kind, message)."""
    (found,) = check(server)
    assert (found.server_id, found.service_id, found.remote_id) == (server.pk, service.pk, "acc-1")
    return found.kind, found.message


def test_what_agrees_is_silent_and_costs_one_call(server, service, vendor):
    assert check(server) == []
    assert vendor.calls == ["list"]


def test_a_missing_object_is_found(server, service, vendor):
    vendor.accounts.clear()

    assert only(server, service) == (
        DriftKind.MISSING,
        "Box - mail should be acc-1, which is gone.",
    )


def test_an_object_nobody_knows_is_found(server, service, vendor):
    vendor.add("left behind")

    assert check(server) == [
        Drift(
            DriftKind.ORPHAN,
            server.pk,
            None,
            "acc-2",
            "left behind (acc-2) exists at the vendor, but no service knows it.",
        )
    ]


def test_another_size_is_found(server, service, account):
    account.size = 7

    assert only(server, service) == (
        DriftKind.DIFFERS,
        "Box - mail should be size 5 and is size 7.",
    )


def test_another_name_is_found(server, service, account):
    account.name = "renamed"

    assert only(server, service) == (
        DriftKind.RENAMED,
        f"Box - mail is called renamed, not fake-service{service.pk}.",
    )


def test_a_suspension_made_elsewhere_is_found(server, service, account):
    account.suspended = True

    assert only(server, service) == (
        DriftKind.SUSPENSION,
        "Box - mail is on here and suspended at the vendor.",
    )


def test_a_suspension_undone_elsewhere_is_found(server, service):
    Placement.objects.update(suspended=True)

    assert only(server, service) == (
        DriftKind.SUSPENSION,
        "Box - mail is suspended here and on at the vendor.",
    )


@pytest.mark.parametrize("status", ["terminated", "cancelled"])
def test_what_still_stands_for_an_ended_service_is_found(server, service, status):
    type(service).objects.update(status=status)

    assert only(server, service) == (
        DriftKind.LEFT_OVER,
        f"Box - mail is {status}, but fake-service{service.pk} still exists at the vendor.",
    )


@pytest.mark.parametrize("status", ["terminated", "cancelled"])
def test_nothing_needs_to_stand_for_an_ended_service(server, service, vendor, status):
    type(service).objects.update(status=status)
    vendor.accounts.clear()

    assert check(server) == []


def test_a_removed_object_that_is_still_there_is_an_orphan(server, service):
    Placement.objects.update(removed_at=AT)

    assert [(found.kind, found.service_id) for found in check(server)] == [(DriftKind.ORPHAN, None)]


def test_several_are_listed_by_remote_id(server, service, account, vendor):
    vendor.add("orphan b")
    account.size, account.name = 7, "renamed"

    assert [(found.remote_id, found.kind) for found in check(server)] == [
        ("acc-1", DriftKind.DIFFERS),
        ("acc-1", DriftKind.RENAMED),
        ("acc-2", DriftKind.ORPHAN),
    ]


def test_services_of_other_servers_do_not_matter(server, service):
    make_placement(make_service(), server=make_server("other"), remote_id="acc-9")

    assert check(server) == []


def test_a_service_about_to_change_is_left_out(server, service, account):
    actions.request_resize(service.pk, spec={"size": 7}, request_key="a", at=AT)
    account.size = 7

    assert check(server) == []


def test_a_failed_job_hides_nothing(server, service, account):
    actions.request_resize(service.pk, spec={"size": 7}, request_key="a", at=AT)
    Job.objects.update(status=Job.Status.FAILED)
    account.size = 7

    assert only(server, service)[0] == DriftKind.DIFFERS


def test_a_change_made_while_we_ask_is_no_disagreement(server, service, vendor, monkeypatch):
    """The list still shows the old size; by the time it is read the job is done."""
    job = make_job(server, Job.Kind.RESIZE, service=service)
    real = FakeModule.list_accounts

    def list_then_finish_the_job(module):
        states = real(module)
        run(job)
        return states

    monkeypatch.setattr(FakeModule, "list_accounts", list_then_finish_the_job)

    assert check(server) == []
    assert Job.objects.get().status == Job.Status.DONE


def test_an_object_being_created_is_no_orphan(server, vendor):
    pending = make_service(status=ServiceStatus.PENDING)
    actions.request_create(pending.pk, request_key="a", at=AT)
    vendor.add(f"fake-service{pending.pk}")

    assert check(server) == []


def test_a_failed_creation_leaves_an_orphan_in_sight(server, vendor):
    pending = make_service(status=ServiceStatus.PENDING)
    actions.request_create(pending.pk, request_key="a", at=AT)
    Job.objects.update(status=Job.Status.FAILED)
    vendor.add(f"fake-service{pending.pk}")

    assert [found.kind for found in check(server)] == [DriftKind.ORPHAN]


def test_a_vendor_that_cannot_be_asked_is_said_aloud(server, service, vendor):
    vendor.unavailable = 1

    with pytest.raises(RemoteUnavailable):
        check(server)


def test_finding_out_changes_nothing(server, service, account, vendor):
    account.size = 7
    before = list(Placement.objects.values())

    check(server)

    assert (list(Placement.objects.values()), vendor.calls) == (before, ["list"])
