"""The preview of an order: the invoice it would make, to the cent, with nothing stored."""

from decimal import Decimal

import pytest

from billing_portal.calc.tax import TaxRate, TaxTreatment
from billing_portal.clients.models import Client
from billing_portal.products.models import Product
from billing_portal.services.models import Service
from billing_portal.workflows import advance_billing
from billing_portal.workflows import place_order as placing
from billing_portal.workflows.order_terms import terms_of
from billing_portal.workflows.place_order import OrderRefused
from tests.factories import AT, make_client, make_product, make_server

from .choosing import CHOSEN, ask, order, with_options

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendor(vendor):
    make_server()


@pytest.fixture
def client():
    return make_client()


Mode = Product.QuantityMode


def preview(client, item):
    return placing.preview(client, terms_of(item, currency=client.currency), at=AT)


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
    visitor = Client(currency="EUR", country="DE", pk=0)

    shown = preview(visitor, ask(product))

    assert shown.due_now is not None
    assert (shown.due_now.total, Product.objects.get().stock) == (Decimal("10.00"), 1)


def test_a_preview_refuses_what_the_order_would_refuse(client):
    with pytest.raises(OrderRefused, match=r"Box is out of stock\."):
        preview(client, ask(make_product(stock=0)))
