"""Bringing services to today's prices: shown first, then exactly that, from the next invoice on."""

from decimal import Decimal

import pytest

from billing_portal.audit.models import Entry
from billing_portal.orders.models import ServiceChange
from billing_portal.products.models import Choice, ChoicePrice
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows.reprice import PlanMoved, apply, plan
from tests.factories import (
    AT,
    make_client,
    make_product,
    make_promotion,
    make_service,
    make_user,
)
from tests.options import make_option

pytestmark = pytest.mark.django_db

SSD = {
    "key": "disks",
    "name": "Disks",
    "value": "ssd",
    "text": "SSD",
    "units": 1,
    "setup_fee": "0",
    "recurring": "2.000",
}


@pytest.fixture
def product():
    return make_product(recurring="10")


def serve(product, recurring="10", **fields):
    return make_service(product=product, recurring=recurring, **fields)


def changes(product):
    return [(one.service, str(one.before), str(one.after)) for one in plan(product).changes]


def carry_out(product, actor=None):
    return apply(product, expected=plan(product).fingerprint, at=AT, actor=actor)


def test_without_being_asked_no_service_changes_its_price(product):
    service = serve(product)

    product.prices.update(recurring=12)

    assert Service.objects.get().recurring_amount == Decimal(10)
    assert changes(product) == [(service, "10.000", "12.00")]


def test_what_was_shown_is_what_happens(product):
    first, second = serve(product), serve(product, "9")
    product.prices.update(recurring=12)

    done = carry_out(product, actor=make_user(name="Bo Boss"))

    assert [one.service for one in done.changes] == [first, second]
    assert list(Service.objects.values_list("recurring_amount", flat=True)) == [Decimal(12)] * 2
    assert (
        list(Entry.objects.values_list("action", "actor_name"))
        == [("service.price_changed", "Bo Boss")] * 2
    )
    assert changes(product) == []


def test_only_running_services_are_repriced(product):
    for status in (ServiceStatus.PENDING, ServiceStatus.TERMINATED, ServiceStatus.CANCELLED):
        serve(product, status=status)
    suspended = serve(product, status=ServiceStatus.SUSPENDED)
    product.prices.update(recurring=12)

    assert changes(product) == [(suspended, "10.000", "12.00")]


def test_who_already_pays_the_price_is_not_in_the_plan(product):
    serve(product)

    assert changes(product) == []


def test_options_and_quantity_are_part_of_the_new_price(product):
    option = make_option(product, "disks", "radio", {"ssd": "2"})
    ChoicePrice.objects.filter(choice__option=option).update(recurring=3)
    service = serve(product, "36", quantity=3, options=[SSD])
    product.prices.update(recurring=11)

    carry_out(product)

    service.refresh_from_db()
    assert service.recurring_amount == Decimal(42)  # 3 x (11 + 3)
    assert service.options[0]["recurring"] == "3.000"


@pytest.mark.parametrize("change", ["hide", "delete"])
def test_an_option_no_longer_offered_keeps_its_price_or_the_hidden_one(product, change):
    make_option(product, "disks", "radio", {"ssd": "5"})
    if change == "hide":
        Choice.objects.update(hidden=True)
    else:
        Choice.objects.all().delete()
    service = serve(product, "12", options=[SSD])
    product.prices.update(recurring=11)

    expected = "16.00" if change == "hide" else "13.00"
    assert changes(product) == [(service, "12.000", expected)]


def test_a_promotion_in_percent_follows_the_price(product):
    service = serve(
        product,
        promotion=make_promotion(value="20", recurring=True),
        discount_amount=Decimal(2),
        discounts_left=None,
    )
    product.prices.update(recurring=15)

    carry_out(product)

    service.refresh_from_db()
    assert (service.recurring_amount, service.discount_amount) == (Decimal(15), Decimal(3))


def test_a_service_without_a_price_is_left_alone_and_named(product):
    dollar = serve(product, currency="USD", client=make_client(currency="USD"))
    yearly = serve(product, cycle="annual")
    product.prices.update(recurring=12)

    assert changes(product) == []
    assert plan(product).left_alone == (
        (dollar, "there is no price monthly in USD"),
        (yearly, "there is no price yearly in EUR"),
    )


def test_a_service_under_change_is_left_alone(product):
    service = serve(product)
    ServiceChange.objects.create(
        service=service,
        request_key="k",
        policy="auto",
        before={},
        after={},
        credit_part=0,
        debit_part=0,
        amount_due=0,
        currency="EUR",
        requested_at=AT,
    )
    product.prices.update(recurring=12)

    assert plan(product).left_alone == ((service, "a change of it is under way"),)
    assert changes(product) == []


def test_nothing_is_done_if_the_plan_is_not_the_one_that_was_shown(product):
    serve(product)
    product.prices.update(recurring=12)
    shown = plan(product).fingerprint
    product.prices.update(recurring=99)

    with pytest.raises(PlanMoved, match="look again"):
        apply(product, expected=shown, at=AT, actor=None)

    assert Service.objects.get().recurring_amount == Decimal(10)
    assert not Entry.objects.exists()
