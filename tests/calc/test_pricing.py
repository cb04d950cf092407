"""What a product with options costs: exact sums, rounded once."""

from decimal import Decimal
from random import Random

import pytest

from billing_portal.calc.pricing import ChosenOption, PricedItem, PricePart, price_item

D = Decimal


def option(recurring="0", *, setup_fee="0", units=1, key="ip", text="x"):
    return ChosenOption(key, key.upper(), text, text, units, D(setup_fee), D(recurring))


def price(recurring="10", *options, setup_fee="0", quantity=1, currency="EUR"):
    return price_item(
        name="Box",
        setup_fee=D(setup_fee),
        recurring=D(recurring),
        options=options,
        quantity=quantity,
        currency=currency,
    )


def amounts(priced: PricedItem):
    return str(priced.setup_fee), str(priced.recurring)


def test_a_product_alone_costs_its_price():
    assert amounts(price("29.95", setup_fee="10")) == ("10.00", "29.95")


def test_options_are_added_with_their_set_up():
    priced = price("10", option("2.50", setup_fee="5"), option("0.99"), setup_fee="1")

    assert amounts(priced) == ("6.00", "13.49")


def test_a_quantity_option_costs_its_price_for_each_unit():
    assert amounts(price("10", option("1.50", setup_fee="2", units=3))) == ("6.00", "14.50")


def test_what_was_declined_costs_nothing_and_is_no_part():
    priced = price("10", option("99", setup_fee="99", units=0))

    assert amounts(priced) == ("0.00", "10.00")
    assert [part.name for part in priced.parts] == ["Box"]


def test_the_quantity_multiplies_product_and_options():
    priced = price("10", option("1.50", units=3, text="3"), setup_fee="4", quantity=2)

    assert amounts(priced) == ("8.00", "29.00")
    assert priced.parts == (
        PricePart("Box", "", 2, D("8.000"), D("20.000")),
        PricePart("IP", "3", 6, D("0.000"), D("9.000")),
    )


def test_a_fraction_of_a_cent_is_rounded_once_for_the_whole_item():
    # 3 x (0.335 + 0.335) is 2.01; rounding each unit first would make it 2.04.
    assert amounts(price("0.335", option("0.335"), quantity=3)) == ("0.00", "2.01")


@pytest.mark.parametrize(("currency", "expected"), [("JPY", "1001"), ("KWD", "1000.502")])
def test_amounts_have_the_currencys_minor_unit(currency, expected):
    assert amounts(price("1000.501", option("0.001"), currency=currency))[1] == expected


@pytest.mark.parametrize("quantity", [0, -1])
def test_less_than_one_has_no_price(quantity):
    with pytest.raises(ValueError, match="cannot be priced"):
        price(quantity=quantity)


def test_a_float_is_refused():
    with pytest.raises(TypeError, match="not exact"):
        price_item(name="Box", setup_fee=D(0), recurring=1.5, currency="EUR")  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(50))
def test_the_parts_always_explain_the_whole(seed):
    rng = Random(seed)
    chosen = [
        option(f"{rng.randrange(10**6)}E-2", setup_fee=f"{rng.randrange(10**5)}E-2", units=units)
        for units in (rng.randrange(20) for _ in range(rng.randrange(6)))
    ]

    priced = price(f"{rng.randrange(10**6)}E-2", *chosen, quantity=rng.randint(1, 50))

    assert sum(part.recurring for part in priced.parts) == priced.recurring
    assert sum(part.setup_fee for part in priced.parts) == priced.setup_fee


def test_a_choice_is_kept_as_text_and_numbers():
    chosen = ChosenOption("disk", "Disk", 3, "3", 3, D("1.00"), D("2.500"))

    assert chosen.as_json() == {
        "key": "disk",
        "name": "Disk",
        "value": 3,
        "text": "3",
        "units": 3,
        "setup_fee": "1.00",
        "recurring": "2.500",
    }
