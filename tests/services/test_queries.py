"""Reading services."""

from decimal import Decimal

import pytest

from billing_portal.products.models import Cycle
from billing_portal.services import queries
from tests.factories import make_client, make_service

pytestmark = pytest.mark.django_db


def test_a_client_sees_its_own_services_newest_first(django_assert_num_queries):
    client = make_client()
    old, new = make_service(client), make_service(client)
    make_service()

    with django_assert_num_queries(1):
        found = list(queries.services_of(client.pk))
        assert [str(service) for service in found] == [f"Box #{new.pk}", f"Box #{old.pk}"]


def test_the_agreed_price_is_found_by_meter():
    service = make_service(usage={"traffic": "5.50"})

    assert queries.agreed_price(service.pk, "traffic") == Decimal("5.50")
    assert queries.agreed_price(service.pk, "calls") is None


@pytest.mark.parametrize(
    ("cycle", "monthly"),
    [(Cycle.MONTHLY, "120"), (Cycle.ANNUAL, "10"), (Cycle.ONE_TIME, "0")],
)
def test_recurring_income_is_counted_per_month(cycle, monthly):
    service = make_service(cycle=cycle, recurring="120")

    assert queries.monthly_recurring(service) == Decimal(monthly)


def test_a_label_names_the_service():
    assert str(make_service(label="mail")) == "Box - mail"
