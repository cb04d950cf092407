"""Options, quantities, questions and stock: what an order makes of them, and what it refuses."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.calc.tax import TaxRate, TaxTreatment
from billing_portal.invoices.models import InvoiceLine
from billing_portal.orders.models import Order, OrderItem
from billing_portal.products.models import Choice, Product, ProductField
from billing_portal.services.models import Service
from billing_portal.workflows import advance_billing
from billing_portal.workflows import place_order as placing
from billing_portal.workflows.cancel_order import cancel_order
from billing_portal.workflows.order_terms import terms_of
from billing_portal.workflows.place_order import OrderRefused, OrderRequest, place_order
from provisioning.models import Job
from tests.factories import AT, make_client, make_option, make_product, make_server
from tests.threads import at_once, failures

pytestmark = pytest.mark.django_db

Mode = Product.QuantityMode


@pytest.fixture(autouse=True)
def _vendor(vendor):
    make_server()


@pytest.fixture
def client():
    return make_client()


def ask(product, *, size="5", cycle="monthly", label="mail", **wishes):
    return OrderRequest(product.pk, cycle, label, {"size": size}, **wishes)


def order(client, *items, key="a"):
    return place_order(
        client=client,
        placed_by=None,
        items=items,
        payment_method="bank_transfer",
        submission_key=key,
        at=AT,
    )


def preview(client, item):
    return placing.preview(client, terms_of(item, currency=client.currency), at=AT)


def refusal(client, item):
    with pytest.raises(OrderRefused) as refused:
        order(client, item)
    assert not Order.objects.exists()
    return refused.value.field_errors


def with_options(**fields):
    """A box for 10.00: a location, how fast, a backup and addresses."""
    product = make_product(recurring="10", setup_fee="1", **fields)
    make_option(product, "location", "dropdown", {"fra": "0", "sgp": "4"}, position=1)
    make_option(product, "disks", "radio", {"hdd": "0", "ssd": "2.50"}, position=2)
    make_option(product, "backup", "yes_no", {"unit": "3"}, setup={"unit": "5"}, position=3)
    make_option(
        product,
        "addresses",
        "quantity",
        {"unit": "1.50"},
        setup={"unit": "0.50"},
        minimum=1,
        maximum=4,
        position=4,
    )
    return product


CHOSEN = {"location": "sgp", "disks": "ssd", "backup": "on", "addresses": "3"}


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


# --- Stock --------------------------------------------------------------------------------


def stock_of(product):
    return Product.objects.values_list("stock", flat=True).get(pk=product.pk)


@pytest.mark.parametrize("mode", [Mode.SERVICES, Mode.SCALING])
def test_an_order_takes_stock_and_a_cancelled_one_returns_it(client, mode):
    product = make_product(recurring="10", stock=5, quantity_mode=mode, maximum_quantity=9)

    placed = order(client, ask(product, quantity=3))
    assert stock_of(product) == 2
    cancel_order(placed.pk, reason="changed their mind", at=AT, actor=None)
    cancel_order(placed.pk, reason="changed their mind", at=AT, actor=None)

    assert stock_of(product) == 5


def test_without_a_limit_nothing_is_counted(client):
    product = make_product(recurring="10")

    placed = order(client, ask(product))
    cancel_order(placed.pk, reason="changed their mind", at=AT, actor=None)

    assert stock_of(product) is None


@pytest.mark.parametrize(
    ("stock", "sentence"),
    [
        (0, "Box is out of stock."),
        (1, "Only 1 of Box is left."),
        (2, "Only 2 of Box are left."),
    ],
)
def test_more_than_there_is_cannot_be_ordered(client, stock, sentence):
    product = make_product(
        recurring="10", stock=stock, quantity_mode=Mode.SCALING, maximum_quantity=9
    )

    assert refusal(client, ask(product, quantity=3)) == {"quantity": [sentence]}
    assert stock_of(product) == stock


def test_two_items_of_one_order_share_the_stock(client):
    product = make_product(recurring="10", stock=1)

    with pytest.raises(OrderRefused, match=r"Only 1 of Box is left\."):
        order(client, ask(product), ask(product))

    assert (stock_of(product), Service.objects.count()) == (1, 0)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_clients_racing_for_the_last_one_do_not_both_get_it():
    product = make_product(recurring="10", stock=1)
    clients = [make_client() for _ in range(4)]

    outcomes = at_once(
        *[lambda one=one: order(one, ask(product), key=f"key {one.pk}") for one in clients]
    )

    assert [str(error) for error in failures(outcomes)] == ["Box is out of stock."] * 3
    assert (stock_of(product), Order.objects.count(), Service.objects.count()) == (0, 1, 1)


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


# --- The preview --------------------------------------------------------------------------


VAT = TaxTreatment((TaxRate("VAT", Decimal(19)),))


@pytest.fixture
def taxed(monkeypatch):
    monkeypatch.setattr(
        advance_billing, "treatments", lambda clients, *, on: {one.pk: VAT for one in clients}
    )


def test_the_preview_is_the_invoice_to_the_cent(client, taxed):
    product = with_options(quantity_mode=Mode.SERVICES, maximum_quantity=3)
    wish = ask(product, quantity=3, options=CHOSEN | {"addresses": "1"})

    shown = preview(client, wish)
    assert not Service.objects.exists()
    invoice = order(client, wish).invoice

    # Three times 21.00 a month and 6.50 set-up: 82.50, and 15.675 of VAT.
    assert shown.due_now is not None
    assert (shown.due_now.net_total, shown.due_now.tax_total, shown.due_now.total) == (
        Decimal("82.50"),
        Decimal("15.68"),
        Decimal("98.18"),
    )
    assert (invoice.net_total, invoice.tax_total, invoice.total) == (
        Decimal("82.50"),
        Decimal("15.68"),
        Decimal("98.18"),
    )
    lines = invoice.lines.order_by("position")
    assert [(line.description, line.amount) for line in shown.due_now.lines] == [
        (line.description, line.amount) for line in lines
    ]


def test_the_preview_shows_what_each_later_period_costs(client, taxed):
    shown = preview(client, ask(with_options(), options=CHOSEN))

    assert shown.per_cycle is not None
    assert (shown.per_cycle.net_total, shown.per_cycle.total) == (
        Decimal("24.00"),
        Decimal("28.56"),
    )


@pytest.mark.parametrize("cycle", ["one_time", "monthly"])
def test_what_is_paid_once_or_is_free_has_no_later_periods(client, cycle):
    product = make_product(recurring="10" if cycle == "one_time" else "0", cycle=cycle)

    assert preview(client, ask(product, cycle=cycle)).per_cycle is None


def test_a_preview_needs_no_account_and_takes_no_stock():
    product = make_product(recurring="10", stock=1)
    visitor = type(make_client())(currency="EUR", country="DE", pk=0)

    shown = preview(visitor, ask(product))

    assert shown.due_now is not None
    assert (shown.due_now.total, stock_of(product)) == (Decimal("10.00"), 1)


def test_a_preview_refuses_what_the_order_would_refuse(client):
    with pytest.raises(OrderRefused, match=r"Box is out of stock\."):
        preview(client, ask(make_product(stock=0)))


def test_a_free_order_with_options_starts_at_once(client):
    product = make_product()
    make_option(product, "disks", "radio", {"hdd": "0"})

    placed = order(client, ask(product, options={"disks": "hdd"}))

    assert placed.invoice is None
    assert Job.objects.get().service == Service.objects.get()
