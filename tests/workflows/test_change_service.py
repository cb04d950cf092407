"""Changing a running service, with vendors that can do everything and such that cannot."""

import pytest

from billing_portal.mail.models import ClientMail
from billing_portal.services.actions import TransitionRefused
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import change_service
from provisioning import runner
from provisioning.actions import ServiceNotReady
from provisioning.contract import RemoteRejected
from provisioning.models import Job
from tests.factories import AT, make_placement, make_product, make_service, make_user, utc

pytestmark = pytest.mark.django_db

LATER = utc(2026, 11, 2)


@pytest.fixture(autouse=True)
def _vendor(vendor):
    return vendor


def make_standing(vendor, module_key="fake", **fields):
    """A service that stands at the vendor."""
    service = make_service(product=make_product(module_key=module_key), label="mail", **fields)
    account = vendor.add(f"fake-service{service.pk}")
    make_placement(service, remote_id=account.remote_id)
    return service


def row(service):
    return Service.objects.get(pk=service.pk)


def mails():
    return list(ClientMail.objects.order_by("pk").values_list("email__subject", flat=True))


def jobs():
    return list(Job.objects.order_by("pk").values_list("kind", "spec", "requested_by"))


def suspend(service, key="s", reason="Overdue", at=AT):
    change_service.suspend(
        service.pk, reason=reason, request_key=key, at=at, actor=make_user(name="Sam")
    )


def unsuspend(service, key="u", at=LATER):
    change_service.unsuspend(service.pk, request_key=key, at=at, actor=None)


# --- Size ---------------------------------------------------------------------------------


def test_a_change_is_a_job_in_the_name_of_whoever_wants_it(vendor):
    service = make_standing(vendor)
    ann = make_user(name="Ann Smith")

    job = change_service.request_change(
        service.pk, spec={"size": 6}, request_key="k", at=AT, actor=ann
    )

    assert jobs() == [("resize", {"size": 6}, "Ann Smith")]
    runner.run(job.pk, at=AT)
    assert row(service).spec == {"size": 6}


def test_a_forbidden_size_is_refused_with_a_sentence(vendor):
    service = make_standing(vendor)

    with pytest.raises(RemoteRejected, match=r"The size must be from 1 to 10\."):
        change_service.request_change(
            service.pk, spec={"size": 11}, request_key="k", at=AT, actor=None
        )

    assert jobs() == []


def test_a_suspended_service_does_not_change(vendor):
    service = make_standing(vendor, status=ServiceStatus.SUSPENDED)

    with pytest.raises(ServiceNotReady):
        change_service.request_change(
            service.pk, spec={"size": 6}, request_key="k", at=AT, actor=None
        )


# --- Suspending at the vendor -------------------------------------------------------------


def test_a_vendor_that_can_suspends_and_brings_back(vendor):
    service = make_standing(vendor)

    suspend(service)
    assert row(service).status == "active"  # until the job is done
    runner.run(Job.objects.get().pk, at=AT)

    assert (row(service).status, row(service).suspension_reason) == ("suspended", "Overdue")
    assert [account.suspended for account in vendor.accounts.values()] == [True]

    unsuspend(service)
    runner.run(Job.objects.latest("pk").pk, at=LATER)

    assert row(service).status == "active"
    assert [account.suspended for account in vendor.accounts.values()] == [False]
    assert mails() == ["Box - mail is suspended", "Box - mail is back"]


# --- Suspending commercially --------------------------------------------------------------


@pytest.fixture(params=["plain", ""])
def commercial(request, vendor):
    """A service whose vendor cannot suspend, or that has no vendor."""
    if request.param:
        return make_standing(vendor, module_key=request.param)
    return make_service(product=make_product(module_key=""), label="mail")


def test_where_the_vendor_cannot_the_suspension_is_ours_alone(commercial, vendor):
    suspend(commercial)

    assert (row(commercial).status, row(commercial).suspension_reason) == ("suspended", "Overdue")
    assert (jobs(), vendor.calls) == ([], [])

    unsuspend(commercial)

    assert (row(commercial).status, row(commercial).suspension_reason) == ("active", "")
    assert mails() == ["Box - mail is suspended", "Box - mail is back"]


def test_a_client_is_told_only_of_a_change(commercial):
    suspend(commercial)
    suspend(commercial, key="another", at=LATER)
    unsuspend(commercial, at=LATER)
    unsuspend(commercial, key="another", at=utc(2026, 11, 3))

    assert mails() == ["Box - mail is suspended", "Box - mail is back"]


def test_each_suspension_is_told(commercial):
    suspend(commercial)
    unsuspend(commercial, at=LATER)
    suspend(commercial, at=utc(2026, 11, 3))

    assert len(mails()) == 3


def test_a_mail_does_not_depend_on_how_long_the_key_is(commercial):
    suspend(commercial, key="k" * 120)

    assert len(ClientMail.objects.get().key) < 120


def test_what_does_not_run_is_not_suspended():
    service = make_service(product=make_product(module_key=""), status=ServiceStatus.PENDING)

    with pytest.raises(TransitionRefused, match="is pending and cannot become suspended"):
        suspend(service)

    assert mails() == []


# --- Ending -------------------------------------------------------------------------------


def terminate(service):
    return change_service.terminate(service.pk, request_key="t", at=LATER, actor=None)


@pytest.mark.parametrize("module_key", ["fake", "plain"])
def test_ending_deletes_the_remote_object_first(vendor, module_key):
    service = make_standing(vendor, module_key=module_key)

    job = terminate(service)
    assert row(service).status == "active"
    runner.run(job.pk, at=LATER)

    assert (row(service).status, row(service).ended_at) == ("terminated", LATER)
    assert vendor.accounts == {}


def test_a_suspended_service_can_end(vendor):
    service = make_standing(vendor, status=ServiceStatus.SUSPENDED)

    runner.run(terminate(service).pk, at=LATER)

    assert row(service).status == "terminated"


@pytest.mark.parametrize(
    ("module_key", "has_place"), [("fake", False), ("fake", True), ("", False)]
)
def test_what_stands_nowhere_ends_at_once(module_key, has_place):
    service = make_service(product=make_product(module_key=module_key))
    if has_place:  # a server was chosen, but nothing was made there
        make_placement(service, remote_id="")

    assert terminate(service) is None
    assert (row(service).status, row(service).ended_at) == ("terminated", LATER)


def test_what_ended_stays_ended(vendor):
    service = make_standing(vendor, status=ServiceStatus.TERMINATED)

    with pytest.raises(ServiceNotReady):
        terminate(service)
