"""Changes and cancellations by several at once: one of them happens, or one after the other."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.clients.models import Client
from billing_portal.invoices.models import BillingSettings, Invoice
from billing_portal.orders.models import ServiceChange
from billing_portal.payments.models import CreditEntry
from billing_portal.services.cancelling import CancellationRefused
from billing_portal.services.models import Cancellation, Service
from billing_portal.workflows import bill_run, cancel_service, change_product
from billing_portal.workflows.change_terms import ChangeRefused, ChangeWish
from billing_portal.workflows.invoice_paid import record_payment
from tests.factories import make_product, make_service, utc
from tests.threads import at_once, failures

pytestmark = pytest.mark.django_db(transaction=True)

AT = utc(2026, 4, 16, 12)


@pytest.fixture
def service():
    """Monthly 30.00, paid until 1 May; it may become something for 60.00 or for 15.00."""
    BillingSettings.objects.create(pk=1, lead_days=14)
    product = make_product(module_key="", recurring="30")
    product.upgrades_to.set(
        [make_product(module_key="", recurring=price, name="Other") for price in ("60", "15")]
    )
    return make_service(
        product=product,
        recurring="30",
        anchor_date=date(2026, 1, 1),
        billed_until=date(2026, 5, 1),
    )


def change(service, price, total, key="k"):
    target = service.product.upgrades_to.get(prices__recurring=price)
    return change_product.request(
        service.pk,
        ChangeWish(target.pk, "monthly"),
        shown_total=Decimal(total),
        request_key=key,
        at=AT,
        actor=None,
    )


def test_one_form_sent_many_times_is_one_change_and_one_invoice(service):
    outcomes = at_once(*[lambda: change(service, "60", "15.00")] * 6)

    assert failures(outcomes) == []
    assert (ServiceChange.objects.count(), Invoice.objects.count()) == (1, 1)


def test_of_two_wishes_one_is_refused(service):
    outcomes = at_once(
        lambda: change(service, "60", "15.00", "up"), lambda: change(service, "60", "15.00", "up2")
    )

    (refusal,) = failures(outcomes)
    assert isinstance(refusal, ChangeRefused)
    assert ServiceChange.objects.count() == 1


def test_what_is_given_back_is_given_back_once(service):
    at_once(*[lambda: change(service, "15", "-7.50")] * 6)

    assert [entry.amount for entry in CreditEntry.objects.all()] == [Decimal("7.50")]
    assert Client.objects.get().credit_balance == Decimal("7.50")


def test_paid_and_withdrawn_in_the_same_moment_it_is_one_of_both(service):
    made = change(service, "60", "15.00")

    def pay():
        return record_payment(
            invoice_id=made.invoice_id,
            gateway="bank_transfer",
            external_id="ref",
            amount=Decimal("15.00"),
            currency="EUR",
            received_at=AT,
            at=AT,
        )

    at_once(pay, lambda: change_product.withdraw(made.pk, reason="no", at=AT, actor=None))

    made.refresh_from_db()
    price = Service.objects.get().recurring_amount
    credit = Client.objects.get().credit_balance
    assert (made.status, price, credit) in [("applied", 60, 0), ("cancelled", 30, 15)]


def test_cancelled_twice_at_once_is_one_cancellation(service):
    def cancel():
        return cancel_service.request(
            service.pk, when=Cancellation.When.PERIOD_END, reason="", at=AT, actor=None
        )

    outcomes = at_once(cancel, cancel, cancel)

    assert [type(error) for error in failures(outcomes)] == [CancellationRefused] * 2
    assert Cancellation.objects.count() == 1


def test_cancelled_while_the_renewal_is_invoiced_nothing_is_owed_for_it(service):
    at = utc(2026, 4, 17, 5)

    def cancel():
        return cancel_service.request(
            service.pk, when=Cancellation.When.PERIOD_END, reason="", at=at, actor=None
        )

    outcomes = at_once(cancel, lambda: bill_run.bill_all(at))

    assert failures(outcomes) == []
    assert Cancellation.objects.get().ends_on == date(2026, 5, 1)
    assert not Invoice.objects.exclude(status="cancelled").exists()
    assert Service.objects.get().billed_until == date(2026, 5, 1)
