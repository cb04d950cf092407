"""A datastore that grows beyond its product: both sides are told once, and it may be stopped."""

from datetime import timedelta

import pytest

from backups import sizes, spend_guard
from backups.findings import findings
from backups.models import Datastore
from backups.sandbox import DEMO_TOKEN
from billing_portal.audit.models import Entry
from billing_portal.mail.models import ClientMail
from billing_portal.services.states import ServiceStatus
from provisioning.models import Job
from tests.factories import (
    AT,
    make_client,
    make_placement,
    make_product,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db
GB = 10**9


@pytest.fixture
def server():
    return make_server(module_key="remote_backups")


def make_store(server, *, size_gb, beyond_max="alert", status=ServiceStatus.ACTIVE, **settings):
    product = make_product(
        module_key="remote_backups",
        module_settings={"max_size_gb": 2000, "beyond_max": beyond_max},
    )
    service = make_service(
        make_client(email="ann@acme.example"), product=product, status=status, spec={"size_gb": 500}
    )
    make_placement(service, server=server)
    return Datastore.objects.create(
        server=server,
        remote_id="nas",
        service=service,
        name="nas",
        size_bytes=size_gb * GB,
        settings={"autoscaling_enabled": True} | settings,
        first_seen_at=AT,
        last_seen_at=AT,
    )


def guard(store, size_gb=None, *, hour=0):
    if size_gb:
        Datastore.objects.filter(pk=store.pk).update(size_bytes=size_gb * GB)
    return spend_guard.guard(store.server_id, at=AT + timedelta(hours=hour))


def mails():
    return [
        (mail.template, mail.email.to[0])
        for mail in ClientMail.objects.order_by("pk").select_related("email")
    ]


def test_within_the_product_nothing_is_said(server):
    assert guard(make_store(server, size_gb=2000)) == []
    assert mails() == []


def test_beyond_it_client_and_staff_are_told_once(server, settings):
    store = make_store(server, size_gb=2100)

    assert guard(store) == ["nas: 2100 GB"]
    assert guard(store, 2500, hour=1) == []

    assert mails() == [
        ("datastore_beyond_limit", "ann@acme.example"),
        ("datastore_beyond_limit_staff", settings.SELLER_EMAIL),
    ]
    message = ClientMail.objects.order_by("pk").first().email.message
    assert "grown by itself to 2100 GB, beyond the 2000 GB of your product" in message
    assert "It may grow further." in message
    assert Job.objects.count() == 0
    assert [entry.summary for entry in Entry.objects.filter(action="datastore.beyond_limit")] == [
        "nas has 2100 GB, the product sells 2000 GB"
    ]


def test_back_within_it_and_beyond_again_is_told_again(server):
    store = make_store(server, size_gb=2100)

    told = [guard(store, size, hour=hour) for hour, size in enumerate([2100, 2000, 2100])]

    assert told == [["nas: 2100 GB"], [], ["nas: 2100 GB"]]
    assert len(mails()) == 4


def test_a_product_may_have_it_stopped(server):
    store = make_store(server, size_gb=2100, beyond_max="stop")

    guard(store)
    guard(store, hour=1)

    (job,) = Job.objects.all()
    assert (job.kind, job.spec) == ("configure", {"autoscaling_enabled": False})
    assert job.requested_by == "spend guard"
    assert "it grows no further" in ClientMail.objects.order_by("pk").first().email.message


def test_what_does_not_autoscale_is_not_stopped_but_told(server):
    store = make_store(server, size_gb=2100, beyond_max="stop", autoscaling_enabled=False)

    assert guard(store) == ["nas: 2100 GB"]
    assert Job.objects.count() == 0


def test_a_suspended_service_cannot_be_stopped_and_the_mail_does_not_say_so(server):
    store = make_store(server, size_gb=2100, beyond_max="stop", status=ServiceStatus.SUSPENDED)

    assert guard(store) == ["nas: 2100 GB"]
    assert Job.objects.count() == 0
    assert "It may grow further." in ClientMail.objects.order_by("pk").first().email.message


def test_staff_see_it_among_what_is_odd(server):
    store = make_store(server, size_gb=2100)
    guard(store)

    store = Datastore.objects.select_related("service").get()

    assert "beyond its product" in [str(one.kind) for one in findings(store)]


def test_the_hourly_recording_guards(client, remote, sandbox):
    server = make_server(
        module_key="remote_backups", base_url=sandbox.url, credentials={"token": DEMO_TOKEN}
    )
    store = make_store(server, size_gb=500)
    remote_id = client.create_datastore("nas", size_gb=2100)
    Datastore.objects.filter(pk=store.pk).update(remote_id="gone", missing_at=AT)
    sizes.record_server(server.pk, at=remote.clock())
    Datastore.objects.filter(remote_id=remote_id).update(service=store.service)

    recorded = sizes.record_server(server.pk, at=remote.clock() + timedelta(hours=1))

    assert recorded.beyond == ["nas: 2100 GB"]


def test_looking_costs_the_same_for_many(server, django_assert_num_queries):
    store = make_store(server, size_gb=500)
    Datastore.objects.bulk_create(
        Datastore(
            server=server,
            remote_id=str(number),
            service=store.service,
            name=str(number),
            size_bytes=500 * GB,
            first_seen_at=AT,
            last_seen_at=AT,
        )
        for number in range(100)
    )

    with django_assert_num_queries(3):
        guard(store)
