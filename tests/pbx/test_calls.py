"""Importing call records from the sandbox over real HTTP."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from pbx import calls, tasks
from pbx.agent.sandbox_calls import CallSpec
from pbx.models import Call, CallCursor, Extension, Tenant
from pbx.module import FusionPbxModule
from provisioning.contract import CredentialsRejected, RemoteUnavailable
from tests.factories import AT, make_server, make_service
from tests.pbx.requests import FIRST, NOON, OTHER

HAMBURG, BERLIN, PARIS = "4940123456", "4930123456", "33123456789"


def call(destination=HAMBURG, minutes=0, number="1001", **more):
    return CallSpec(number, destination, NOON + timedelta(minutes=minutes), **more)


def stored(minutes, destination=HAMBURG, **more):
    """A call of noon that the PBX stored so many minutes later."""
    return call(destination, insert_date=NOON + timedelta(minutes=minutes), **more)


def ids():
    return {str(uuid) for uuid in Call.objects.values_list("uuid", flat=True)}


@pytest.fixture
def evening(remote):
    """The PBX's clock stands at 8 in the evening."""
    remote.set_clock(NOON + timedelta(hours=8))


@pytest.mark.usefixtures("tariff", "evening")
def test_a_call_is_stored_and_rated_when_it_is_imported(server, service, tenant, remote):
    made = remote.make_calls(tenant.remote_id, [call(billsec=61)])

    report = calls.import_since(server.pk, at=AT)

    assert report == calls.ImportReport(server.pk, seen=1, added=1)
    row = Call.objects.get()
    assert (str(row.uuid), row.service, row.tenant) == (made[0], service, tenant)
    assert (row.extension_number, row.direction, row.leg) == ("1001", "outbound", "a")
    assert (row.caller, row.destination, row.destination_digits) == ("1001", HAMBURG, HAMBURG)
    assert (row.started_at, row.billsec) == (NOON, 61)
    assert row.answered_at == NOON + timedelta(seconds=5)
    assert row.ended_at == NOON + timedelta(seconds=66)
    assert (row.rating, row.prefix, row.rate_description) == ("rated", "4940", "Hamburg")
    assert (row.billed_s, row.amount_micros, str(row.amount)) == (66, 11000, "0.011000")
    assert row.explanation["rate_per_minute"] == "0.010000"
    assert (row.charge, row.imported_at) == (None, AT)


@pytest.mark.usefixtures("tariff", "evening")
def test_only_outbound_answered_first_legs_cost_something(server, tenant, remote):
    remote.make_calls(
        tenant.remote_id,
        [
            call(BERLIN, billsec=1),
            call(BERLIN, billsec=0),
            call(BERLIN, billsec=60, leg="b"),
            call(BERLIN, billsec=60, hangup_cause="LOSE_RACE"),
            call("+4940555", billsec=60, direction="inbound", caller="4915112345"),
            call("1002", billsec=60, direction="local"),
            call(PARIS, billsec=60),
        ],
    )

    report = calls.import_since(server.pk, at=AT)

    found = Call.objects.order_by("rating", "direction", "amount_micros").values_list(
        "rating", "direction", "amount_micros"
    )
    assert list(found) == [
        ("free", "inbound", 0),
        ("free", "local", 0),
        ("free", "outbound", 0),
        ("free", "outbound", 0),
        ("free", "outbound", 0),
        ("rated", "outbound", 12000),
        ("unrated", "outbound", None),
    ]
    assert report.unrated == 1


@pytest.mark.usefixtures("tariff", "evening")
def test_importing_again_stores_nothing_twice(server, tenant, remote):
    remote.make_calls(tenant.remote_id, [call(minutes=m) for m in range(5)])
    calls.import_since(server.pk, at=AT)
    before = list(Call.objects.order_by("pk").values())

    report = calls.import_since(server.pk, at=AT)

    assert (report.seen, report.added) == (5, 0)
    assert list(Call.objects.order_by("pk").values()) == before


@pytest.mark.usefixtures("tariff")
def test_a_call_committed_late_is_still_found(server, tenant, remote):
    remote.set_clock(NOON + timedelta(minutes=30))
    remote.make_calls(tenant.remote_id, [stored(20)])
    calls.import_since(server.pk, at=AT)

    late = remote.make_calls(tenant.remote_id, [stored(6)])
    report = calls.import_since(server.pk, at=AT)

    assert report.added == 1
    assert set(late) < ids()


@pytest.mark.usefixtures("tariff", "evening")
def test_an_import_begins_where_the_last_one_ended(server, tenant, remote):
    remote.make_calls(tenant.remote_id, [stored(m) for m in range(0, 100, 10)])
    calls.import_since(server.pk, at=AT)

    report = calls.import_since(server.pk, at=AT)

    # 15 minutes before the newest, which was stored at 13:30: those of 13:20 and 13:30.
    assert (report.seen, report.added) == (2, 0)
    assert CallCursor.objects.get().watermark == NOON + timedelta(minutes=90)


