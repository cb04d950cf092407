"""Which changes are refused or expire, and what discounts and metered prices do to them."""

from decimal import Decimal

import pytest

from billing_portal.clients.models import Client, ClientGroup
from billing_portal.invoices.models import BillingSettings, Invoice
from billing_portal.promotions.models import Promotion
from billing_portal.workflows import bill_run, change_product, daily
from billing_portal.workflows.change_terms import ChangeRefused
from tests.factories import (
    make_invoice,
    make_product,
    utc,
)
from tests.workflows.changing import (
    AT,
    mails,
    make_running,
    pay,
    preview,
    request,
    status,
    terms,
    wish,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendor(vendor):
    BillingSettings.objects.create(pk=1, lead_days=0, term_days=14)
    return vendor


# --- Refusals and expiry ------------------------------------------------------------------


def test_a_second_change_is_refused_while_the_first_is_unpaid(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    request(service, wish(big))

    with pytest.raises(ChangeRefused, match=r"is already changing to Big, size 5\. Pay for that"):
        preview(service, wish(big, size=8))


def test_nothing_changes_while_an_invoice_of_the_service_is_unpaid(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    invoice = make_invoice(service.client, advance={service: "30.00"})

    with pytest.raises(ChangeRefused, match=f"Invoice {invoice.number} of .* is not paid yet"):
        preview(service, wish(big))


def test_only_what_the_product_lists_and_the_currency_has(vendor):
    other = make_product(recurring="60.00", name="Other")
    dollars = make_product(recurring="60.00", name="Dollars", currency="USD")
    service = make_running(vendor, dollars)

    with pytest.raises(ChangeRefused, match="cannot become that product"):
        preview(service, wish(other))
    with pytest.raises(ChangeRefused, match="Dollars is not offered that way in EUR"):
        preview(service, wish(dollars))
    with pytest.raises(ChangeRefused, match=r"That is what Small #\d+ is already"):
        preview(service, wish(service.product))


def test_a_size_the_new_product_forbids_is_refused(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)

    with pytest.raises(ChangeRefused, match="The size must be from 1 to 10"):
        preview(service, wish(big, size=11))


def test_an_unpaid_change_expires_after_a_week(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    change = request(service, wish(big))

    daily.tick(utc(2026, 4, 23, 10))
    assert status(change) == "pending"
    daily.tick(utc(2026, 4, 24, 5))

    assert (status(change), Invoice.objects.get().status) == ("expired", "cancelled")
    assert mails().count("change_expired") == 1
    request(service, wish(big), key="again", at=utc(2026, 4, 24, 12))


def test_it_expires_with_the_next_renewal_if_that_comes_first(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    BillingSettings.objects.update(lead_days=10)

    change = request(service, wish(big))

    assert change.expires_at == utc(2026, 4, 21)


def test_money_that_comes_after_the_renewal_becomes_credit(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    at = utc(2026, 4, 30, 12)
    change = request(service, wish(big), at=at)
    bill_run.bill_all(utc(2026, 5, 1, 5))

    pay(change.invoice, utc(2026, 5, 1, 6))

    assert (status(change), terms(service)[0]) == ("expired", "Small")
    assert Client.objects.get().credit_balance == change.invoice.total
    assert "change_failed_staff" in mails()


def test_an_unpaid_change_can_be_withdrawn(vendor):
    big = make_product(recurring="60.00", name="Big")
    change = request(make_running(vendor, big), wish(big))

    change_product.withdraw(change.pk, reason="changed my mind", at=AT, actor=None)

    assert (status(change), Invoice.objects.get().status) == ("cancelled", "cancelled")


# --- Discounts and metered prices ---------------------------------------------------------


def test_what_a_group_saves_is_saved_on_both_sides(vendor):
    big = make_product(recurring="60.00", name="Big")
    service = make_running(vendor, big)
    group = ClientGroup.objects.create(name="Partners", discount_percent=10)
    Client.objects.update(group=group)

    shown = preview(service, wish(big))

    assert (str(shown.price.debit), str(shown.price.credit)) == ("27.00", "13.50")


@pytest.mark.parametrize(("for_life", "debit"), [(True, "15.00"), (False, "30.00")])
def test_only_a_promotion_for_life_survives(vendor, for_life, debit):
    big = make_product(recurring="60.00", name="Big")
    half = Promotion.objects.create(
        code="HALF", kind="percent", value=50, recurring=True, survives_changes=for_life
    )
    service = make_running(vendor, big, promotion=half, discount_amount=Decimal(15))

    shown = preview(service, wish(big))

    assert (str(shown.price.credit), str(shown.price.debit)) == ("7.50", debit)
    assert (shown.terms().discount_amount, shown.terms().promotion_id) == (
        (Decimal("30.00"), half.pk) if for_life else (0, None)
    )


def test_new_metered_prices_wait_for_the_end_of_the_month_of_use(vendor):
    big = make_product(recurring="30.00", name="Big", usage={"traffic": "8"})
    service = make_running(vendor, big, usage={"traffic": "10"})
    request(service, wish(big))

    def agreed():
        return [f"{usage.price:.0f}" for usage in service.usage_prices.all()]

    assert (terms(service)[0], agreed()) == ("Big", ["10"])
    for day in (17, 30):
        daily.tick(utc(2026, 4, day, 5))
    assert agreed() == ["10"]
    bill_run.bill_all(utc(2026, 5, 1, 5))
    daily.tick(utc(2026, 5, 1, 6))
    assert agreed() == ["8"]
