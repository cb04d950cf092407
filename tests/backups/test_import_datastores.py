"""Adopting an account that was used before: by name, by a mapping, tried out first."""

import csv

import pytest

from backups.models import Datastore
from backups.sandbox import DEMO_TOKEN
from billing_portal.services.states import ServiceStatus
from provisioning import runner
from provisioning.models import Job, Placement
from tests.backups.test_recording_commands import run
from tests.factories import AT, make_product, make_server, make_service

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(sandbox, remote):
    return make_server(
        "first",
        module_key="remote_backups",
        base_url=sandbox.url,
        credentials={"token": DEMO_TOKEN},
    )


@pytest.fixture
def service():
    product = make_product(module_key="remote_backups", name="Backup")
    return make_service(
        product=product,
        spec={"size_gb": 500, "name_prefix": "backup"},
        status=ServiceStatus.PENDING,
    )


def name_of(service, prefix="backup"):
    return f"{prefix}-client{service.client_id}-service{service.pk}"


def test_a_datastore_is_linked_to_the_service_it_is_named_after(server, client, service):
    client.create_datastore(name_of(service), size_gb=700)
    client.create_datastore("archive", size_gb=500)

    out, errors, failure = run("import_datastores")

    assert (errors, failure) == ("", None)
    service.refresh_from_db()
    assert service.status == ServiceStatus.ACTIVE
    assert service.spec["size_gb"] == 700
    assert Datastore.objects.get(service=service).name == name_of(service)
    assert out.splitlines() == [
        "unmatched: archive (500 GB) its name is not that of any service of ours",
        f"linked: {name_of(service)} (700 GB) {service}",
        "1 linked, 1 unmatched",
    ]


def test_its_credentials_are_fetched_by_a_job(server, client, service):
    client.create_datastore(name_of(service), size_gb=500)
    run("import_datastores")

    job = Job.objects.get()
    runner.run(job.pk, at=job.due_at)

    assert Placement.objects.get().credentials["host"] == "fra1-1.sandbox.example"


def test_a_dry_run_says_the_same_and_changes_nothing(server, client, service, remote):
    client.create_datastore(name_of(service), size_gb=700)
    asked = len(remote.requests())

    out, _, failure = run("import_datastores", dry_run=True)

    assert failure is None
    assert out.splitlines()[-1] == "1 linked (dry run)"
    assert Datastore.objects.count() == Job.objects.count() == Placement.objects.count() == 0
    service.refresh_from_db()
    assert service.status == ServiceStatus.PENDING
    assert remote.requests()[asked:] == ["GET /reseller/datastore"]


def test_repeating_links_nothing_anew(server, client, service):
    client.create_datastore(name_of(service), size_gb=500)
    run("import_datastores")

    out, _, _ = run("import_datastores")

    assert out.splitlines()[-1] == "1 has service"
    assert Job.objects.count() == 1


def test_ids_of_another_system_are_mapped(server, client, service, tmp_path):
    client.create_datastore("whmcs-client9-service77", size_gb=500)
    mapping = tmp_path / "mapping.csv"
    mapping.write_text(f"name,service\nwhmcs-client9-service77,{service.pk}\n")

    out, _, _ = run("import_datastores", mapping=mapping, prefix="whmcs")

    assert out.splitlines()[-1] == "1 linked"
    assert Datastore.objects.get().service == service


def test_only_the_prefix_asked_for_is_imported(server, client, service):
    client.create_datastore(name_of(service), size_gb=500)

    out, _, _ = run("import_datastores", prefix="other")

    assert out.splitlines() == ["nothing found"]
    assert Datastore.objects.get().service is None


def test_two_datastores_of_one_name_link_the_first_and_refuse_the_second(server, client, service):
    for _ in range(2):
        client.create_datastore(name_of(service), size_gb=500)

    out, _, _ = run("import_datastores")

    assert out.splitlines()[-1] == "1 linked, 1 refused"
    assert f"{service} already has {name_of(service)}." in out


def test_the_report_has_a_row_for_each_and_no_formula(server, client, service, tmp_path):
    client.create_datastore(name_of(service), size_gb=500)
    client.create_datastore("=1+1", size_gb=600)

    run("import_datastores", report=tmp_path / "report.csv")

    with (tmp_path / "report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["outcome"], row["service"], row["size_gb"]) for row in rows] == [
        ("'=1+1", "unmatched", "", "600"),
        (name_of(service), "linked", str(service.pk), "500"),
    ]


def test_an_account_that_does_not_answer_fails_the_command_but_not_the_others(
    server, client, service, remote
):
    make_server("a dead one", module_key="remote_backups", credentials={"token": "x" * 9})
    client.create_datastore(name_of(service), size_gb=500)

    out, errors, failure = run("import_datastores")

    assert out.splitlines()[-1] == "1 linked"
    assert errors.startswith("a dead one: GET /reseller/datastore: no answer")
    assert failure == "not imported: a dead one"


def test_bad_input_is_refused_before_anything_happens(server, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("name\nx\n")

    assert run("import_datastores", server="nobody")[2] == "There is no account 'nobody'."
    assert "service" in run("import_datastores", mapping=bad)[2]
    assert run("import_datastores", mapping=tmp_path / "none.csv")[2] is not None
    assert Datastore.objects.count() == 0


def test_an_ended_service_adopts_nothing(server, client, service):
    type(service).objects.update(status=ServiceStatus.TERMINATED, ended_at=AT)
    client.create_datastore(name_of(service), size_gb=500)

    out, _, _ = run("import_datastores")

    assert out.splitlines()[-1] == "1 refused"