@pytest.mark.usefixtures("tariff", "evening")
def test_a_long_backlog_is_read_page_by_page(server, tenant, remote):
    made = remote.generate_calls(
        tenant.remote_id, count=2500, seed=1, start=NOON - timedelta(days=9), end=NOON
    )

    report = calls.import_since(server.pk, at=AT)

    assert (report.seen, report.added) == (2500, 2500)
    assert ids() == set(made)
    assert remote.requests().count("GET /api/v1/calls") == 3


@pytest.mark.usefixtures("tariff", "evening")
def test_an_import_that_breaks_off_is_continued_by_the_next(server, tenant, remote):
    made = remote.generate_calls(
        tenant.remote_id, count=1500, seed=1, start=NOON - timedelta(days=9), end=NOON
    )
    remote.fault("delay", times=1, path="/calls")
    remote.fault("503", times=1, path="/calls")
    with pytest.raises(RemoteUnavailable):
        calls.import_since(server.pk, at=AT)
    kept = Call.objects.count()

    calls.import_since(server.pk, at=AT)

    assert kept == 1000
    assert ids() == set(made)


@pytest.mark.usefixtures("tariff", "evening")
def test_a_clock_that_was_set_back_takes_the_watermark_along(server, tenant, remote):
    remote.make_calls(tenant.remote_id, [stored(60)])
    calls.import_since(server.pk, at=AT)

    remote.set_clock(NOON + timedelta(minutes=30))
    calls.import_since(server.pk, at=AT)
    early = remote.make_calls(tenant.remote_id, [call()])
    calls.import_since(server.pk, at=AT)

    assert set(early) <= ids()
    assert CallCursor.objects.get().watermark < NOON + timedelta(minutes=31)


# --- Whose call it is ---


@pytest.mark.usefixtures("tariff", "evening")
def test_calls_of_strangers_and_of_nobody_are_parked_not_dropped(server, agent, remote):
    agent.put(f"/api/v1/tenants/{OTHER}", json={"domain": "stranger.pbx.example"})
    remote.make_calls(OTHER, [call()])
    remote.make_calls(None, [call()])

    report = calls.import_since(server.pk, at=AT)

    assert (report.added, report.parked) == (2, 2)
    found = {(row.tenant and row.tenant.domain, row.rating) for row in Call.objects.all()}
    assert found == {("stranger.pbx.example", "unrated"), (None, "unrated")}
    assert Call.objects.filter(service__isnull=False).count() == 0


@pytest.mark.usefixtures("tariff", "evening")
def test_a_parked_call_goes_to_the_service_once_its_tenant_is_known(
    server, service, module, agent, remote
):
    agent.put(f"/api/v1/tenants/{OTHER}", json={"domain": "acme.pbx.example"})
    agent.put(f"/api/v1/tenants/{OTHER}/extensions/{FIRST}", json={"number": "1001"})
    remote.make_calls(OTHER, [call(billsec=61), call(PARIS)])
    calls.import_since(server.pk, at=AT)

    module.observed(server.pk, service.pk, module.describe(OTHER), at=AT)

    found = Call.objects.order_by("destination").values_list(
        "service", "rating", "amount_micros", "extension_number"
    )
    assert list(found) == [
        (service.pk, "unrated", None, "1001"),
        (service.pk, "rated", 11000, "1001"),
    ]


@pytest.mark.usefixtures("tariff", "evening")
def test_two_pbxs_may_use_the_same_uuid(server, tenant, remote, sandbox):
    uuid = UUID("55555555-5555-4555-8555-555555555555")
    remote.make_calls(tenant.remote_id, [call(uuid=uuid)])
    twin = make_server("twin", module_key="fusionpbx", base_url=sandbox.url)
    twin.credentials = server.credentials
    twin.save()

    calls.import_since(server.pk, at=AT)
    calls.import_since(twin.pk, at=AT)

    assert list(Call.objects.order_by("server").values_list("server", "service")) == [
        (server.pk, tenant.service_id),
        (twin.pk, None),
    ]


@pytest.mark.usefixtures("tariff", "evening")
def test_a_late_call_of_a_removed_tenant_still_goes_to_its_service(
    server, service, tenant, module, remote
):
    remote.make_calls(tenant.remote_id, [call(number="1002")])
    module.terminate(tenant.remote_id)
    module.removed(server.pk, tenant.remote_id, at=AT)

    calls.import_since(server.pk, at=AT)

    row = Call.objects.get()
    assert (row.service, row.extension_number, row.rating) == (service, "1002", "rated")


# --- Our rows of tenants and extensions ---


def test_rows_follow_what_jobs_see(server, service, tenant, module):
    created = module.describe(tenant.remote_id)
    fewer = module.resize(tenant.remote_id, {**created.spec, "extensions": 1})
    module.observed(server.pk, service.pk, fewer, at=AT)

    found = Extension.objects.order_by("number").values_list("number", "removed_at")
    assert list(found) == [("1001", None), ("1002", AT)]

    more = module.resize(tenant.remote_id, {**created.spec, "extensions": 2})
    module.observed(server.pk, service.pk, more, at=AT)

    found = Extension.objects.order_by("number").values_list("number", "removed_at")
    assert list(found) == [("1001", None), ("1002", None)]
    assert list(Tenant.objects.values_list("domain", "service", "removed_at")) == [
        (f"acme-{service.pk}.pbx.example", service.pk, None)
    ]


