"""The catalogue: prices are set as a whole, refused when absurd, and doubted aloud."""

from decimal import Decimal

import pytest

from billing_portal.audit.models import Entry
from billing_portal.products import actions, queries
from billing_portal.products.forms import PriceMatrix
from billing_portal.products.models import Choice, Option, Product, ProductField
from billing_portal.products.queries import Rate
from tests.factories import AT, make_product, make_user
from tests.options import make_option

pytestmark = pytest.mark.django_db

D = Decimal


def prices(of):
    return {
        (one.currency, one.cycle): (str(one.recurring), str(one.setup_fee))
        for one in of.prices.all()
    }


# --- Setting prices -----------------------------------------------------------------------


def test_prices_are_added_changed_and_taken_away_at_once():
    product = make_product(recurring="10", setup_fee="5")

    said = actions.set_prices(
        product,
        {
            ("EUR", "monthly"): Rate(D(5), D(12)),
            ("EUR", "annual"): Rate(D(0), D(100)),
            ("USD", "monthly"): None,
        },
        at=AT,
        actor=None,
    )

    assert prices(product) == {
        ("EUR", "monthly"): ("12.000", "5.000"),
        ("EUR", "annual"): ("100.000", "0.000"),
    }
    assert said == [
        "EUR monthly: 10.000 and 5.000 set-up becomes 12 and 5 set-up",
        "EUR annual: not offered becomes 100",
    ]
    assert Entry.objects.get().action == "product.prices_changed"
    assert product.prices.get(cycle="monthly").history.count() == 2


def test_a_price_taken_away_is_not_offered_any_more():
    product = make_product(recurring="10")

    actions.set_prices(product, {("EUR", "monthly"): None}, at=AT, actor=None)

    assert prices(product) == {}


def test_the_same_prices_again_change_and_say_nothing():
    product = make_product(recurring="10")

    same = {("EUR", "monthly"): Rate(D(0), D("10.00"))}
    assert actions.set_prices(product, same, at=AT, actor=None) == []
    assert not Entry.objects.exists()


def test_choices_have_prices_too():
    choice = make_option(make_product(), "disks", "radio", {"ssd": "2"}).choices.get()

    actions.set_prices(choice, {("USD", "annual"): Rate(D(1), D(30))}, at=AT, actor=None)

    assert prices(choice)["USD", "annual"] == ("30.000", "1.000")


# --- The matrix ---------------------------------------------------------------------------


def matrix(**cells):
    data = {name.replace("_", "-", 2): value for name, value in cells.items()}
    return PriceMatrix(data, prices=(), currencies=["EUR", "JPY"])


def test_empty_is_not_offered_and_nothing_is_free():
    form = matrix(EUR_monthly_recurring="0", EUR_annual_recurring="100", EUR_annual_setup_fee="5")

    assert form.is_valid()
    rates = form.rates()
    assert rates["EUR", "monthly"] == Rate(D(0), D(0))
    assert rates["EUR", "annual"] == Rate(D(5), D(100))
    assert [cell for cell, rate in rates.items() if rate is None and cell[0] == "JPY"] == [
        ("JPY", cycle)
        for cycle in (
            *("one_time", "monthly", "quarterly", "semi_annual"),
            *("annual", "biennial", "triennial"),
        )
    ]


@pytest.mark.parametrize(
    ("cell", "value", "sentence"),
    [
        (
            "EUR_monthly_recurring",
            "-1",
            "A price is 0 or more. Leave it empty if it is not offered.",
        ),
        ("EUR_monthly_setup_fee", "100000000", "More than 99,999,999 cannot be right."),
        ("EUR_monthly_recurring", "1.005", "EUR has 2 decimal places."),
        ("JPY_monthly_recurring", "100.5", "JPY has 0 decimal places."),
        ("EUR_monthly_recurring", "ten", "Enter an amount, such as 19.90."),
        ("EUR_monthly_recurring", "NaN", "Enter an amount, such as 19.90."),
        ("EUR_monthly_recurring", "1e20", "More than 99,999,999 cannot be right."),
    ],
)
def test_a_price_that_cannot_be_is_refused_at_its_cell(cell, value, sentence):
    form = matrix(**{"EUR_monthly_recurring": "1", cell: value})

    assert form.errors == {cell.replace("_", "-", 2): [sentence]}


def test_a_set_up_without_a_price_asks_what_is_meant():
    form = matrix(EUR_monthly_setup_fee="5")

    assert form.errors == {"EUR-monthly-recurring": ["Write 0 if only the set-up costs."]}


def test_the_matrix_shows_what_is_stored():
    product = make_product(recurring="10", setup_fee="0.335")

    form = PriceMatrix(prices=product.prices.all(), currencies=["EUR"])

    assert form["EUR-monthly-recurring"].value() == D("10.00")
    assert form["EUR-monthly-setup_fee"].value() == D("0.335")
    assert form["EUR-annual-recurring"].value() is None


# --- Retiring and copying -----------------------------------------------------------------


def test_retiring_is_noted_once():
    product = make_product()

    actions.retire(product, at=AT, actor=make_user(name="Bo Boss"))
    actions.retire(product, at=AT, actor=None)

    assert Product.objects.get().retired
    assert list(Entry.objects.values_list("action", "actor_name")) == [
        ("product.retired", "Bo Boss")
    ]


