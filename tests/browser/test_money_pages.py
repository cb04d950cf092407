"""Money pages in a real browser, on a desktop and on a phone: nothing errs, nothing overflows."""

from decimal import Decimal
from typing import Any

import pytest

from billing_portal.accounts.models import User
from billing_portal.clients.models import Membership
from billing_portal.workflows.bundles import ask_for
from billing_portal.workflows.client_credit import add_credit
from billing_portal.workflows.reversals import reverse_payment
from tests.browser.test_staff import SIZES, chromium, log_in, world
from tests.factories import AT
from tests.workflows.money import bill, correct, paid_bill, payment_of, taxed_bill

pytestmark = [pytest.mark.browser, pytest.mark.slow]

__all__ = ["chromium", "log_in", "world"]


@pytest.fixture
def addresses(world: Any) -> dict[str, str]:
    """Every page of money, with something on it."""
    client = world.client
    add_credit(client.pk, Decimal("25.00"), reason="late", request_key="g", at=AT, actor=None)
    settled = paid_bill("30.00", paid="50.00", client=client, ref="pay_9f31")
    correct(settled, "10.00")
    lost = paid_bill("12.00", client=client, ref="pay_lost")
    reverse_payment("test", "pay_lost", reason="fraudulent", at=AT)
    open_ones = [taxed_bill(client), bill("20.00", client)]
    asked = ask_for(client.pk, [i.pk for i in open_ones], request_key="b", at=AT, actor=None)
    payment = payment_of(settled).pk
    return {
        "staff-credit": f"/staff/clients/client/{client.pk}/credit/",
        "staff-note": f"/staff/invoices/invoice/{open_ones[0].pk}/credit/",
        "staff-use": f"/staff/invoices/invoice/{open_ones[0].pk}/use-credit/",
        "staff-refund-invoice": f"/staff/invoices/invoice/{settled.pk}/refund/",
        "staff-invoice": f"/staff/invoices/invoice/{settled.pk}/",
        "staff-lost": f"/staff/payments/transaction/{payment + 1}/",
        "staff-payment": f"/staff/payments/transaction/{payment}/",
        "staff-refund": f"/staff/payments/transaction/{payment}/refund/",
        "staff-rates": "/staff/rates/",
        "credit": "/credit/",
        "together": "/invoices/pay/",
        "bundle": f"/pay/together/{asked.pk}/?gateway=bank_transfer",
        "invoice": f"/invoices/{open_ones[0].pk}/",
        "invoices": "/invoices/",
        "lost": f"/invoices/{lost.pk}/",
        "payments": "/payments/",
    }


@pytest.mark.parametrize("size", SIZES)
def test_every_money_page_fits_and_errs_nowhere(
    log_in: Any, live_server: Any, world: Any, addresses: dict[str, str], size: str
) -> None:
    boss = User.objects.get(email="boss@example.org")
    Membership.objects.filter(client=world.client).delete()
    Membership.objects.create(client=world.client, user=boss, is_owner=True)
    page = log_in(size)

    for name, address in addresses.items():
        answer = page.goto(live_server.url + address)
        width = page.evaluate("document.documentElement.scrollWidth")

        assert (name, answer.status, width <= SIZES[size][0]) == (name, 200, True)
    assert page.troubles == []
