"""Add-ons taken back before they are paid: merged with other lines, or just being paid."""

import time
from datetime import date
from decimal import Decimal
from threading import Event

import pytest
from django.db import transaction

from billing_portal.clients.models import Client
from billing_portal.invoices.models import Invoice
from billing_portal.workflows import addon_orders, documents
from billing_portal.workflows.bill_run import bill_client
from tests.factories import AT, make_addon, make_product, make_service, utc
from tests.threads import TIMEOUT_S, at_once, failures
from tests.workflows.ordering import order_addon
from tests.workflows.paying import pay

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendor(vendor):
    pass


@pytest.fixture
def service():
    return make_service(
        product=make_product(name="Mail", module_key=""),
        recurring="30",
        billed_until=date(2026, 12, 1),
        label="office",
    )


def ordered(service, *, at=AT):
    """An unpaid add-on for 5.00 a month with set-up 2.00."""
    return order_addon(service, make_addon(service.product, "5", setup_fee="2"), at=at)


def test_taken_back_from_a_merged_invoice_it_leaves_the_other_lines_owed(service):
    renewal = bill_client(service.client_id, utc(2026, 12, 1, 5))[0]
    row = ordered(service, at=utc(2026, 12, 1, 6))
    alone = row.invoice_lines.first().invoice
    merged = documents.merge([renewal.pk, alone.pk], at=utc(2026, 12, 1, 7), actor=None)
    assert merged.total == Decimal("37.00")

    addon_orders.cancel(row.pk, at=utc(2026, 12, 1, 8), actor=None)

    row.refresh_from_db()
    merged.refresh_from_db()
    assert (row.status, merged.status, merged.balance) == ("cancelled", "unpaid", Decimal("30.00"))


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_cancelled_while_it_is_being_paid_it_runs_for_what_is_paid(service):
    """Read as pending before the payment was through, it would end unpaid and paid for."""
    row = ordered(service)
    client_is_locked = Event()

    def pay_slowly():
        with transaction.atomic():
            Client.objects.select_for_update(no_key=True).get(pk=service.client_id)
            client_is_locked.set()
            time.sleep(0.5)
            pay(Invoice.objects.get(), "7.00")

    def cancel():
        client_is_locked.wait(TIMEOUT_S)
        return addon_orders.cancel(row.pk, at=utc(2026, 11, 20, 12), actor=None)

    assert failures(at_once(pay_slowly, cancel)) == []

    row.refresh_from_db()
    assert (row.status, row.ends_on) == ("active", row.billed_until)
