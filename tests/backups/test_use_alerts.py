"""A client is told once at each level, and again after the use fell below it."""

from datetime import timedelta

import pytest

from backups import sizes, use_alerts
from backups.models import Datastore
from backups.sandbox import DEMO_TOKEN
from billing_portal.mail.models import ClientMail
from billing_portal.services.states import ServiceStatus
from tests.factories import AT, make_client, make_product, make_server, make_service

pytestmark = pytest.mark.django_db
GB = 10**9


def make_store(*, used_gb, size_gb=1000, alerted=0, service=None, **settings):
    service = service or make_service(
        make_client(email="ann@acme.example"),
        product=make_product(module_key="remote_backups", name="Backup"),
    )
    return Datastore.objects.create(
        server=make_server(module_key="remote_backups"),
        remote_id="nas",
        service=service,
        name="nas",
        size_bytes=size_gb * GB,
        used_bytes=None if used_gb is None else int(used_gb * GB),
        alerted_percent=alerted,
        settings=settings,
        first_seen_at=AT,
        last_seen_at=AT,
    )


def see(store, used_gb, *, hour=0):
    Datastore.objects.filter(pk=store.pk).update(used_bytes=int(used_gb * GB))
    return use_alerts.tell(store.server_id, at=AT + timedelta(hours=hour))


def mails():
    """The levels mailed, oldest first."""
    keys = ClientMail.objects.order_by("pk").values_list("key", flat=True)
    return [int(key.split(":")[2]) for key in keys if key.startswith("datastore_filling:")]


def test_each_level_is_told_once_and_again_after_it_was_left():
    store = make_store(used_gb=0)

    for hour, used_gb in enumerate([700, 799.9, 800, 850, 920, 890, 960, 700, 810]):
        see(store, used_gb, hour=hour)

    assert mails() == [80, 90, 95, 80]


def test_a_jump_over_several_levels_is_one_mail():
    store = make_store(used_gb=970)

    assert use_alerts.tell(store.server_id, at=AT) == ["nas: 97 %"]
    assert use_alerts.tell(store.server_id, at=AT + timedelta(hours=1)) == []
    assert mails() == [95]


def test_use_that_plays_around_a_level_is_one_mail():
    store = make_store(used_gb=0)

    for hour, used_gb in enumerate([801, 795, 801, 781, 805]):
        see(store, used_gb, hour=hour)
    assert mails() == [80]

    see(store, 779, hour=6)
    see(store, 801, hour=7)
    assert mails() == [80, 80]


def test_the_mail_says_how_full_it_is_and_leads_to_the_service():
    store = make_store(used_gb=832.4)

    use_alerts.tell(store.server_id, at=AT)

    (mail,) = ClientMail.objects.all()
    assert mail.template == "datastore_filling"
    assert mail.email.to == ["ann@acme.example"]
    assert mail.client_ref == store.service.client_id
    assert mail.email.subject == f"{store.service} is 83 % full"
    assert "uses 832.4 GB of 1000 GB, 83 %" in mail.email.message
    assert "It does not grow by itself." in mail.email.message
    assert f"/services/{store.service_id}/" in mail.email.message


def test_an_autoscaled_datastore_is_expected_to_fill_up_to_its_threshold():
    scaled = {"autoscaling_enabled": True, "autoscaling_upper_percent": 90}
    store = make_store(used_gb=890, **scaled)

    use_alerts.tell(store.server_id, at=AT)
    assert mails() == []

    see(store, 955)
    assert mails() == [95]


@pytest.mark.parametrize(
    "fields",
    [
        {"deleted_at": AT},
        {"missing_at": AT},
        {"used_bytes": None},
        {"service": None},
        {"size_bytes": 0},
    ],
)
def test_what_is_gone_unknown_or_nobodys_tells_nobody(fields):
    store = make_store(used_gb=970)
    Datastore.objects.filter(pk=store.pk).update(**fields)

    assert use_alerts.tell(store.server_id, at=AT) == []
    assert mails() == []


def test_an_ended_service_is_told_nothing():
    store = make_store(used_gb=970)
    type(store.service).objects.update(status=ServiceStatus.TERMINATED, ended_at=AT)

    assert use_alerts.tell(store.server_id, at=AT) == []


def test_two_tellers_at_once_send_one_mail():
    store = make_store(used_gb=850)
    as_seen = Datastore.objects.select_related("service__client").get(pk=store.pk)

    assert use_alerts._move(as_seen, 80, at=AT)
    as_seen.alerted_percent = 0  # a second process that read before the first wrote
    assert not use_alerts._move(as_seen, 80, at=AT)

    assert mails() == [80]


def test_looking_at_many_costs_one_query_while_none_fills_up(django_assert_num_queries):
    store = make_store(used_gb=100)
    Datastore.objects.bulk_create(
        Datastore(
            server=store.server,
            remote_id=str(number),
            service=store.service,
            name=str(number),
            size_bytes=500 * GB,
            used_bytes=399 * GB,
            first_seen_at=AT,
            last_seen_at=AT,
        )
        for number in range(200)
    )

    with django_assert_num_queries(1):
        use_alerts.tell(store.server_id, at=AT)


def test_the_hourly_recording_tells(client, remote, sandbox):
    datastore_id = client.create_datastore("nas", size_gb=500)
    remote.use(datastore_id, 460)
    server = make_server(
        module_key="remote_backups", base_url=sandbox.url, credentials={"token": DEMO_TOKEN}
    )
    at = remote.clock()
    sizes.record_server(server.pk, at=at)
    service = make_service(product=make_product(module_key="remote_backups"))
    Datastore.objects.update(service=service)

    recorded = sizes.record_server(server.pk, at=at + timedelta(hours=1))

    assert recorded.filling == ["nas: 92 %"]
    assert mails() == [90]
