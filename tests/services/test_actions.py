"""The life of a service: the whole table, what each change leaves, and its price."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing_portal.audit.models import Entry
from billing_portal.products.models import Cycle
from billing_portal.services import actions
from billing_portal.services.models import Service, ServiceUsagePrice
from billing_portal.services.states import TRANSITIONS, ServiceStatus
from tests.factories import AT, make_client, make_product, make_service, make_user, utc

pytestmark = pytest.mark.django_db

ALLOWED = {
    ("pending", "active"),
    ("pending", "cancelled"),
    ("pending", "fraud"),
    ("active", "suspended"),
    ("active", "terminated"),
    ("active", "cancelled"),
    ("active", "completed"),
    ("suspended", "active"),
    ("suspended", "terminated"),
    ("suspended", "cancelled"),
    ("completed", "terminated"),
    ("cancelled", "active"),
    ("cancelled", "suspended"),
    ("fraud", "pending"),
}
LATER = utc(2026, 12, 24, 6)


def move(service, to, **options):
    actions.move(service.pk, to=ServiceStatus(to), at=LATER, **options)
    service.refresh_from_db()


# --- The transition table -----------------------------------------------------------------


def test_the_table_speaks_of_every_state():
    assert set(TRANSITIONS) == set(ServiceStatus)


@pytest.mark.parametrize("to", list(ServiceStatus))
@pytest.mark.parametrize("before", list(ServiceStatus))
def test_only_the_listed_changes_are_possible(before, to):
    service = make_service(status=before)

    if before == to or (before, to) in ALLOWED:
        move(service, to)
        assert service.status == to
        return

    with pytest.raises(actions.TransitionRefused, match=f"is {before} and cannot become {to}\\."):
        move(service, to)
    service.refresh_from_db()
    assert service.status == before
    assert not Entry.objects.exists()


def test_staying_is_not_an_event():
    service = make_service(status=ServiceStatus.SUSPENDED, suspension_reason="Overdue")

    move(service, "suspended", reason="Another")

    assert service.suspension_reason == "Overdue"
    assert not Entry.objects.exists()


def test_a_change_is_remembered_with_who_and_why():
    service, staff = make_service(), make_user(name="Sam Staff")

    move(service, "suspended", reason="Overdue", actor=staff)

    entry = Entry.objects.get()
    assert (entry.action, entry.summary, entry.actor, entry.at) == (
        "service.suspended",
        f"{service} is now suspended: Overdue",
        staff,
        LATER,
    )
    assert entry.details == {"before": "active", "after": "suspended"}
    assert entry.client_ref == service.client_id


def test_the_first_activation_counts():
    service = make_service(status=ServiceStatus.PENDING)

    actions.move(service.pk, to=ServiceStatus.ACTIVE, at=AT)
    move(service, "suspended")
    move(service, "active")

    assert service.activated_at == AT


def test_the_reason_lasts_as_long_as_the_suspension():
    service = make_service()

    move(service, "suspended", reason="x" * 300)
    assert service.suspension_reason == "x" * 200

    move(service, "active")
    assert service.suspension_reason == ""


@pytest.mark.parametrize("to", ["terminated", "cancelled", "completed"])
def test_an_end_has_its_moment(to):
    service = make_service()

    move(service, to)

    assert service.ended_at == LATER


def test_what_comes_back_has_not_ended():
    """Otherwise its usage would be billed up to the day it was taken for fraud."""
    service = make_service(status=ServiceStatus.PENDING)

    move(service, "fraud")
    assert service.ended_at == LATER

    move(service, "pending")
    assert service.ended_at is None


def test_an_active_service_must_have_been_activated():
    with pytest.raises(IntegrityError), transaction.atomic():
        make_service(activated_at=None)


# --- Opening ------------------------------------------------------------------------------


def test_a_new_service_keeps_todays_prices():
    product = make_product(recurring="29.95", setup_fee="10", usage={"traffic": "5", "calls": "1"})
    price = product.prices.get()

    service = actions.open_service(
        actions.new_service(
            client=make_client(),
            product=product,
            price=price,
            label="mail",
            spec={"size": 5},
            anchor_date=date(2026, 1, 31),
            at=AT,
        )
    )
    product.usage_prices.update(price=99)
    product.prices.update(recurring=99)

    service.refresh_from_db()
    assert (service.status, service.cycle, service.currency) == ("pending", "monthly", "EUR")
    assert (service.recurring_amount, service.setup_fee) == (Decimal("29.95"), Decimal(10))
    assert (service.anchor_date, service.billed_until) == (date(2026, 1, 31), date(2026, 1, 31))
    assert list(service.usage_prices.values_list("metric", "price")) == [
        ("calls", Decimal(1)),
        ("traffic", Decimal(5)),
    ]


def test_only_usage_prices_in_the_services_currency_are_taken():
    product = make_product(usage={"traffic": "5"})
    product.usage_prices.create(currency="USD", metric="traffic", price=6)

    actions.open_service(
        actions.new_service(
            client=make_client(),
            product=product,
            price=product.prices.get(),
            label="",
            spec={},
            anchor_date=date(2026, 1, 1),
            at=AT,
        )
    )

    assert [one.price for one in ServiceUsagePrice.objects.all()] == [Decimal(5)]


# --- What it should be, and until when it is billed ---------------------------------------


def test_a_new_spec_is_remembered_once():
    service = make_service()

    actions.set_spec(service.pk, spec={"size": 6}, at=AT)
    actions.set_spec(service.pk, spec={"size": 6}, at=AT)

    assert Service.objects.get().spec == {"size": 6}
    assert [entry.details for entry in Entry.objects.all()] == [
        {"before": {"size": 5}, "after": {"size": 6}}
    ]


def test_billing_only_advances():
    first, second, third = (make_service() for _ in range(3))

    actions.advance_billing(
        {
            first.pk: date(2026, 12, 1),
            second.pk: date(2027, 1, 1),
            third.pk: date(2026, 10, 1),
        }
    )

    assert list(Service.objects.values_list("billed_until", flat=True)) == [
        date(2026, 12, 1),
        date(2027, 1, 1),
        date(2026, 11, 1),
    ]


def test_advancing_many_services_to_one_day_is_one_statement(django_assert_num_queries):
    services = [make_service() for _ in range(5)]

    with django_assert_num_queries(1):
        actions.advance_billing({service.pk: date(2026, 12, 1) for service in services})


# --- Price --------------------------------------------------------------------------------


def set_price(service, amount, at=AT):
    actions.set_recurring_amount(service.pk, amount=Decimal(amount), at=at)
    service.refresh_from_db()


def test_a_new_price_is_remembered_and_moves_no_period():
    service = make_service(recurring="10", billed_until=date(2026, 12, 1))

    set_price(service, "12.50", at=utc(2027, 5, 5))

    assert (service.recurring_amount, service.billed_until) == (
        Decimal("12.50"),
        date(2026, 12, 1),
    )
    assert Entry.objects.get().summary == f"{service}: 10.000 becomes 12.50 EUR"


def test_the_same_price_is_no_change():
    set_price(make_service(recurring="10"), "10.00")

    assert not Entry.objects.exists()


@pytest.mark.parametrize(
    ("day", "billed_from"),
    [
        (date(2026, 12, 24), date(2026, 12, 31)),
        (date(2026, 12, 31), date(2026, 12, 31)),
        (date(2027, 1, 1), date(2027, 1, 31)),
        (date(2027, 2, 1), date(2027, 2, 28)),
    ],
)
def test_a_free_service_costs_from_its_next_period_on_and_nothing_for_the_past(day, billed_from):
    """Free since January; its periods start on the 31st."""
    service = make_service(
        recurring="0", anchor_date=date(2026, 1, 31), billed_until=date(2026, 2, 28)
    )

    set_price(service, "10", at=utc(day.year, day.month, day.day, 12))

    assert service.billed_until == billed_from


def test_a_price_for_a_free_yearly_service_waits_for_its_year():
    service = make_service(
        cycle=Cycle.ANNUAL, anchor_date=date(2025, 3, 1), billed_until=date(2026, 3, 1)
    )

    set_price(service, "100", at=utc(2026, 11, 1))

    assert service.billed_until == date(2027, 3, 1)


def test_a_one_time_service_has_no_next_period():
    service = make_service(cycle=Cycle.ONE_TIME)

    set_price(service, "100", at=utc(2027, 11, 1))

    assert service.billed_until == service.anchor_date


def test_nothing_costs_less_than_nothing():
    service = make_service(recurring="10")

    with pytest.raises(actions.PriceRefused, match=r"A service cannot cost -1\."):
        set_price(service, "-1")

    with pytest.raises(IntegrityError), transaction.atomic():
        Service.objects.update(recurring_amount=-1)