def test_a_copy_has_everything_and_is_hidden():
    product = make_product(
        recurring="10", setup_fee="5", usage={"traffic": "1"}, slug="box", stock=3, retired=True
    )
    make_option(product, "disks", "radio", {"ssd": "2"})
    ProductField.objects.create(product=product, key="host", label="Host")

    copy = actions.duplicate(product, at=AT, actor=None)
    again = actions.duplicate(product, at=AT, actor=None)

    assert (copy.name, copy.slug, copy.hidden, copy.retired, copy.stock) == (
        "Copy of Box",
        "box-2",
        True,
        False,
        3,
    )
    assert again.slug == "box-3"
    assert prices(copy) == prices(product)
    assert [one.price for one in copy.usage_prices.all()] == [D(1)]
    assert [one.key for one in copy.fields.all()] == ["host"]
    assert list(copy.option_groups.all()) == list(product.option_groups.all())
    assert Product.objects.get(pk=product.pk).slug == "box"


# --- What staff should look at ------------------------------------------------------------


def doubts(product, *currencies):
    return queries.doubts(product, currencies or ["EUR"])


def test_a_sound_product_raises_no_doubt():
    product = make_product(recurring="10")
    product.prices.create(currency="EUR", cycle="annual", recurring=100)
    option = make_option(product, "disks", "radio", {"hdd": "0", "ssd": "2"})
    for choice in option.choices.all():
        choice.prices.create(currency="EUR", cycle="annual", recurring=20)

    assert doubts(product) == []


def test_a_currency_without_any_price_is_named():
    assert doubts(make_product(), "EUR", "USD", "CHF") == [
        "It has no price in CHF: clients there cannot order it.",
        "It has no price in USD: clients there cannot order it.",
    ]


def test_a_cycle_only_one_currency_has_is_named():
    product = make_product(recurring="10")
    product.prices.create(currency="USD", cycle="monthly", recurring=11)
    product.prices.create(currency="USD", cycle="annual", recurring=100)

    assert doubts(product) == ["Yearly has a price in some currencies but not in EUR."]


@pytest.mark.parametrize(
    ("yearly", "said"),
    [
        ("120", []),
        ("120.01", ["Yearly in EUR costs more than 12 months."]),
        ("40", []),
        ("39.99", ["Yearly in EUR costs less than a third of 12 months."]),
    ],
)
def test_a_year_that_costs_oddly_much_or_little_is_named(yearly, said):
    product = make_product(recurring="10")
    product.prices.create(currency="EUR", cycle="annual", recurring=D(yearly))

    assert doubts(product) == said


def test_a_choice_that_is_free_only_by_omission_is_named():
    product = make_product(recurring="10")
    product.prices.create(currency="USD", cycle="monthly", recurring=11)
    make_option(product, "disks", "radio", {"ssd": "2"})

    assert doubts(product) == ["Disks: Ssd has no price monthly in USD and is free there."]


def test_options_that_are_not_asked_are_named():
    product = make_product(recurring="10")
    option = make_option(product, "disks", "radio", {"ssd": "2"})
    other = make_option(make_product(), "disks", "radio", {"ssd": "2"}, name="More disks")
    other.group.products.add(product)
    Choice.objects.filter(option=option).update(hidden=True)

    assert doubts(product) == [
        "Disks has nothing to choose, so it is not asked.",
        "More disks has the key disks of another option and is not asked.",
    ]


def test_stock_and_quantity_are_looked_at():
    product = make_product(recurring="10", stock=0, quantity_mode="services")

    assert doubts(product) == [
        "Several could be ordered, but the largest quantity is 1.",
        "It is out of stock.",
    ]


# --- What is offered ----------------------------------------------------------------------


def test_options_come_in_their_order_without_what_is_hidden(django_assert_num_queries):
    product = make_product()
    make_option(product, "second", "radio", {"a": "1", "b": "2"}, position=2)
    make_option(product, "first", "yes_no", {"unit": "3"}, position=1)
    make_option(product, "gone", "yes_no", {"unit": "3"}, hidden=True)
    make_option(product, "empty", "radio", {"x": "1"}).choices.update(hidden=True)
    Choice.objects.filter(key="b").update(hidden=True)

    with django_assert_num_queries(3):
        offered = queries.offered_options(product, currency="EUR")

    assert [(one.key, [choice.key for choice in one.choices]) for one in offered] == [
        ("first", ["unit"]),
        ("second", ["a"]),
    ]
    assert offered[1].unit.rate("monthly") == Rate(D(0), D(1))
    assert offered[1].unit.rate("annual") == Rate(D(0), D(0))


def test_a_choice_without_a_price_in_the_currency_costs_nothing_there():
    product = make_product()
    make_option(product, "disks", "radio", {"ssd": "2"})

    (offered,) = queries.offered_options(product, currency="USD")

    assert offered.unit.rate("monthly") == Rate(D(0), D(0))


def test_of_two_options_with_one_key_the_first_is_asked():
    product = make_product()
    make_option(product, "disks", "radio", {"ssd": "2"})
    later = make_option(make_product(), "disks", "radio", {"tape": "9"})
    later.group.products.add(product)

    (offered,) = queries.offered_options(product, currency="EUR")

    assert [choice.key for choice in offered.choices] == ["ssd"]
    assert Option.objects.count() == 2
