"""What is odd about datastores, and what staff do about it."""

from decimal import Decimal

import pytest

from backups import actions, findings, totals
from backups.models import AccountCost, Datastore, SizeSpan
from billing_portal.audit.models import Entry
from billing_portal.services.states import ServiceStatus
from provisioning.models import Job, Placement
from tests.factories import (
    AT,
    make_placement,
    make_product,
    make_server,
    make_service,
    make_user,
    utc,
)

pytestmark = pytest.mark.django_db
GB = 10**9


@pytest.fixture
def server():
    return make_server("reseller", module_key="remote_backups")


@pytest.fixture
def product():
    return make_product(module_key="remote_backups", name="Backup")


def make_storage(product, **fields):
    values = {"spec": {"size_gb": 500, "name_prefix": "backup"}, "usage": {"storage": "10"}}
    return make_service(product=product, **values | fields)


def make_store(server, service=None, *, name="", size_gb=500, **fields):
    if service and not name:
        name = f"backup-client{service.client_id}-service{service.pk}"
    values = {"first_seen_at": AT, "last_seen_at": AT, "used_bytes": 100 * GB}
    return Datastore.objects.create(
        server=server,
        service=service,
        name=name or "nas",
        remote_id=f"id-{Datastore.objects.count()}",
        size_bytes=size_gb * GB,
        **values | fields,
    )


def kinds(row):
    row = Datastore.objects.select_related("service").get(pk=row.pk)
    return [str(one.kind) for one in findings.findings(row)]


# --- Findings ---


def test_a_datastore_as_wished_is_not_odd(server, product):
    assert kinds(make_store(server, make_storage(product))) == []
    assert findings.datastores_with_findings() == []


def test_everything_odd_is_said(server, product):
    service = make_storage(product)

    assert kinds(make_store(server)) == ["no service"]
    assert kinds(make_store(server, service, size_gb=600)) == ["size differs"]
    assert kinds(make_store(server, service, name="other")) == ["name differs"]
    assert kinds(make_store(server, service, missing_at=AT)) == ["missing"]


def test_an_autoscaled_size_is_not_odd(server, product):
    row = make_store(
        server, make_storage(product), size_gb=900, settings={"autoscaling_enabled": True}
    )

    assert kinds(row) == []


def test_what_stands_for_an_ended_service_is_left_over(server, product):
    ended = make_storage(product, status=ServiceStatus.TERMINATED)

    assert kinds(make_store(server, ended, size_gb=700)) == ["left over"]


def test_a_running_service_without_a_datastore_is_found_unless_a_job_is_at_it(server, product):
    lost, busy = make_storage(product), make_storage(product)
    make_store(server, lost, deleted_at=AT)
    make_store(server, make_storage(product))
    make_storage(product, status=ServiceStatus.PENDING)
    Job.objects.create(service=busy, kind="create", request_key="k", due_at=AT, created_at=AT)

    assert list(findings.services_without()) == [lost]


def test_what_is_ignored_is_not_reported_until_it_is_heeded(server):
    row, boss = make_store(server), make_user(name="Bo")

    actions.ignore(row.pk, reason="our own archive", at=AT, actor=boss)
    assert findings.datastores_with_findings() == []
    actions.heed(row.pk, at=AT, actor=boss)

    assert kinds(row) == ["no service"]
    assert [entry.summary for entry in Entry.objects.order_by("pk")] == [
        "Datastore nas ignored: our own archive",
        "Datastore nas no longer ignored",
    ]


# --- Linking ---


def test_an_orphan_is_adopted_by_the_service_it_is_named_after(server, product):
    service, boss = make_storage(product), make_user(name="Bo")
    name = f"backup-client{service.client_id}-service{service.pk}"
    row = make_store(server, name=name, size_gb=700)

    actions.adopt(row.pk, at=AT, actor=boss)

    row.refresh_from_db()
    service.refresh_from_db()
    assert row.service == service
    assert service.spec == {"size_gb": 700, "name_prefix": "backup"}
    placement = Placement.objects.get()
    assert (placement.service, placement.server) == (service, server)
    assert (placement.remote_id, placement.remote_name) == (row.remote_id, name)
    assert [(job.kind, job.requested_by) for job in Job.objects.all()] == [("refresh", "Bo")]
    assert Entry.objects.filter(action="datastore.linked", actor=boss).count() == 1
    assert kinds(row) == []


def test_linking_twice_is_one_link(server, product):
    service = make_storage(product)
    row = make_store(server)

    for _ in range(2):
        actions.link(row.pk, service.pk, at=AT, actor=None)

    assert Job.objects.count() == 1
    assert Entry.objects.filter(action="datastore.linked").count() == 1


