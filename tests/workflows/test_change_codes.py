"""Promotion codes for upgrades: what they take off, who may use them, when a use comes back."""

from decimal import Decimal

import pytest

from billing_portal.invoices.models import BillingSettings, Invoice
from billing_portal.promotions.models import Promotion
from billing_portal.services import actions as services
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import change_product, daily
from billing_portal.workflows.change_choice import ChangeChoice
from billing_portal.workflows.change_terms import ChangeRefused
from tests.factories import make_product, make_promotion, utc
from tests.taxes.rows import make_tax_rule, make_tax_settings
from tests.workflows.changing import AT, make_running, pay, preview, request, status, wish

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _rules(vendor):
    BillingSettings.objects.create(pk=1, lead_days=0, term_days=14)


@pytest.fixture
def big():
    return make_product(recurring="60.00", name="Big")


def make_code(**fields):
    values = {"code": "UP20", "kind": "percent", "value": 20, "for_upgrades": True}
    return make_promotion(**values | fields)


def uses():
    return Promotion.objects.get().uses


@pytest.mark.parametrize(
    ("fields", "off"),
    [
        ({}, "3.00"),
        ({"kind": "fixed", "value": 5, "currency": "EUR"}, "5.00"),
        ({"kind": "fixed", "value": 500, "currency": "EUR"}, "15.00"),
    ],
)
def test_it_takes_its_part_off_what_is_payable(vendor, big, fields, off):
    """30.00 for the new half month less 15.00 of the old one are 15.00."""
    make_code(**fields)
    service = make_running(vendor, big)

    change = request(service, wish(big, promotion_code=" up20 "))

    assert change.discount_part == Decimal(off)
    assert change.amount_due == Decimal(15) - Decimal(off)
    assert uses() == 1


def test_its_line_says_so_and_the_tax_is_on_the_rest(vendor, big):
    """19 % of 12.00 are 2.28."""
    make_tax_settings()
    make_tax_rule("VAT", "19.00", country="DE")
    make_code()
    service = make_running(vendor, big)

    change = request(service, wish(big, promotion_code="UP20"))

    lines = change.invoice.lines.order_by("position")
    assert [(line.description, f"{line.amount:.2f}") for line in lines][2] == (
        *("Promotion UP20: 20 % off", "-3.00"),
    )
    invoice = change.invoice
    assert [f"{sum:.2f}" for sum in (invoice.net_total, invoice.tax_total, invoice.total)] == [
        *("12.00", "2.28", "14.28"),
    ]
    pay(invoice)
    assert (status(change), uses()) == ("applied", 1)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"code": "OTHER"}, "There is no code UP20. Please check how it is spelled."),
        ({"for_upgrades": False}, "UP20 is for new orders, not for changes of a service."),
        ({"maximum_uses": 1, "uses": 1}, "UP20 has been used up."),
        ({"ends_at": AT}, "UP20 has ended."),
        ({"kind": "fixed", "currency": "USD"}, "UP20 is in USD, but you pay in EUR."),
        ({"kind": "free_setup"}, "UP20 takes nothing off a change."),
        ({"cycles": ["annual"]}, "UP20 is only for this billing cycle: yearly."),
    ],
)
def test_a_code_that_does_not_hold_is_refused_with_the_reason(vendor, big, fields, sentence):
    make_code(**fields)
    service = make_running(vendor, big)

    with pytest.raises(ChangeRefused) as refusal:
        preview(service, wish(big, promotion_code="UP20"))

    assert refusal.value.field_errors == {"promotion_code": [sentence]}
    with pytest.raises(ChangeRefused):
        request(service, wish(big, promotion_code="UP20"), total="12.00")
    assert not Invoice.objects.exists()


def test_nothing_is_saved_where_nothing_is_due(vendor):
    make_code()
    little = make_product(recurring="30.00", name="Little")
    service = make_running(vendor, little, recurring="60.00")

    with pytest.raises(ChangeRefused, match="Nothing is due for this change, so UP20 saves"):
        preview(service, wish(little, promotion_code="UP20"))


def test_a_use_comes_back_when_the_change_expires(vendor, big):
    make_code(maximum_uses=1)
    service = make_running(vendor, big)
    change = request(service, wish(big, promotion_code="UP20"))

    daily.tick(utc(2026, 4, 24, 5))

    assert (status(change), uses()) == ("expired", 0)
    again = request(service, wish(big, promotion_code="UP20"), key="again", at=utc(2026, 4, 24, 12))
    assert (status(again), uses()) == ("pending", 1)


def test_a_use_comes_back_when_it_is_withdrawn_or_paid_too_late(vendor, big):
    make_code()
    service = make_running(vendor, big)
    change = request(service, wish(big, promotion_code="UP20"))
    change_product.withdraw(change.pk, reason="no", at=AT, actor=None)
    assert uses() == 0

    late = request(service, wish(big, promotion_code="UP20"), key="late")
    services.move(service.pk, to=ServiceStatus.CANCELLED, at=AT, reason="", actor=None)
    pay(late.invoice)

    assert (status(late), uses()) == ("expired", 0)


def test_once_per_client_counts_changes_that_were_made(vendor, big):
    make_code(once_per_client=True)
    service = make_running(vendor, big)
    pay(request(service, wish(big, promotion_code="UP20")).invoice)
    bigger = make_product(recurring="90.00", name="Bigger")
    big.upgrades_to.add(bigger)

    with pytest.raises(ChangeRefused, match="You have already used UP20; it holds once"):
        preview(service, wish(bigger, promotion_code="UP20"))


def look(service, big, code):
    asked = {"target": f"{big.pk}:monthly", "promotion_code": code}
    return ChangeChoice(service, asked, standing={"size": 5}, at=AT)


def test_a_page_shows_the_price_without_a_code_that_does_not_hold(vendor, big):
    make_code()
    service = make_running(vendor, big)

    wrong, right = look(service, big, "NOPE"), look(service, big, "UP20")

    assert (str(wrong.offer.total), wrong.wish.promotion_code) == ("15.00", "")
    assert wrong.code_error == "There is no code NOPE. Please check how it is spelled."
    assert (str(right.offer.total), right.wish.promotion_code) == ("12.00", "UP20")
    assert (right.code_error, right.takes_codes) == ("", True)
