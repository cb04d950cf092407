"""What billing costs in statements: the same for one service and for twenty."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing_portal.workflows import bill_run
from tests.factories import make_client, utc
from tests.workflows.billing import make_metered

pytestmark = pytest.mark.django_db

DUE = utc(2026, 11, 1, 2)


def statements(call):
    with CaptureQueriesContext(connection) as captured:
        call()
    return len(captured)


def test_more_services_of_a_client_cost_no_more_statements(vendor):
    bill_run.bill_client(make_metered(vendor).client_id, DUE)  # the year's first number
    one, many = make_metered(vendor), make_client()
    for _ in range(20):
        make_metered(vendor, many)

    cost = statements(lambda: bill_run.bill_client(one.client_id, DUE))

    assert cost <= 42
    assert statements(lambda: bill_run.bill_client(many.pk, DUE)) == cost


def test_more_clients_cost_no_more_statements_until_a_chunk_is_full(vendor, monkeypatch):
    monkeypatch.setattr(bill_run, "CHUNK", 10)
    bill_run.bill_client(make_metered(vendor).client_id, DUE)

    def run_over(count):
        for _ in range(count):
            make_metered(vendor)
        return statements(lambda: bill_run.bill_all(DUE))

    two, ten, twenty, thirty = run_over(2), run_over(10), run_over(20), run_over(30)

    assert ten == two
    assert thirty - twenty == twenty - ten
