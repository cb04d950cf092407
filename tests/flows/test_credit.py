"""Credit and payments that do not fit: what operators rely on."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing_portal.automation.models import AutomationSettings
from billing_portal.invoices.models import Invoice
from billing_portal.mail.models import ClientMail
from billing_portal.orders.models import Order
from billing_portal.payments.models import Transaction, WebhookEvent
from billing_portal.services.models import Service
from billing_portal.workflows import bill_run, client_credit, daily
from billing_portal.workflows.invoice_paid import apply_webhook, record_payment
from provisioning.models import Job
from tests import fakes
from tests.factories import make_client, make_product, make_server, make_service, utc
from tests.threads import at_once, failures
from tests.workflows.paying import make_order

START = utc(2026, 4, 17, 5)


@pytest.fixture(autouse=True)
def vendor(settings: Any) -> Iterator[fakes.FakeVendor]:
    settings.INVOICE_LEAD_DAYS = settings.PAYMENT_TERM_DAYS = 14
    with fakes.installed(settings) as vendor:
        yield vendor


def renewal(credit: str) -> tuple[Invoice, Service]:
    """The renewal of 30.00 on 1 May, of a client with so much credit."""
    client = make_client()
    service = make_service(
        client, recurring="30.00", anchor_date=date(2026, 4, 1), billed_until=date(2026, 5, 1)
    )
    client_credit.add_credit(
        client.pk, Decimal(credit), reason="gift", request_key="g", at=START, actor=None
    )
    (invoice,) = bill_run.bill_client(client.pk, START)
    service.refresh_from_db()
    client.refresh_from_db()
    return invoice, service


def pay(invoice: Invoice, amount: str, ref: str = "ref") -> Transaction:
    return record_payment(
        invoice_id=invoice.pk,
        gateway="bank_transfer",
        external_id=ref,
        amount=Decimal(amount),
        currency="EUR",
        received_at=START,
        at=START,
    )


@pytest.mark.django_db
def test_credit_of_20_pays_20_of_a_renewal_of_30_and_10_are_left_to_pay():
    invoice, service = renewal("20.00")

    assert (invoice.status, invoice.credit_applied, invoice.balance) == ("unpaid", 20, 10)
    assert service.client.credit_balance == 0


@pytest.mark.django_db
def test_credit_of_50_pays_a_renewal_of_30_on_creation_and_20_are_left_over():
    invoice, service = renewal("50.00")

    assert (invoice.status, invoice.paid_at, invoice.balance) == ("paid", START, 0)
    assert service.client.credit_balance == 20
    assert service.billed_until == date(2026, 6, 1)


@pytest.mark.django_db
def test_50_paid_on_an_invoice_of_30_settles_it_and_20_become_credit():
    invoice = make_order(make_product(recurring="30.00", module_key="")).invoice

    pay(invoice, "50.00")

    invoice.refresh_from_db()
    assert (invoice.status, invoice.client.credit_balance) == ("paid", Decimal("20.00"))


@pytest.mark.django_db
def test_10_paid_on_an_invoice_of_30_leave_20_and_the_order_is_never_cancelled_by_itself():
    AutomationSettings.objects.create(pk=1, cancel_unpaid_orders=True, cancel_orders_after_days=1)
    order = make_order(make_product(recurring="30.00", module_key=""))
    pay(order.invoice, "10.00")

    for day in range(60):
        daily.tick(utc(2026, 11, 1, 5) + timedelta(days=day))

    order.refresh_from_db()
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.balance) == ("unpaid", 20)
    assert order.status == Order.Status.PLACED


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_hundred_deliveries_of_one_webhook_at_once_are_one_payment_one_start_and_one_mail():
    make_server()
    invoice = make_order(make_product(recurring="30.00")).invoice
    body = {
        "type": "paid",
        "invoice_id": invoice.pk,
        "payment_id": "pay-1",
        "amount": "50.00",
        "currency": "EUR",
    }

    def deliver(number: int) -> Any:
        # Half of them are the same event, the others events of their own about one payment.
        event = "evt" if number % 2 else f"evt-{number}"
        return apply_webhook("test", event_id=event, body=body, at=START)

    outcomes = []
    for first in range(0, 100, 50):
        outcomes += at_once(*[lambda n=n: deliver(n) for n in range(first, first + 50)])

    assert failures(outcomes) == []
    assert Transaction.objects.count() == 1
    assert Job.objects.filter(kind="create").count() == 1
    assert ClientMail.objects.filter(template="payment_received").count() == 1
    invoice.refresh_from_db()
    assert (invoice.status, invoice.paid_amount) == ("paid", Decimal("30.00"))
    assert invoice.client.credit_entries.get().amount == Decimal("20.00")
    assert WebhookEvent.objects.exclude(problem="").count() == 0
    assert Service.objects.get().billed_until == date(2026, 12, 1)
