"""When a code holds: one sentence for each reason why it does not."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing_portal.calc.discounts import NO_EFFECT, ListPrice, PromotionEffect
from billing_portal.promotions.models import Promotion
from billing_portal.promotions.queries import (
    Customer,
    PromotionRefused,
    Wanted,
    duration,
    effect,
    explained,
    find,
    line_text,
    positions,
)
from tests.factories import AT, make_product, make_promotion

pytestmark = pytest.mark.django_db

D = Decimal
DAY = timedelta(days=1)
NEWCOMER = Customer("EUR")


@pytest.fixture
def box():
    return make_product(name="Box")


@pytest.fixture
def disk():
    return make_product(name="Disk")


def refusal(promotion, *wanted, customer=NEWCOMER, at=AT, **more):
    with pytest.raises(PromotionRefused) as refused:
        positions(promotion, wanted or [Wanted(0, "monthly")], customer=customer, at=at, **more)
    return str(refused.value)


def fits(promotion, *wanted, customer=NEWCOMER, at=AT, **more):
    return positions(promotion, wanted or [Wanted(0, "monthly")], customer=customer, at=at, **more)


def test_a_code_is_found_however_it_is_typed():
    promotion = make_promotion("SUMMER-26")

    assert find(" summer-26 ") == promotion


def test_an_unknown_code_is_refused():
    with pytest.raises(PromotionRefused, match=r"^There is no code WINTER\. Please check how"):
        find("winter")


def test_no_code_at_all_is_no_code():
    with pytest.raises(PromotionRefused, match=r"^Please enter a code\.$"):
        find("  ")


def test_it_holds_from_its_first_moment_until_its_last():
    promotion = make_promotion("SUMMER", starts_at=AT, ends_at=AT + DAY)

    assert refusal(promotion, at=AT - DAY) == "SUMMER cannot be used yet."
    assert fits(promotion, at=AT) == [0]
    assert refusal(promotion, at=AT + DAY) == "SUMMER has ended."


def test_it_holds_as_often_as_its_uses_allow():
    assert fits(make_promotion("ONE", maximum_uses=2, uses=1)) == [0]
    assert refusal(make_promotion("TWO", maximum_uses=2, uses=2)) == "TWO has been used up."
    assert refusal(make_promotion("NONE", maximum_uses=0)) == "NONE has been used up."


def test_it_holds_for_its_products_only(box, disk):
    promotion = make_promotion("DISKS", products=[disk])

    assert refusal(promotion, Wanted(box.pk, "monthly")) == (
        "DISKS is not for this product, but for Disk."
    )
    assert fits(promotion, Wanted(box.pk, "monthly"), Wanted(disk.pk, "monthly")) == [1]


def test_it_holds_for_its_cycles_only(box):
    promotion = make_promotion("YEARLY", cycles=["annual", "biennial"])

    assert refusal(promotion, Wanted(box.pk, "monthly")) == (
        "YEARLY is only for this billing cycle: yearly or every two years."
    )
    assert fits(promotion, Wanted(box.pk, "annual")) == [0]


def test_an_amount_holds_in_its_own_currency():
    fixed = make_promotion("FIVE", kind="fixed", value="5", currency="EUR")
    percent = make_promotion("TENTH")
    dollars = Customer("USD")

    assert refusal(fixed, customer=dollars) == "FIVE is in EUR, but you pay in USD."
    assert fits(percent, customer=dollars) == [0]


def test_a_required_product_is_in_the_order_or_owned(box, disk):
    promotion = make_promotion("BUNDLE", products=[box], requires=[disk])
    wanted = Wanted(box.pk, "monthly")

    assert refusal(promotion, wanted) == "BUNDLE holds only together with Disk."
    assert fits(promotion, wanted, Wanted(disk.pk, "monthly")) == [0]
    assert fits(promotion, wanted, customer=Customer("EUR", owned=frozenset({disk.pk}))) == [0]


def test_new_and_existing_clients_are_told_apart():
    newcomers = make_promotion("HELLO", new_clients_only=True)
    friends = make_promotion("THANKS", existing_clients_only=True)
    old_friend = Customer("EUR", is_new=False)

    assert fits(newcomers) == [0]
    assert refusal(newcomers, customer=old_friend) == "HELLO is for new clients only."
    assert fits(friends, customer=old_friend) == [0]
    assert refusal(friends) == "THANKS is only for clients who already have something."


def test_once_per_client_is_once():
    promotion = make_promotion("ONCE", once_per_client=True)
    again = Customer("EUR", used=frozenset({promotion.pk}))

    assert fits(promotion) == [0]
    assert refusal(promotion, customer=again) == "You have already used ONCE; it holds once."
    assert fits(make_promotion("OFTEN"), customer=again) == [0]


def test_once_per_order_is_for_the_first_position_that_fits(box, disk):
    wanted = (Wanted(box.pk, "monthly"), Wanted(disk.pk, "monthly"), Wanted(disk.pk, "monthly"))

    assert fits(make_promotion("ALL", products=[disk]), *wanted) == [1, 2]
    assert fits(make_promotion("ONE", products=[disk], once_per_order=True), *wanted) == [1]


def test_orders_and_upgrades_have_codes_of_their_own():
    upgrade = make_promotion("GROW", for_upgrades=True)
    order = make_promotion("START")

    assert refusal(upgrade) == "GROW is only for the upgrade of a service you have."
    assert fits(upgrade, for_change=True) == [0]
    assert refusal(order, for_change=True) == (
        "START is for new orders, not for changes of a service."
    )


def test_what_it_does_is_said_in_words():
    percent = make_promotion("A", value="12.500", recurring=True)
    fixed = make_promotion(
        "B", kind="fixed", value="5", currency="EUR", recurring=True, recurs_for=2
    )
    override = make_promotion("C", kind="price_override", value="900", currency="JPY")
    free = make_promotion("D", kind="free_setup", recurring=True)
    once_more = make_promotion("E", recurring=True, recurs_for=1)

    assert [(explained(p), duration(p)) for p in (percent, fixed, override, free, once_more)] == [
        ("12.5 % off", "on every payment"),
        ("5.00 EUR off", "on the first payment and the next 2"),
        ("900 JPY instead", "on the first payment"),
        ("free set-up", "on the first payment"),
        ("10 % off", "on the first payment and the next one"),
    ]
    assert line_text(fixed) == "Promotion B: 5.00 EUR off"


def test_its_effect_is_nothing_in_another_currency():
    price = ListPrice(recurring=D(30), setup_fee=D(10), unit_price=D(30))
    fixed = make_promotion("FIVE", kind="fixed", value="5", currency="EUR", recurring=True)

    assert effect(fixed, price, currency="EUR") == PromotionEffect(D("0.00"), D("5.00"), None)
    assert effect(fixed, price, currency="USD") == NO_EFFECT


def test_every_kind_is_known_to_the_rules():
    price = ListPrice(recurring=D(30), setup_fee=D(10), unit_price=D(30))

    for kind in Promotion.Kind:
        promotion = make_promotion(f"K-{kind.name}", kind=kind, value="10", currency="EUR")
        assert effect(promotion, price, currency="EUR").off_period >= 0
