"""Seller and buyer as a document keeps them."""

import pytest

from billing_portal.clients.models import ClientField
from billing_portal.invoices import parties
from billing_portal.invoices.parties import Account, Address
from tests.factories import make_client

pytestmark = pytest.mark.django_db


def test_a_buyer_is_kept_as_printed_and_in_parts():
    client = make_client(
        company_name="Acme Ltd",
        address2="Floor 3",
        state="BE",
        tax_id="DE1",
        email="a@example.org",
        buyer_reference="04011000-12345-34",
    )

    assert parties.buyer(client) == {
        "name": "Acme Ltd",
        "person": "Ann Smith",
        "address": "1 High Street\nFloor 3\n10115 Berlin BE\nGermany",
        "street": "1 High Street\nFloor 3",
        "postcode": "10115",
        "city": "Berlin",
        "state": "BE",
        "country": "DE",
        "tax_id": "DE1",
        "email": "a@example.org",
        "reference": "04011000-12345-34",
        "fields": [],
    }


def test_answers_stand_on_documents_only_for_fields_marked_so():
    for key, label, printed in (("po", "Order no.", True), ("vip", "VIP", False)):
        ClientField.objects.create(key=key, label=label, on_invoice=printed)
    ClientField.objects.create(key="dept", label="Department", on_invoice=True)
    client = make_client(custom_fields={"po": "4711", "vip": "gold", "dept": " "})

    fields = parties.printed_fields()

    assert parties.buyer(client, fields)["fields"] == [["Order no.", "4711"]]


def test_a_seller_without_parts_is_printed_in_its_own_words():
    seller = parties.seller()

    assert seller["address"] == "12 Harbour Street\n20457 Hamburg\nGermany"
    assert parties.address_of(seller) == Address(
        ("12 Harbour Street",), "20457", "Hamburg", "", "DE"
    )
    assert parties.account_of(seller) == Account("DE00000000000000000000", "DEMODEFF")
    assert parties.bank_text(seller) == "IBAN DE00 0000 0000 0000 0000 00, BIC DEMODEFF"


def test_a_seller_in_parts_is_printed_from_them(settings):
    settings.SELLER_STREET = "1 Quay\nGate B"
    settings.SELLER_POSTCODE = "1010"
    settings.SELLER_CITY = "Wien"
    settings.SELLER_COUNTRY = "AT"
    settings.SELLER_IBAN = "AT61 1904 3002 3457 3201"
    settings.SELLER_BIC = "BKAUATWW"

    seller = parties.seller()

    assert seller["address"] == "1 Quay\nGate B\n1010 Wien\nAustria"
    assert parties.address_of(seller) == Address(("1 Quay", "Gate B"), "1010", "Wien", "", "AT")
    assert parties.account_of(seller) == Account("AT611904300234573201", "BKAUATWW")
    assert parties.bank_text(seller) == "IBAN AT61 1904 3002 3457 3201, BIC BKAUATWW"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (
            "1 High Street\nFloor 3\n10115 Berlin BE\nGermany",
            Address(("1 High Street", "Floor 3"), "10115", "Berlin BE", "", "DE"),
        ),
        (
            "5 Dam\n1012 AB Amsterdam\nNetherlands",
            Address(("5 Dam",), "1012", "AB Amsterdam", "", "NL"),
        ),
        ("Somewhere", Address((), "", "Somewhere", "", "")),
        ("", Address((), "", "", "", "")),
    ],
)
def test_an_address_of_an_earlier_version_is_read_out_of_its_text(text, address):
    assert parties.address_of({"address": text}) == address


def test_a_buyer_costs_no_statement(django_assert_num_queries):
    client = make_client()

    with django_assert_num_queries(0):
        parties.buyer(client)
        parties.seller()
