"""A datastore never becomes smaller than what is in it."""

import pytest

from backups.models import Datastore
from backups.module import RemoteBackupsModule
from provisioning.actions import check_change, request_resize
from provisioning.contract import RemoteRejected, RemoteState
from provisioning.models import Job
from tests.factories import AT, make_placement, make_product, make_service

pytestmark = pytest.mark.django_db

GB = 10**9


@pytest.fixture
def service():
    service = make_service(
        product=make_product(module_key="remote_backups"), spec={"size_gb": 1000}
    )
    make_placement(service, details={"used_bytes": 800 * GB}, remote_id="ds-1")
    return service


def wish(service, size_gb, **more):
    check_change(service, settings={}, spec={"size_gb": size_gb}, may_remove=True, **more)


def test_below_what_is_used_it_is_refused_with_the_smallest_size_that_fits(service):
    with pytest.raises(RemoteRejected) as refusal:
        wish(service, 500)

    assert str(refusal.value) == (
        "800.0 GB are in use, which 500 GB do not hold: the smallest size for them is 800 GB."
        " Delete backups first, or keep fewer."
    )
    wish(service, 800)


def test_a_resize_below_use_is_not_even_queued(service):
    with pytest.raises(RemoteRejected, match=r"800\.0 GB are in use"):
        request_resize(service.pk, spec={"size_gb": 700}, request_key="k", at=AT)

    assert not Job.objects.exists()


def test_the_hourly_reading_counts_more_than_an_old_answer(service):
    Datastore.objects.create(
        server=service.placement.server,
        remote_id="ds-1",
        service=service,
        name="backup-1",
        size_bytes=1000 * GB,
        used_bytes=420 * GB,
        first_seen_at=AT,
        last_seen_at=AT,
    )

    wish(service, 500)


def test_where_nobody_knows_the_use_the_vendor_decides():
    unseen = make_service(product=make_product(module_key="remote_backups"))

    RemoteBackupsModule.check_change(
        unseen.pk, {"size_gb": 500}, RemoteState("ds", "backup", {}), may_remove=True
    )
