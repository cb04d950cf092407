"""Staff, looks and bill runs at the same moment: what locks is done once."""

import threading
from datetime import timedelta

import pytest
from django.db import close_old_connections, connection

from backups import actions, spend_guard, use_alerts
from backups.models import Datastore
from billing_portal.mail.models import ClientMail
from provisioning.models import Job, Placement
from tests.factories import AT, make_product, make_server, make_service

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
GB = 10**9
SETTINGS = {"max_size_gb": 600}


def at_once(*calls):
    """Run the calls in threads of their own; what each returned or raised."""
    start, outcomes = threading.Barrier(len(calls)), {}

    def run(index, call):
        close_old_connections()
        start.wait()
        try:
            outcomes[index] = call()
        except Exception as error:  # the tests look at it
            outcomes[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [outcomes[index] for index in range(len(calls))]


def make_storage():
    product = make_product(module_key="remote_backups", module_settings=SETTINGS)
    return make_service(product=product, spec={"size_gb": 500, "name_prefix": "backup"})


def make_store(server, service=None, **fields):
    return Datastore.objects.create(
        server=server,
        service=service,
        remote_id=f"id-{Datastore.objects.count()}",
        name="nas",
        first_seen_at=AT,
        last_seen_at=AT,
        **{"size_bytes": 500 * GB, **fields},
    )


def test_a_datastore_linked_to_two_services_at_once_goes_to_one():
    row = make_store(make_server(module_key="remote_backups"))
    first, second = make_storage(), make_storage()

    outcomes = at_once(
        lambda: actions.link(row.pk, first.pk, at=AT, actor=None),
        lambda: actions.link(row.pk, second.pk, at=AT, actor=None),
    )

    assert sorted(type(one).__name__ for one in outcomes) == ["NotLinkable", "Service"]
    assert Placement.objects.count() == Job.objects.count() == 1
    assert Datastore.objects.get().service == Placement.objects.get().service


def test_two_datastores_linked_to_one_service_at_once_are_one():
    server, service = make_server(module_key="remote_backups"), make_storage()
    rows = [make_store(server), make_store(server)]

    outcomes = at_once(
        *(lambda row=row: actions.link(row.pk, service.pk, at=AT, actor=None) for row in rows)
    )

    assert sorted(type(one).__name__ for one in outcomes) == ["NotLinkable", "Service"]
    assert Datastore.objects.filter(service=service).count() == 1


def test_looks_at_once_tell_a_client_once():
    server = make_server(module_key="remote_backups")
    make_store(server, make_storage(), size_bytes=700 * GB, used_bytes=650 * GB)
    later = AT + timedelta(seconds=1)

    at_once(
        lambda: use_alerts.tell(server.pk, at=AT),
        lambda: use_alerts.tell(server.pk, at=later),
        lambda: spend_guard.guard(server.pk, at=AT),
        lambda: spend_guard.guard(server.pk, at=later),
    )

    assert sorted(ClientMail.objects.values_list("template", flat=True)) == [
        "datastore_beyond_limit",
        "datastore_beyond_limit_staff",
        "datastore_filling",
    ]
