"""The hourly tasks and the operators' commands around recording."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from backups import tasks
from backups.models import Datastore, SizeSpan
from backups.sandbox import DEMO_TOKEN
from provisioning.contract import CredentialsRejected, RemoteUnavailable
from tests.factories import make_product, make_server, make_service

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(sandbox, remote):
    return make_server(
        "first",
        module_key="remote_backups",
        base_url=sandbox.url,
        credentials={"token": DEMO_TOKEN},
    )


def run(command, **options):
    out, errors = StringIO(), StringIO()
    try:
        call_command(command, stdout=out, stderr=errors, **options)
    except CommandError as error:
        return out.getvalue(), errors.getvalue(), str(error)
    return out.getvalue(), errors.getvalue(), None


# --- Tasks ---


def test_every_account_gets_a_task_of_its_own(server, sent_tasks):
    full = make_server("full", module_key="remote_backups", disabled=True)
    make_server("a pbx", module_key="fusionpbx")

    tasks.record_all_sizes()

    assert [(task.name, task.kwargs) for task in sent_tasks] == [
        ("backups.tasks.record_sizes", {"server_id": server.pk}),
        ("backups.tasks.record_sizes", {"server_id": full.pk}),
    ]


def test_the_task_records_at_the_portals_present_moment(server, client):
    client.create_datastore("nas", size_gb=500)

    tasks.record_sizes(server_id=server.pk)

    assert Datastore.objects.get().name == "nas"


def test_a_short_outage_is_tried_again(server, client, remote):
    client.create_datastore("nas", size_gb=500)
    remote.fault("503", times=2)

    result = tasks.record_sizes.apply(kwargs={"server_id": server.pk})

    assert result.successful()
    assert SizeSpan.objects.count() == 1
    assert remote.requests()[-3:] == ["GET /reseller/datastore"] * 3


def test_a_long_outage_fails_the_task(server, remote):
    remote.fault("503", times=50)

    result = tasks.record_sizes.apply(kwargs={"server_id": server.pk})

    assert isinstance(result.result, RemoteUnavailable)
    assert len(remote.requests()) == 6


def test_a_refused_token_is_not_tried_again(server, remote):
    server.credentials = {"token": "wrong-token"}
    server.save()

    result = tasks.record_sizes.apply(kwargs={"server_id": server.pk})

    assert isinstance(result.result, CredentialsRejected)


# --- Commands ---


def test_record_sizes_says_what_is_new_changed_and_missing(server, client, remote):
    ids = [client.create_datastore(name, size_gb=500) for name in ("a", "b", "c")]
    run("record_sizes")
    client.create_datastore("d", size_gb=900)
    remote.resize(ids[1], 600, at=remote.clock())
    remote.remove(ids[2])

    out, errors, failure = run("record_sizes")

    assert (errors, failure) == ("", None)
    assert out.splitlines() == [
        "first: 3 datastore(s) seen",
        "  new: d: 900 GB",
        "  changed: b: 500 GB -> 600 GB",
        "  missing: c",
    ]


def test_a_dry_run_says_it_and_records_nothing(server, client):
    client.create_datastore("nas", size_gb=500)

    out, _, _ = run("record_sizes", dry_run=True)

    assert out.splitlines() == ["first: 1 datastore(s) seen (not recorded)", "  new: nas: 500 GB"]
    assert not Datastore.objects.exists()


def test_an_account_that_fails_stops_no_other_and_the_command_fails(server, client):
    client.create_datastore("nas", size_gb=500)
    make_server("another", module_key="remote_backups", base_url="http://127.0.0.1:9")

    out, errors, failure = run("record_sizes")

    assert out.splitlines()[0] == "first: 1 datastore(s) seen"
    assert errors.startswith("another: GET /reseller/datastore: no answer (ConnectError")
    assert failure == "not recorded: another"


def test_only_the_account_that_was_named_is_recorded(server):
    make_server("another", module_key="remote_backups", base_url="http://127.0.0.1:9")

    out, _, failure = run("record_sizes", server="first")

    assert (out, failure) == ("first: 0 datastore(s) seen\n", None)


@pytest.mark.parametrize("command", ["record_sizes", "list_datastores"])
def test_an_unknown_account_is_said(server, command):
    assert run(command, server="nobody")[2] == "There is no account 'nobody'."


def test_without_accounts_there_is_nothing_to_record():
    assert run("record_sizes")[2] == "No accounts."


def test_list_datastores_shows_size_use_and_service(server, client, remote):
    ids = [client.create_datastore(name, size_gb=500) for name in ("nas", "old")]
    remote.use(ids[0], 450)
    run("record_sizes")
    service = make_service(product=make_product(module_key="remote_backups"))
    Datastore.objects.filter(name="nas").update(service=service)
    remote.remove(ids[1])
    run("record_sizes")

    lines = [line.split("\t") for line in run("list_datastores")[0].splitlines()]

    assert lines[0][:5] == ["first", "nas", "500 GB", "90 % used", f"service {service.pk}"]
    assert lines[0][5].startswith("seen 20")
    assert lines[1][:5] == ["first", "old", "500 GB", "0 % used", "no service"]
    assert lines[1][6].startswith("MISSING since 20")
    assert lines[2] == ["2 datastore(s), 1000 GB"]
