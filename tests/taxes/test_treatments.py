"""Which taxes a client pays, by where it is, what it is, and the day."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.calc.tax import NO_TAX, TaxCategory, TaxTreatment, tax_amounts
from billing_portal.taxes import queries
from tests.factories import make_client
from tests.taxes.rows import make_tax_id_check, make_tax_rule, make_tax_settings

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 20)


def treatment(client, *, on: date = DAY) -> TaxTreatment:
    return queries.treatments([client], on=on)[client.pk]


def charged(client, *, on: date = DAY) -> list[tuple[str, str]]:
    return [(rate.name, f"{rate.percent:f}") for rate in treatment(client, on=on).rates]


def why(client, *, on: date = DAY) -> str:
    return queries.decisions([client], on=on)[client.pk].why


# --- Places -------------------------------------------------------------------------------


def test_a_seller_charges_no_tax_until_it_is_switched_on():
    make_tax_rule("VAT", "19")
    client = make_client()

    assert treatment(client) == NO_TAX
    assert why(client) == "No tax: switched off in the tax settings"


def test_the_most_specific_rule_of_each_level_applies():
    make_tax_settings(seller_country="US")
    make_tax_rule("Anywhere tax", "1")
    make_tax_rule("Sales tax", "2", country="US")
    make_tax_rule("Sales tax", "7.25", country="US", state="California")
    make_tax_rule("Levy", "3", country="US", level=2, compound=True)

    assert charged(make_client(country="BR")) == [("Anywhere tax", "1.0000")]
    assert charged(make_client(country="US", state="Ohio")) == [
        ("Sales tax", "2.0000"),
        ("Levy", "3.0000"),
    ]
    assert charged(make_client(country="US", state="California")) == [
        ("Sales tax", "7.2500"),
        ("Levy", "3.0000"),
    ]
    both = treatment(make_client(country="US", state="California")).rates
    assert [rate.compound for rate in both] == [False, True]


@pytest.mark.parametrize("state", ["California", "CALIFORNIA", " california ", "ca", "CA"])
def test_states_are_recognised_however_they_are_written(state):
    make_tax_settings(seller_country="US")
    make_tax_rule("Sales tax", "7.25", country="US", state="California")

    assert charged(make_client(country="US", state=state)) == [("Sales tax", "7.2500")]


def test_a_state_of_the_same_name_elsewhere_is_another():
    make_tax_settings(seller_country="US")
    make_tax_rule("Sales tax", "7.25", country="US", state="CA")

    client = make_client(country="MX", state="CA")

    assert charged(client) == []
    assert why(client) == "No tax: no rule for MX CA"


def test_a_rule_holds_from_its_first_day_until_the_day_before_its_end():
    make_tax_settings()
    make_tax_rule("VAT", "16", country="DE", ends_on=date(2026, 1, 1))
    make_tax_rule("VAT", "19", country="DE", starts_on=date(2026, 1, 1))
    client = make_client()

    assert charged(client, on=date(2025, 12, 31)) == [("VAT", "16.0000")]
    assert charged(client, on=date(2026, 1, 1)) == [("VAT", "19.0000")]


def test_canada_has_two_taxes_or_one():
    make_tax_settings(seller_country="CA", seller_state="ON")
    make_tax_rule("GST", "5", country="CA")
    make_tax_rule("HST", "13", country="CA", state="Ontario")
    make_tax_rule("QST", "9.975", country="CA", state="Quebec", level=2)

    assert charged(make_client(country="CA", state="AB")) == [("GST", "5.0000")]
    assert charged(make_client(country="CA", state="ontario")) == [("HST", "13.0000")]
    assert charged(make_client(country="CA", state="Québec")) == [
        ("GST", "5.0000"),
        ("QST", "9.9750"),
    ]


def test_a_tax_of_nothing_is_zero_rated():
    make_tax_settings()
    make_tax_rule("VAT", "0", country="DE")

    assert treatment(make_client()).category == TaxCategory.ZERO


def test_an_exempt_client_pays_no_tax_and_the_invoice_says_so(german):
    client = make_client(tax_exempt=True)

    found = treatment(client)

    assert (found.rates, found.category, found.note) == ((), "E", "Exempt from tax.")
    assert why(client) == "Exempt: marked so on the client"


# --- Prices with tax inside ---------------------------------------------------------------


def total(client, amount: str) -> str:
    found = tax_amounts([Decimal(amount)], [True], treatment(client), "EUR")
    return f"{found.net_total} + {found.tax_total}"


def test_whoever_pays_tax_pays_prices_that_include_it(german):
    make_tax_settings(prices_include_tax=True)

    assert total(make_client(country="DE"), "119.00") == "100.00 + 19.00"
    assert total(make_client(country="FR"), "120.00") == "100.00 + 20.00"


def test_whoever_pays_no_tax_pays_the_net_or_the_price_as_the_seller_chooses(german):
    client = make_client(country="US")

    make_tax_settings(prices_include_tax=True, exempt_pay_net=True)
    assert total(client, "119.00") == "100.00 + 0.00"

    make_tax_settings(exempt_pay_net=False)
    assert total(client, "119.00") == "119.00 + 0.00"


def test_the_seller_chooses_where_to_round(german):
    make_tax_settings(rounding="line")

    assert treatment(make_client()).rounding == "line"


# --- The EU -------------------------------------------------------------------------------


def test_at_home_a_business_with_a_valid_id_is_taxed(german):
    client = make_client(country="DE", tax_id="DE123456789")
    make_tax_id_check(client, "valid")

    assert charged(client) == [("VAT", "19.0000")]
    assert why(client) == "VAT 19 %: company in DE"


def test_a_business_of_another_member_state_accounts_for_the_tax_itself(german):
    client = make_client(country="FR", tax_id="fr 12 345 678 901")
    make_tax_id_check(client, "valid", tax_id="FR12345678901")

    found = treatment(client)

    assert (found.rates, found.category) == ((), "AE")
    assert found.note == (
        "Reverse charge: the customer is liable for the VAT (Article 196, Directive 2006/112/EC)."
    )
    assert why(client) == "Reverse charge: FR12345678901 valid on 1 Nov 2026"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("invalid", "VAT id FR12345678901 not valid"),
        ("unavailable", "VAT id FR12345678901 not confirmed: the register did not answer"),
        (None, "VAT id FR12345678901 not checked yet"),
    ],
)
def test_a_business_whose_id_is_not_confirmed_is_taxed_like_a_consumer(german, answer, reason):
    client = make_client(country="FR", tax_id="FR12345678901")
    if answer:
        make_tax_id_check(client, answer)

    assert charged(client) == [("VAT", "20.0000")]
    assert why(client) == f"VAT 20 %: company in FR, {reason}"


@pytest.mark.parametrize("tax_id", ["DE123456789", "nonsense"])
def test_an_id_that_is_not_of_the_clients_country_changes_nothing(german, tax_id):
    client = make_client(country="FR", tax_id=tax_id)
    make_tax_id_check(client, "valid")

    assert charged(client) == [("VAT", "20.0000")]
    assert why(client) == ("VAT 20 %: company in FR, whose tax id is no VAT id of that country")


def test_the_answer_about_an_earlier_id_says_nothing_about_the_new_one(german):
    client = make_client(country="FR", tax_id="FR99999999999")
    make_tax_id_check(client, "valid", tax_id="FR12345678901")

    assert charged(client) == [("VAT", "20.0000")]


def test_a_register_that_is_silent_later_takes_nothing_back(german):
    client = make_client(country="FR", tax_id="FR12345678901")
    make_tax_id_check(client, "unavailable")
    make_tax_id_check(client, "valid")
    make_tax_id_check(client, "unavailable")

    assert treatment(client).category == "AE"

    make_tax_id_check(client, "invalid")
    assert charged(client) == [("VAT", "20.0000")]


def test_a_consumer_of_another_member_state_pays_its_tax(german):
    client = make_client(company_name="", country="FR")

    assert charged(client) == [("VAT", "20.0000")]
    assert why(client) == "VAT 20 %: private person in FR"


def test_without_a_rule_for_the_member_state_the_home_tax_is_due(german):
    client = make_client(company_name="", country="PT")

    assert charged(client) == [("VAT", "19.0000")]
    assert why(client) == "VAT 19 %: private person in PT, no rule for PT: the home rate"


def test_monaco_is_part_of_france(german):
    assert charged(make_client(country="MC")) == [("VAT", "20.0000")]


def test_outside_the_eu_no_vat_is_due_unless_a_rule_names_the_country(german):
    make_tax_rule("Any", "7")
    client = make_client(country="US")
    swiss = make_client(country="CH")

    assert (treatment(client).rates, treatment(client).category) == ((), "O")
    assert treatment(client).note == (
        "Not subject to EU VAT: supplied outside the EU (Directive 2006/112/EC)."
    )
    assert why(client) == "No VAT: US is outside the EU"

    make_tax_rule("VAT", "8.1", country="CH")
    assert charged(swiss) == [("VAT", "8.1000")]


# --- Many at once -------------------------------------------------------------------------


def test_any_number_of_clients_costs_three_statements(german, django_assert_num_queries):
    few = [make_client(country="FR", tax_id="FR12345678901")]
    many = [
        make_client(country=country, tax_id=tax_id)
        for country in ("DE", "FR", "US", "PT")
        for tax_id in ("", "FR12345678901")
        for _ in range(5)
    ]

    for clients in (few, many):
        with django_assert_num_queries(3):
            found = queries.treatments(clients, on=DAY)
        assert set(found) == {client.pk for client in clients}


def test_a_seller_without_tax_costs_one_statement(db, django_assert_num_queries):
    clients = [make_client() for _ in range(3)]

    with django_assert_num_queries(1):
        assert set(queries.treatments(clients, on=DAY).values()) == {NO_TAX}


def test_a_visitor_is_shown_the_tax_of_home(german):
    assert [str(rate.percent) for rate in queries.law_of(DAY).home().rates] == ["19.0000"]