def test_a_removed_tenant_keeps_its_service_and_loses_its_extensions(server, service, tenant):
    removed_at = AT + timedelta(days=1)

    FusionPbxModule.removed(server.pk, tenant.remote_id, at=removed_at)
    FusionPbxModule.removed(server.pk, tenant.remote_id, at=AT + timedelta(days=2))

    tenant.refresh_from_db()
    assert (tenant.service, tenant.removed_at) == (service, removed_at)
    assert set(Extension.objects.values_list("removed_at", flat=True)) == {removed_at}


# --- When the PBX does not answer ---


@pytest.mark.usefixtures("tariff", "evening")
def test_a_failed_import_says_why_until_one_succeeds(server, tenant, remote):
    remote.fault("503")
    with pytest.raises(RemoteUnavailable):
        calls.import_since(server.pk, at=AT)
    cursor = CallCursor.objects.get()
    assert (cursor.failed_at, cursor.imported_at, "503" in cursor.last_error) == (AT, None, True)

    calls.import_since(server.pk, at=AT)

    cursor = CallCursor.objects.get()
    assert (cursor.failed_at, cursor.imported_at, cursor.last_error) == (None, AT, "")


def test_a_wrong_token_is_told(server):
    server.credentials = {"token": "wrong"}
    server.save()

    with pytest.raises(CredentialsRejected):
        calls.import_since(server.pk, at=AT)

    assert "refused the token" in CallCursor.objects.get().last_error


def test_the_task_takes_each_pbx_on_its_own(server, remote, sent_tasks):
    other = make_server("second", module_key="fusionpbx")
    make_server("storage", module_key="remote_backups")

    tasks.import_all_calls()

    assert [(task.name, task.kwargs) for task in sent_tasks] == [
        ("pbx.tasks.import_calls", {"server_id": server.pk}),
        ("pbx.tasks.import_calls", {"server_id": other.pk}),
    ]


def test_a_pbx_that_does_not_answer_is_no_alarm_for_the_worker(server, remote, caplog):
    remote.fault("500")

    tasks.import_calls(server_id=server.pk)

    assert f"calls of server {server.pk} were not imported" in caplog.text
    assert CallCursor.objects.get().failed_at is not None


# --- Cost ---


@pytest.mark.usefixtures("tariff", "evening")
def test_a_poll_with_nothing_new_costs_the_same_few_queries(
    server, tenant, remote, django_assert_num_queries
):
    remote.make_calls(tenant.remote_id, [stored(m) for m in range(10)])
    calls.import_since(server.pk, at=AT)

    with django_assert_num_queries(7):
        calls.import_since(server.pk, at=AT)

    assert remote.requests().count("GET /api/v1/calls") == 2


@pytest.mark.usefixtures("tariff", "evening")
@pytest.mark.parametrize("count", [8, 40])
def test_a_page_costs_as_many_queries_however_many_calls(
    server, product, module, remote, agent, count, django_assert_num_queries
):
    for number in range(4):
        tenant_id = f"11111111-1111-4111-8111-11111111111{number}"
        agent.put(f"/api/v1/tenants/{tenant_id}", json={"domain": f"t{number}.pbx.example"})
        service = make_service(product=product)
        module.observed(server.pk, service.pk, module.describe(tenant_id), at=AT)
        remote.make_calls(tenant_id, [call(minutes=m) for m in range(count // 4)])
    CallCursor.objects.create(server=server)

    with django_assert_num_queries(13):
        report = calls.import_since(server.pk, at=AT)

    assert report.added == count // 4 * 4


# --- The command ---


@pytest.mark.usefixtures("tariff", "evening")
def test_the_command_imports_every_pbx_and_names_those_that_failed(server, tenant, remote, capsys):
    remote.make_calls(tenant.remote_id, [call(), call(PARIS)])
    make_server("dead", module_key="fusionpbx", base_url="http://127.0.0.1:9")

    with pytest.raises(CommandError, match="not imported: dead"):
        call_command("import_calls")

    assert capsys.readouterr().out == "PBX: 2 new calls, 1 without a price, 0 parked\n"


def test_a_dry_run_says_where_it_would_begin(server, remote, capsys):
    call_command("import_calls", dry_run=True)
    CallCursor.objects.create(server=server, watermark=NOON)
    call_command("import_calls", dry_run=True)

    assert capsys.readouterr().out == (
        "PBX: from the first call\nPBX: from what was stored at 2026-03-10T11:45:00+00:00\n"
    )
    assert remote.requests() == []


def test_an_unknown_pbx_is_named(server):
    with pytest.raises(CommandError, match="no PBX is called nowhere"):
        call_command("import_calls", server=["nowhere"])
