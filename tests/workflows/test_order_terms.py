"""Options, quantities and questions: what an order makes of them, and what it refuses."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.invoices.models import InvoiceLine
from billing_portal.orders.models import OrderItem
from billing_portal.products.models import Choice, Product, ProductField
from billing_portal.services.models import Service
from billing_portal.workflows.place_order import OrderRefused
from provisioning.models import Job
from tests.factories import make_client, make_product, make_server
from tests.options import make_option

from .choosing import CHOSEN, ask, order, refusal, with_options

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendor(vendor):
    make_server()


@pytest.fixture
def client():
    return make_client()


Mode = Product.QuantityMode


# --- Options ------------------------------------------------------------------------------


def test_chosen_options_are_in_the_price_of_the_service(client):
    placed = order(client, ask(with_options(), options=CHOSEN))

    service = Service.objects.get()
    # 10 + 4 + 2.50 + 3 + 3 x 1.50, and 1 + 5 + 3 x 0.50
    assert (service.recurring_amount, service.setup_fee) == (Decimal("24.00"), Decimal("7.50"))
    assert placed.total == Decimal("31.50")
    item = OrderItem.objects.get()
    assert (item.recurring_amount, item.setup_fee) == (Decimal("24.00"), Decimal("7.50"))


def test_service_and_order_keep_the_choices_with_the_prices_of_the_day(client):
    product = with_options()

    order(client, ask(product, options=CHOSEN))
    Choice.objects.all().delete()

    kept = Service.objects.get().options
    assert kept == OrderItem.objects.get().options
    assert [(one["key"], one["value"], one["text"], one["units"]) for one in kept] == [
        ("location", "sgp", "Sgp", 1),
        ("disks", "ssd", "Ssd", 1),
        ("backup", True, "Yes", 1),
        ("addresses", 3, "3", 3),
    ]
    assert (kept[3]["setup_fee"], kept[3]["recurring"]) == ("0.500", "1.500")


def test_the_line_lists_what_was_chosen(client):
    placed = order(client, ask(with_options(), options=CHOSEN | {"backup": ""}))

    line = placed.invoice.lines.get(kind=InvoiceLine.Kind.RECURRING)
    assert line.description == ("Box, size 5 (mail); Location: Sgp; Disks: Ssd; Addresses: 3")


def test_a_line_with_many_choices_is_cut_to_what_a_line_holds(client):
    product = make_product(recurring="10")
    for number in range(8):
        make_option(product, f"o{number}", name="x" * 60, prices={"a": "0"})

    placed = order(client, ask(product, options={f"o{number}": "a" for number in range(8)}))

    description = placed.invoice.lines.get().description
    assert (len(description), description[-1]) == (300, "…")


def test_options_cost_what_they_cost_in_the_chosen_cycle(client):
    product = make_product(recurring="100", cycle="annual")
    option = make_option(product, "disks", "radio", {"ssd": "2.50"})
    option.choices.get().prices.create(currency="EUR", cycle="annual", recurring=25)

    order(client, ask(product, cycle="annual", options={"disks": "ssd"}))

    assert Service.objects.get().recurring_amount == Decimal(125)


@pytest.mark.parametrize(
    ("wrong", "errors"),
    [
        (
            {"location": "moon"},
            {"location": ["This is not offered. Please choose one of the list."]},
        ),
        ({"location": ""}, {"location": ["Please choose one."]}),
        ({"addresses": "5"}, {"addresses": ["Please enter a number from 1 to 4."]}),
        ({"addresses": "0"}, {"addresses": ["Please enter a number from 1 to 4."]}),
        ({"addresses": "-1"}, {"addresses": ["Please enter a number from 1 to 4."]}),
        ({"addresses": "two"}, {"addresses": ["Please enter a number from 1 to 4."]}),
        ({"addresses": ""}, {"addresses": ["Please enter a number from 1 to 4."]}),
    ],
)
def test_a_wrong_choice_is_explained_at_its_field(client, wrong, errors):
    assert refusal(client, ask(with_options(), options=CHOSEN | wrong)) == errors


def test_a_hidden_choice_cannot_be_taken(client):
    product = with_options()
    Choice.objects.filter(key="sgp").update(hidden=True)

    assert refusal(client, ask(product, options=CHOSEN)) == {
        "location": ["This is not offered. Please choose one of the list."]
    }


def test_a_hidden_option_is_neither_asked_nor_taken(client):
    product = with_options()
    product.option_groups.get().options.filter(key="backup").update(hidden=True)

    order(client, ask(product, options=CHOSEN))

    assert "backup" not in [one["key"] for one in Service.objects.get().options]
    assert Service.objects.get().recurring_amount == Decimal("21.00")


def test_a_quantity_nobody_spoke_of_is_the_least(client):
    product = make_product(recurring="10")
    make_option(product, "addresses", "quantity", {"unit": "1.50"}, minimum=2, maximum=4)

    order(client, ask(product))

    assert Service.objects.get().options[0]["value"] == 2
    assert Service.objects.get().recurring_amount == Decimal(13)


def test_options_nobody_offered_are_ignored(client):
    order(client, ask(make_product(recurring="10"), options={"price": "0", "disks": "ssd"}))

    assert (Service.objects.get().options, Service.objects.get().recurring_amount) == (
        [],
        Decimal(10),
    )


def test_an_option_answers_the_modules_question_of_the_same_name(client):
    product = make_product(recurring="10")
    make_option(product, "size", "quantity", {"unit": "2"}, minimum=1, maximum=10)

    order(client, ask(product, size="9", options={"size": "7"}))

    service = Service.objects.get()
    assert (service.spec, service.recurring_amount) == ({"size": 7}, Decimal(24))


# --- Questions ----------------------------------------------------------------------------


def test_answers_to_further_questions_are_kept(client):
    product = make_product(recurring="10")
    ProductField.objects.create(product=product, key="host", label="Host name", required=True)
    ProductField.objects.create(product=product, key="secret", label="Secret", staff_only=True)

    order(client, ask(product, custom_fields={"host": "mx.example", "secret": "x", "more": "y"}))

    assert Service.objects.get().custom_fields == {"host": "mx.example"}
    assert OrderItem.objects.get().custom_fields == {"host": "mx.example"}
    assert Service.objects.get().spec == {"size": 5}


def test_an_answer_the_operator_wants_on_invoices_is_in_the_line(client):
    product = make_product(recurring="10")
    ProductField.objects.create(product=product, key="host", label="Host name", on_invoice=True)
    ProductField.objects.create(product=product, key="door", label="Door code")

    placed = order(client, ask(product, custom_fields={"host": "mx.example", "door": "1234"}))

    assert placed.invoice.lines.get().description == "Box, size 5 (mail); Host name: mx.example"


def test_a_missing_answer_is_explained_at_its_field(client):
    product = make_product(recurring="10")
    ProductField.objects.create(product=product, key="host", label="Host name", required=True)

    assert refusal(client, ask(product)) == {"host": ["Please fill this in."]}


def test_a_question_the_module_asks_too_is_its_answer(client):
    product = make_product(recurring="10")
    ProductField.objects.create(product=product, key="size", label="Size", pattern=r"[1-9]")

    order(client, ask(product, size="", custom_fields={"size": "4"}))

    assert Service.objects.get().spec == {"size": 4}


# --- Quantity -----------------------------------------------------------------------------


def test_several_services_come_from_one_item(client):
    product = make_product(
        recurring="10", setup_fee="2", quantity_mode=Mode.SERVICES, maximum_quantity=5
    )

    placed = order(client, ask(product, quantity=3))

    assert list(Service.objects.values_list("label", "quantity", "recurring_amount")) == [
        ("mail 1", 1, Decimal(10)),
        ("mail 2", 1, Decimal(10)),
        ("mail 3", 1, Decimal(10)),
    ]
    assert (placed.items.count(), placed.total) == (3, Decimal("36.00"))


def test_a_scaling_product_is_one_service_of_many_units(client):
    product = make_product(
        recurring="10", setup_fee="2", quantity_mode=Mode.SCALING, maximum_quantity=50
    )
    make_option(product, "disks", "radio", {"ssd": "2.50"})

    placed = order(client, ask(product, quantity=20, options={"disks": "ssd"}))

    service = Service.objects.get()
    assert (service.label, service.quantity) == ("mail", 20)
    assert (service.recurring_amount, service.setup_fee) == (Decimal(250), Decimal(40))
    line = placed.invoice.lines.get(kind=InvoiceLine.Kind.RECURRING)
    assert (line.quantity, line.unit_price, line.amount) == (
        Decimal(20),
        Decimal("12.50"),
        Decimal("250.00"),
    )


@pytest.mark.parametrize(
    ("mode", "quantity", "sentence"),
    [
        (Mode.ONE, 2, "Please order just one."),
        (Mode.SERVICES, 0, "Please order from 1 to 5."),
        (Mode.SERVICES, 6, "Please order from 1 to 5."),
        (Mode.SCALING, -1, "Please order from 1 to 5."),
    ],
)
def test_a_quantity_out_of_range_is_explained(client, mode, quantity, sentence):
    product = make_product(recurring="10", quantity_mode=mode, maximum_quantity=5)

    assert refusal(client, ask(product, quantity=quantity)) == {"quantity": [sentence]}


def test_more_than_a_price_has_room_for_is_refused(client):
    product = make_product(recurring="99999999", quantity_mode=Mode.SCALING, maximum_quantity=10**6)

    with pytest.raises(OrderRefused, match="too large"):
        order(client, ask(product, quantity=10**6))


# --- Terms --------------------------------------------------------------------------------


def test_a_trial_ends_so_many_days_after_the_order(client, settings):
    settings.SELLER_TIMEZONE = "Pacific/Auckland"  # AT is the 2nd there
    product = make_product(term_days=14, periods_limit=3)

    order(client, ask(product))

    service = Service.objects.get()
    assert (service.ends_on, service.periods_limit) == (date(2026, 11, 16), 3)


def test_what_runs_on_has_no_end(client):
    order(client, ask(make_product()))

    assert (Service.objects.get().ends_on, Service.objects.get().periods_limit) == (None, None)


def test_a_changed_catalogue_leaves_services_alone(client):
    product = with_options(usage={"traffic": "5"})
    order(client, ask(product, options=CHOSEN))

    product.prices.update(recurring=99, setup_fee=99)
    product.usage_prices.update(price=99)
    for choice in Choice.objects.all():
        choice.prices.update(recurring=99)
    Product.objects.update(term_days=1, periods_limit=1)

    service = Service.objects.get()
    assert (service.recurring_amount, service.usage_prices.get().price) == (
        Decimal("24.00"),
        Decimal(5),
    )
    assert (service.ends_on, service.periods_limit) == (None, None)


def test_a_free_order_with_options_starts_at_once(client):
    product = make_product()
    make_option(product, "disks", "radio", {"hdd": "0"})

    placed = order(client, ask(product, options={"disks": "hdd"}))

    assert placed.invoice is None
    assert Job.objects.get().service == Service.objects.get()
