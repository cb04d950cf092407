"""Imports that run at the same time, on a database with real row locks."""

import threading
from collections.abc import Callable, Iterable
from datetime import timedelta

import pytest
from django.db import connection

from pbx import calls
from pbx.agent.sandbox_calls import CallSpec
from pbx.models import Call, CallCursor, Tenant
from tests.factories import AT
from tests.pbx.requests import FIRST, NOON, OTHER

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def together(*works: Callable[[], object]) -> list[Exception]:
    """Do all at once; what they raised."""
    raised = list[Exception]()
    start = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        try:
            start.wait(10)
            work()
        except Exception as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


@pytest.mark.usefixtures("tariff")
def test_four_imports_at_once_store_every_call_once(server, tenant, remote):
    remote.set_clock(NOON)
    made = remote.generate_calls(
        tenant.remote_id, count=1500, seed=3, start=NOON - timedelta(days=9), end=NOON
    )
    CallCursor.objects.create(server=server)

    raised = together(*[lambda: calls.import_since(server.pk, at=AT)] * 4)

    found = [str(uuid) for uuid in Call.objects.values_list("uuid", flat=True)]
    # Some of the last calls have not ended at noon, so they are not there yet.
    assert (raised, set(found) - set(made)) == ([], set())
    assert len(found) == len(set(found)) >= 1490
    assert Call.objects.filter(service=None).count() == 0


@pytest.mark.usefixtures("tariff")
@pytest.mark.parametrize("is_known", [True, False])
def test_a_call_that_arrives_while_its_tenant_is_noted_goes_to_the_service(
    server, service, module, agent, remote, monkeypatch, is_known
):
    remote.set_clock(NOON + timedelta(hours=8))
    agent.put(f"/api/v1/tenants/{OTHER}", json={"domain": "acme.pbx.example"})
    agent.put(f"/api/v1/tenants/{OTHER}/extensions/{FIRST}", json={"number": "1001"})
    remote.make_calls(OTHER, [CallSpec("1001", "4940123456", NOON)])
    state = module.describe(OTHER)
    if is_known:
        Tenant.objects.create(server=server, remote_id=OTHER)
    has_looked, may_go_on = threading.Event(), threading.Event()
    look = calls._extension_numbers

    def look_and_wait(tenants: Iterable[Tenant]) -> dict[str, str]:
        numbers = look(tenants)
        has_looked.set()
        may_go_on.wait(10)
        return numbers

    monkeypatch.setattr(calls, "_extension_numbers", look_and_wait)

    def note_meanwhile() -> None:
        has_looked.wait(10)
        threading.Timer(0.5, may_go_on.set).start()
        module.observed(server.pk, service.pk, state, at=AT)

    raised = together(lambda: calls.import_since(server.pk, at=AT), note_meanwhile)

    assert raised == []
    assert list(Call.objects.values_list("service", "rating")) == [(service.pk, "rated")]
