"""The pages of billable items."""

from decimal import Decimal

import pytest
from django.urls import reverse

from billing_portal.billables import actions
from billing_portal.billables.models import BillableItem
from billing_portal.invoices.models import Invoice
from billing_portal.workflows import bill_run
from tests.factories import AT, make_client

pytestmark = pytest.mark.django_db

LIST = "/staff/billables/"


@pytest.fixture
def client(vendor):
    return make_client()


def text(answer):
    return " ".join(answer.content.decode().split())


def item(client, **fields):
    values = {"description": "Cabling", "unit_price": Decimal(80), "created_at": AT}
    return actions.save(BillableItem(client=client, **values | fields), at=AT, actor=None)


def sent(**fields):
    values = {
        "description": "Cabling",
        "quantity": "2",
        "unit": "hours",
        "unit_price": "80",
        "taxable": "on",
        "billing": "next_run",
        "every": "1",
        "every_unit": "months",
    }
    return values | fields


def test_an_item_is_noted_for_a_client(client, staff):
    address = reverse("staff:billable-new", args=[client.pk])

    assert "New billable item for Acme Ltd" in text(staff.get(address))
    answer = staff.post(address, sent(), follow=True)

    assert answer.redirect_chain[-1][0] == f"{LIST}?client={client.pk}"
    assert "Cabling is noted: with the next bill run." in text(answer)
    assert BillableItem.objects.get().quantity == 2


def test_what_is_missing_is_said(client, staff):
    address = reverse("staff:billable-new", args=[client.pk])

    assert "Say on which day it is due first." in text(staff.post(address, sent(billing="on_day")))
    assert "This field is required." in text(staff.post(address, sent(unit_price="")))
    assert not BillableItem.objects.exists()


def test_the_list_says_what_became_of_each(client, staff):
    item(client, description="Later", billing="not_yet")
    item(client, description="Joined", billing="next_invoice")
    bill_run.bill_all(AT)
    item(client, description="Billed")
    page = text(staff.get(LIST, {"show": "all"}))
    assert "Open" in page and "On the next invoice" in page

    [invoice] = bill_run.bill_all(AT).issued

    assert str(invoice) in text(staff.get(LIST, {"show": "closed"}))
    assert "Billed" not in text(staff.get(LIST))
    assert "No open items" in text(staff.get(LIST, {"client": make_client().pk}))


def test_chosen_items_are_invoiced_after_a_question(client, staff):
    one = item(client, billing="not_yet")
    address = reverse("staff:billables-invoice")

    assert "Invoice 1 item now?" in text(staff.post(address, {"item": [one.pk]}))
    assert not Invoice.objects.exists()
    staff.post(address, {"item": [one.pk], "sure": "1"})
    again = staff.post(address, {"item": [one.pk], "sure": "1"}, follow=True)

    assert Invoice.objects.get().total == Decimal(80)
    assert "Choose the items to invoice." in text(again)


def test_an_item_is_changed_until_it_is_charged_and_closed_for_good(client, staff):
    one = item(client, billing="recurring", due_date=AT.date())
    edit = reverse("staff:billable-edit", args=[one.pk])
    staff.post(edit, sent(billing="recurring", due_date="2026-11-01", unit_price="90"))
    bill_run.bill_all(AT)

    assert "was charged or closed already" in text(staff.get(edit, follow=True))
    assert "It was charged 1 time" in text(
        staff.get(reverse("staff:billable-close", args=[one.pk]))
    )
    staff.post(reverse("staff:billable-close", args=[one.pk]))

    one.refresh_from_db()
    assert (one.unit_price, one.closed_at is None) == (Decimal(90), False)


def test_the_list_costs_the_same_however_long_it_is(client, staff, django_assert_max_num_queries):
    for _ in range(20):
        item(client)
    bill_run.bill_all(AT)

    with django_assert_max_num_queries(12):
        staff.get(LIST, {"show": "all"})


def test_who_may_only_look_may_not_note_anything(client, as_role):
    one = item(client)
    reader = as_role("Read only")

    assert reader.get(LIST).status_code == 200
    for address in (
        reverse("staff:billable-new", args=[client.pk]),
        reverse("staff:billable-edit", args=[one.pk]),
        reverse("staff:billable-close", args=[one.pk]),
        reverse("staff:billables-invoice"),
    ):
        assert reader.post(address).status_code == 403
    assert (
        as_role("Billing").get(reverse("staff:billable-new", args=[client.pk])).status_code == 200
    )
