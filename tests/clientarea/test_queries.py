"""A page costs as many queries for many rows as for one."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing_portal.invoices.models import Invoice
from billing_portal.mail import actions as mail
from provisioning.models import Placement
from tests.factories import (
    make_charge,
    make_invoice,
    make_member,
    make_product,
    make_service,
    utc,
)

from .conftest import NOW, Household, add_call, browser_of, make_backup, make_pbx


def more_services(household: Household) -> None:
    for _ in range(3):
        make_backup(household.client)
        make_pbx(household.client)


def more_invoices(household: Household) -> None:
    for _ in range(3):
        make_invoice(household.client, charges=[make_charge(household.backup)])


def more_lines(household: Household) -> None:
    """On the very invoice the page is about."""
    other = make_invoice(
        household.client,
        charges=[make_charge(household.backup) for _ in range(3)],
        advance={make_service(household.client): "1.00" for _ in range(3)},
    )
    lines = other.lines.all()
    Invoice.objects.filter(pk=other.pk).update(status="draft")  # issued lines stay where they are
    for number, line in enumerate(lines, start=10):
        line.invoice, line.position = household.invoice, number
        line.save()


def more_calls(household: Household) -> None:
    placement = Placement.objects.get(service=household.pbx)
    for day in range(1, 10):
        add_call(placement, f"49{day}", at=utc(2026, 11, day), micros=day)


def more_mails(household: Household) -> None:
    context = {"client": "A", "order": "1", "items": "x", "next_step": "y", "path": "/"}
    for number in range(5):
        mail.send(
            "order_placed",
            to="a@acme.example",
            copies=[],
            key=f"more-{number}",
            context=context,
            at=NOW,
            client_id=household.client.pk,
        )


def more_members(household: Household) -> None:
    for _ in range(5):
        make_member(household.client)


def more_products(household: Household) -> None:
    for _ in range(5):
        make_product(module_key="remote_backups", usage={"storage": "10"})


PAGES: list[tuple[str, Callable[[Household], None], int]] = [
    ("/", more_services, 16),
    ("/", more_invoices, 16),
    ("/order/", more_products, 8),
    ("/services/", more_services, 11),
    ("/services/{backup}/", more_invoices, 40),
    ("/services/{pbx}/", more_calls, 28),
    ("/services/{pbx}/calls/", more_calls, 9),
    ("/invoices/", more_invoices, 9),
    ("/invoices/{invoice}/", more_lines, 13),
    ("/account/team/", more_members, 7),
    ("/account/mails/", more_mails, 9),
]


@pytest.mark.parametrize(("address", "more", "most"), PAGES)
def test_more_rows_cost_no_more_queries(household, address, more, most):
    path = address.format(
        backup=household.backup.pk, pbx=household.pbx.pk, invoice=household.invoice.pk
    )
    open_call = Placement.objects.get(service=household.pbx)  # one that is not charged yet
    add_call(open_call, "491", at=utc(2026, 11, 2), micros=1)
    browser = browser_of(household.owner)
    few = count(browser, path)

    more(household)

    assert count(browser, path) <= few <= most


def count(browser, path: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(path).status_code == 200
    return len(queries)
