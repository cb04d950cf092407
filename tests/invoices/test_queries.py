"""Reading charges and invoices."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.invoices import queries
from billing_portal.invoices.models import UsageWindow
from tests.factories import AT, make_charge, make_client, make_invoice, make_service, utc

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return make_client()


def make_bill(client, amount, **fields):
    """An invoice whose line is about a service of its own."""
    return make_invoice(client, advance={make_service(client): amount}, **fields)


def test_a_client_sees_its_own_invoices_newest_first(client):
    old = make_bill(client, "1", issued_at=utc(2026, 11, 1))
    new = make_bill(client, "2", issued_at=utc(2026, 12, 1))
    make_bill(make_client(), "3")

    assert list(queries.invoices_of(client.pk)) == [new, old]


def test_what_is_unpaid_comes_by_its_due_day(client):
    late = make_bill(client, "1", due_date=date(2026, 12, 20))
    early = make_bill(client, "2", due_date=date(2026, 12, 10))
    make_bill(client, "3", status="paid", paid_amount="3")
    make_bill(client, "4", status="cancelled")

    assert list(queries.unpaid_of(client.pk)) == [early, late]


def test_an_invoice_is_overdue_the_day_after_it_was_due(client):
    bill = make_bill(client, "1", due_date=date(2026, 12, 10))
    make_bill(client, "2", due_date=date(2026, 12, 1), status="paid", paid_amount="2")

    assert list(queries.overdue(date(2026, 12, 10))) == []
    assert list(queries.overdue(date(2026, 12, 11))) == [bill]


def test_the_open_balance_is_exact_though_sqlite_counts_in_floats(client):
    for _ in range(3):
        make_bill(client, "0.10")
    make_bill(client, "8.61", paid_amount="1.39")
    make_bill(client, "99", status="cancelled")

    assert queries.open_balance(client.pk) == Decimal("7.52")
    assert str(queries.open_balance(client.pk).normalize()) == "7.52"


def test_who_owes_nothing_owes_zero(client):
    assert queries.open_balance(client.pk) == Decimal(0)


def test_lines_come_in_the_order_they_are_printed(client, django_assert_num_queries):
    service = make_service(client)
    bill = make_invoice(
        client, advance={service: "5"}, charges=[make_charge(service), make_charge(service)]
    )

    with django_assert_num_queries(1):
        found = [
            (line.position, line.kind, line.service.product.name, bool(line.charge))
            for line in queries.lines_of(bill)
        ]

    assert found == [
        (1, "recurring", "Box", False),
        (2, "usage", "Box", True),
        (3, "usage", "Box", True),
    ]


def test_open_charges_are_those_on_no_invoice_in_time_order(client):
    service = make_service(client)
    december = make_charge(service, starts_at=utc(2026, 12, 1), ends_at=utc(2027, 1, 1))
    november = make_charge(service)
    make_invoice(client, charges=[make_charge(service)])
    make_charge(make_service())

    found = queries.open_charges({client.pk: "EUR"})[client.pk]

    assert [item.charge_id for item in found] == [november.pk, december.pk]
    assert (found[0].service_id, found[0].amount, found[0].unit) == (
        service.pk,
        Decimal("8.61"),
        "GB",
    )
    assert (found[0].period.start, found[0].period.end) == (utc(2026, 11, 1), utc(2026, 12, 1))


def test_charges_in_another_currency_are_not_passed_off_as_ours(client):
    make_charge(make_service(client), currency="USD")

    with pytest.raises(
        queries.CurrencyMixed, match="Backup storage in November is charged in USD, not in EUR"
    ):
        queries.open_charges({client.pk: "EUR"})


def test_billed_keys_prove_what_the_service_row_may_have_lost(client):
    service = make_service(client, billed_until=date(2026, 12, 1))
    make_invoice(client, advance={service: "5"}, charges=[make_charge(service)])

    assert queries.billed_keys([service.pk]) == {(service.pk, None, "recurring", date(2026, 12, 1))}

    type(service).objects.update(billed_until=date(2027, 1, 1))
    assert queries.billed_keys([service.pk]) == frozenset()


def test_lines_of_a_cancelled_invoice_prove_nothing(client):
    service = make_service(client, billed_until=date(2026, 12, 1))
    bill = make_invoice(client, advance={service: "5"})
    bill.lines.update(billed=False)

    assert queries.billed_keys([service.pk]) == frozenset()


def test_closed_windows_are_known_by_service():
    first, second = make_service(), make_service()
    UsageWindow.objects.create(
        service=first, starts_at=utc(2026, 11, 1), ends_at=utc(2026, 12, 1), closed_at=AT
    )

    assert queries.closed_windows([first.pk, second.pk]) == {
        first.pk: frozenset({utc(2026, 11, 1)}),
        second.pk: frozenset(),
    }


def test_a_services_charges_come_newest_first_with_their_invoice(client, django_assert_num_queries):
    service = make_service(client)
    old = make_charge(service)
    new = make_charge(service, starts_at=utc(2026, 12, 1), ends_at=utc(2027, 1, 1))
    bill = make_invoice(client, charges=[old])

    with django_assert_num_queries(1):
        found = list(queries.charges_of(service.pk))
        assert found == [new, old]
        assert found[1].line.invoice == bill
