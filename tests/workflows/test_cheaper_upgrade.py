"""Which product would be cheaper for what a service uses."""

from decimal import Decimal

import pytest

from backups.usage import collect_usage
from billing_portal.clients.models import ClientGroup
from billing_portal.workflows.cheaper_upgrade import cheaper_upgrade
from tests.backups.test_usage import NOVEMBER, hours, make_datastore, make_storage
from tests.factories import make_product

pytestmark = pytest.mark.django_db


def upgrade(service, name, recurring, price, *, included="0", **fields):
    """A product of 500 GB steps that the service may become."""
    product = make_product(
        module_key="remote_backups",
        name=name,
        recurring=recurring,
        usage={"storage": price},
        **{"module_settings": service.product.module_settings} | fields,
    )
    product.usage_prices.update(included=Decimal(included))
    service.product.upgrades_to.add(product)
    return product


@pytest.fixture
def service():
    """1000 GB all month at 10.00 per 1000 GB and 2.00 in advance: 12.00 a month."""
    found = make_storage(recurring="2.00", spec={"size_gb": 1000})
    make_datastore(found, (hours(0), 1000))
    return found


def found(service):
    best = cheaper_upgrade(service, collect_usage({service.pk: NOVEMBER})[service.pk])
    return best and (best.product.name, str(best.month), str(best.month_now))


def test_the_cheapest_product_at_the_same_use_is_named(service):
    upgrade(service, "Backup M", "8.00", "5.00", included="500")  # 8.00 and 2.50
    upgrade(service, "Backup L", "9.00", "5.00", included="1000")  # 9.00
    upgrade(service, "Backup XL", "30.00", "0")

    assert found(service) == ("Backup L", "9.00", "12.00")


def test_what_costs_as_much_is_not_cheaper(service):
    upgrade(service, "Backup M", "12.00", "0")

    assert found(service) is None


def test_what_is_not_for_sale_or_not_priced_alike_is_not_named(service):
    upgrade(service, "Retired", "1.00", "1", retired=True)
    upgrade(service, "Sold out", "1.00", "1", stock=0)
    upgrade(service, "Yearly", "1.00", "1", cycle="annual")
    upgrade(service, "Unpriced", "1.00", "1").usage_prices.all().delete()
    upgrade(service, "Too small", "1.00", "1", module_settings={"max_size_gb": 500})

    assert found(service) is None


def test_discounts_that_run_make_the_present_product_cheaper(service):
    """A promotion takes 2.00 off: 10.00 now, so 11.00 is dearer though the list says 12.00."""
    upgrade(service, "Backup M", "11.00", "0")
    assert found(service) == ("Backup M", "11.00", "12.00")

    service.discount_amount, service.discounts_left = Decimal("2.00"), 3

    assert found(service) is None


def test_the_discount_of_a_client_s_group_is_on_both(service):
    """Half of what is paid in advance: 1.00 and 10.00 now, 5.50 then."""
    service.client.group = ClientGroup.objects.create(name="Friends", discount_percent=Decimal(50))
    upgrade(service, "Backup M", "11.00", "0")

    assert found(service) == ("Backup M", "5.50", "11.00")
