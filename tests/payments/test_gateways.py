"""The ways to pay: which are offered, what they ask of the client, what their events say."""

from decimal import Decimal

import pytest

from billing_portal.payments import registry
from billing_portal.payments.contract import (
    EventNotUnderstood,
    Instructions,
    PaymentNotice,
    PaymentRequest,
    Redirect,
)
from billing_portal.payments.gateways.bank_transfer import BankTransfer
from billing_portal.payments.gateways.sandbox import TestGateway as Sandbox

REQUEST = PaymentRequest(7, "INV-2026-00007", Decimal("8.61"), "EUR", "http://127.0.0.1/back")


@pytest.fixture(autouse=True)
def _fresh_registry():
    registry.gateways.cache_clear()
    yield
    registry.gateways.cache_clear()


def test_gateways_are_offered_in_the_order_of_the_setting():
    assert [gateway.key for gateway in registry.gateways()] == ["bank_transfer", "test"]
    assert registry.gateway("test").name == "Test payment"


def test_only_the_gateways_of_the_setting_are_offered(settings):
    settings.PAYMENT_GATEWAYS = settings.PAYMENT_GATEWAYS[:1]

    with pytest.raises(registry.UnknownGateway, match="no way to pay called 'test'"):
        registry.gateway("test")


def test_a_bank_transfer_tells_where_to_send_how_much_for_what():
    start = BankTransfer().start(REQUEST)

    assert isinstance(start, Instructions)
    assert start.lines == (
        ("Recipient", "Northwind Hosting"),
        ("Account", "IBAN DE00 0000 0000 0000 0000 00, BIC DEMODEFF"),
        ("Amount", "€8.61"),
        ("Reference", "INV-2026-00007"),
    )


def test_a_bank_sends_no_events():
    with pytest.raises(EventNotUnderstood):
        BankTransfer().read_event({})


def test_a_test_payment_leads_to_a_page_of_ours():
    assert Sandbox().start(REQUEST) == Redirect("/pay/test/7/")


def event(**changes):
    return {
        "type": "paid",
        "invoice_id": 7,
        "payment_id": "p1",
        "amount": "8.61",
        "currency": "EUR",
    } | changes


def test_an_event_is_read_exactly():
    assert Sandbox().read_event(event()) == PaymentNotice(7, "p1", Decimal("8.61"), "EUR")


def test_a_declined_payment_is_no_payment():
    assert Sandbox().read_event({"type": "declined"}) is None


@pytest.mark.parametrize("missing", ["invoice_id", "payment_id", "amount", "currency"])
def test_every_field_is_needed(missing):
    body = event()
    del body[missing]

    with pytest.raises(EventNotUnderstood, match=f"lacks or garbles a field: '{missing}'"):
        Sandbox().read_event(body)


@pytest.mark.parametrize(
    "changes",
    [{"amount": "ten"}, {"amount": None}, {"amount": []}, {"invoice_id": "x"}, {"type": None}],
)
def test_nonsense_is_not_understood(changes):
    with pytest.raises(EventNotUnderstood):
        Sandbox().read_event(event(**changes))


def test_an_amount_that_is_a_float_is_not_understood():
    """8.61 as a float is 8.6099999999999994315658113919198513031005859375."""
    with pytest.raises(EventNotUnderstood):
        Sandbox().read_event(event(amount=8.61))


def test_a_seller_with_an_iban_of_its_own_setting_is_paid_there(settings):
    settings.SELLER_IBAN, settings.SELLER_BIC = "DE89370400440532013000", "COBADEFF"

    told = dict(BankTransfer().start(REQUEST).lines)

    assert told["Account"] == "IBAN DE89 3704 0044 0532 0130 00, BIC COBADEFF"