def test_a_pending_service_becomes_active_with_what_it_is_given(server, product):
    service = make_storage(product, status=ServiceStatus.PENDING)

    actions.link(make_store(server).pk, service.pk, at=AT, actor=None)

    service.refresh_from_db()
    assert (service.status, service.activated_at) == (ServiceStatus.ACTIVE, AT)


def test_what_is_taken_gone_or_of_another_kind_is_not_linked(server, product):
    service, other = make_storage(product), make_storage(product)
    standing = make_store(server, service)
    free = make_store(server, name="free")
    ended = make_storage(product, status=ServiceStatus.TERMINATED)
    busy = make_storage(product)
    Job.objects.create(service=busy, kind="resize", request_key="k", due_at=AT, created_at=AT)
    placed = make_store(server, name="placed")
    make_placement(make_storage(product), server=server, remote_id=placed.remote_id)
    gone = make_store(server, name="gone", missing_at=AT)

    calls = make_service()
    sentences = []
    for row, target in [
        (free, service),
        (standing, other),
        (free, ended),
        (free, busy),
        (placed, other),
        (gone, other),
        (free, calls),
    ]:
        with pytest.raises(actions.NotLinkable) as caught:
            actions.link(row.pk, target.pk, at=AT, actor=None)
        sentences.append(str(caught.value))

    assert sentences == [
        f"{service} already has {standing.name}.",
        f"{standing.name} belongs to {service}.",
        f"{ended} is terminated.",
        f"Work on {busy} is under way. Try again when it is done.",
        f"placed was placed for {Placement.objects.get().service}.",
        "gone does not stand at the vendor any more.",
        f"{calls} is not backup storage.",
    ]
    assert not Datastore.objects.get(pk=free.pk).service
    assert Placement.objects.count() == 1


@pytest.mark.parametrize("name", ["nas", "backup-client1-service999999", "a-client1-service"])
def test_a_name_that_speaks_of_no_service_adopts_nothing(server, name):
    row = make_store(server, name=name)

    with pytest.raises(actions.NotLinkable, match="not that of any service"):
        actions.adopt(row.pk, at=AT, actor=None)


def test_a_datastore_named_after_another_client_s_service_is_not_adopted(server, product):
    service = make_storage(product)
    row = make_store(server, name=f"backup-client{service.client_id + 1}-service{service.pk}")

    with pytest.raises(actions.NotLinkable):
        actions.adopt(row.pk, at=AT, actor=None)


# --- What it earns ---


def test_a_month_costs_and_earns_by_the_size_that_stands(server, product):
    service = make_storage(product)
    row = make_store(server, service, size_gb=700)
    AccountCost.objects.create(server=server, price_per_1000gb=Decimal("3"), currency="EUR")

    margin = totals.margin_of(row, totals.costs()[server.pk], totals.prices([service])[service.pk])

    assert (margin.cost, margin.revenue) == (Decimal("2.10"), Decimal("7.00"))
    assert margin.margin == Decimal("4.90")


def test_two_currencies_have_no_margin(server, product):
    service = make_storage(product)
    row = make_store(server, service)
    AccountCost.objects.create(server=server, price_per_1000gb=Decimal("3"), currency="USD")

    margin = totals.margin_of(row, totals.costs()[server.pk], totals.prices([service])[service.pk])

    assert margin.margin is None
    assert totals.margin_of(row, None, None).margin is None


def test_an_account_adds_up_what_stands(server):
    AccountCost.objects.create(server=server, price_per_1000gb=Decimal("3"), currency="EUR")
    make_store(server, size_gb=500)
    make_store(server, name="b", size_gb=700)
    make_store(server, name="c", size_gb=9000, deleted_at=AT)

    (total,) = totals.account_totals()

    assert (total.count, total.size_gb, total.used_gb) == (2, 1200, 200)
    assert (total.cost, total.cost_currency) == (Decimal("3.60"), "EUR")


def test_totals_over_time_come_from_the_recorded_spans(server, django_assert_num_queries):
    row = make_store(server)
    for start, end, size in [(1, 3, 500), (3, None, 800)]:
        at = utc(2026, 11, start)
        SizeSpan.objects.create(
            datastore=row,
            size_bytes=size * GB,
            starts_at=at,
            first_seen_at=at,
            last_seen_at=at,
            ends_at=utc(2026, 11, end) if end else None,
            source="poll",
        )

    with django_assert_num_queries(1):
        found = totals.sizes_at([utc(2026, 10, 31), *(utc(2026, 11, day) for day in (1, 2, 3, 4))])

    assert found == [0, 500, 500, 800, 800]
