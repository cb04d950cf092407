"""Add-ons ordered together with their product."""

from datetime import date

import pytest

from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.orders.models import Order
from billing_portal.services import addons
from billing_portal.services.models import ServiceAddon
from billing_portal.workflows.cancel_order import cancel_order
from billing_portal.workflows.place_order import AddonRequest, OrderRefused
from tests.factories import AT, make_addon, make_client, make_product, make_service
from tests.workflows.ordering import amounts, order, request
from tests.workflows.paying import pay

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendor(vendor):
    pass


@pytest.fixture
def client():
    return make_client()


@pytest.fixture
def box():
    """Set-up 10.00, 30.00 a month."""
    return make_product(name="Box", module_key="", recurring="30", setup_fee="10")


def test_an_addon_ordered_with_the_product_takes_its_cycle_and_begins_with_the_payment(client, box):
    addon = make_addon(box, "5", setup_fee="2")

    placed = order(client, items=[request(box, addons=[AddonRequest(addon.pk)])])

    assert amounts(placed.invoice) == [
        ("setup", "10.00"),
        ("recurring", "30.00"),
        ("setup", "2.00"),
        ("recurring", "5.00"),
    ]
    assert placed.items.get().addons == [
        {
            "addon": addon.pk,
            "name": "Snapshots",
            "cycle": "monthly",
            "quantity": 1,
            "setup_fee": "2.00",
            "recurring": "5.00",
        }
    ]
    assert ServiceAddon.objects.get().status == "pending"

    pay(placed.invoice, "47.00")

    assert ServiceAddon.objects.get().status == "active"


def test_without_a_price_for_that_cycle_it_takes_its_own_shortest(client, box):
    addon = make_addon(box, "50", cycle="annual")

    order(client, items=[request(box, addons=[AddonRequest(addon.pk)])])

    row = ServiceAddon.objects.get()
    assert (row.cycle, row.billed_until) == ("annual", date(2027, 11, 1))


def test_a_free_addon_begins_with_the_orders_payment(client, box):
    addon = make_addon(box, "0")
    placed = order(client, items=[request(box, addons=[AddonRequest(addon.pk)])])
    assert ServiceAddon.objects.get().status == "pending"

    pay(placed.invoice, "40.00")

    assert ServiceAddon.objects.get().status == "active"


def test_a_cancelled_order_takes_its_addons_along(client, box):
    addon = make_addon(box, "5")
    placed = order(client, items=[request(box, addons=[AddonRequest(addon.pk)])])

    cancel_order(placed.pk, reason="never paid", at=AT, actor=None)

    assert ServiceAddon.objects.get().status == "cancelled"
    assert Invoice.objects.get().status == InvoiceStatus.CANCELLED


def test_an_addon_nobody_offers_refuses_the_order(client, box):
    addon = make_addon(make_product(), "5")

    with pytest.raises(OrderRefused, match=r"^This add-on is not offered with Box in EUR\.$"):
        order(client, items=[request(box, addons=[AddonRequest(addon.pk)])])

    assert Order.objects.count() == 0


def test_clients_of_another_currency_see_their_own_prices():
    dollars = make_client(currency="USD")
    product = make_product(module_key="", currency="USD", recurring="1")
    service = make_service(dollars, product=product, currency="USD")
    make_addon(product, "5")
    priced = make_addon(product, "6", currency="USD", name="IP")

    assert addons.offered(product, currency=service.currency) == [priced]
