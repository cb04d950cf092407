"""A wish that failed is not carried out again once something newer was wished."""

import pytest

from provisioning import actions, runner
from provisioning.actions import WishOvertaken
from provisioning.models import Job
from tests.factories import AT, make_placement, make_service, utc

pytestmark = pytest.mark.django_db

LATER = utc(2026, 11, 2)


@pytest.fixture
def service(vendor):
    service = make_service()
    account = vendor.add(f"fake-service{service.pk}")
    make_placement(service, remote_id=account.remote_id)
    return service


def resize(service, size):
    return actions.request_resize(service.pk, spec={"size": size}, request_key=str(size), at=AT)


def fail(job, vendor):
    vendor.rejects = "No room."
    runner.run(job.pk, at=AT)
    vendor.rejects = ""


def size(vendor):
    return [account.size for account in vendor.accounts.values()]


def test_an_old_resize_does_not_undo_a_newer_one(service, vendor):
    old = resize(service, 8)
    fail(old, vendor)
    newer = resize(service, 6)
    runner.run(newer.pk, at=AT)

    with pytest.raises(WishOvertaken, match=rf"later \(job {newer.pk}\).* as resolved"):
        actions.retry(old.pk, at=LATER)

    assert size(vendor) == [6]
    assert Job.objects.get(pk=old.pk).status == "failed"


def test_nor_one_that_still_waits(service, vendor):
    old = resize(service, 8)
    fail(old, vendor)
    resize(service, 6)

    with pytest.raises(WishOvertaken):
        actions.retry(old.pk, at=LATER)


def test_of_two_that_failed_either_may_be_tried_again(service, vendor):
    old, newer = resize(service, 8), resize(service, 6)
    fail(old, vendor)
    fail(newer, vendor)

    actions.retry(old.pk, at=LATER)
    runner.run(old.pk, at=LATER)

    assert size(vendor) == [8]
    with pytest.raises(actions.JobNotFailed):
        actions.retry(old.pk, at=LATER)


def test_the_newest_wish_may_always_be_tried_again(service, vendor):
    runner.run(resize(service, 8).pk, at=AT)
    newest = resize(service, 6)
    fail(newest, vendor)

    actions.retry(newest.pk, at=LATER)
    runner.run(newest.pk, at=LATER)

    assert size(vendor) == [6]
