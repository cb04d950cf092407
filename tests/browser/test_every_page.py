"""Every page of staff and of a client is opened once, at desktop and at phone width.

None errs, asks another host, complains in the console or is wider than the screen.
"""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import RequestFactory
from django.urls import reverse

from billing_portal.accounts.models import User
from billing_portal.billables.models import BillableItem
from billing_portal.clients.models import Client, Membership
from billing_portal.clock.reading import now
from billing_portal.invoices.models import CreditNote
from billing_portal.products.models import OptionGroup, Price
from billing_portal.quotes import actions as offers
from billing_portal.quotes.actions import Offer, OfferLine
from billing_portal.quotes.models import Quote
from billing_portal.staff.navigation import sidebar
from billing_portal.workflows import quotes
from tests.browser.test_staff import SIZES, chromium, log_in, world
from tests.staff.world import World
from tests.workflows.money import correct, paid_bill

pytestmark = [pytest.mark.browser, pytest.mark.slow]

__all__ = ["chromium", "log_in", "world"]

STAFF_ALONE = (
    "automation",
    "automation-now",
    "billables",
    "billing-settings",
    "catalogue",
    "convert-prices",
    "datastores",
    "deposits",
    "leaving",
    "quote-new",
    "quotes",
    "rates",
    "tax-rates",
    "tax-report",
)
OF_CLIENT = (
    "billable-new",
    "client-credit",
    "client-forecast",
    "client-merge",
    "client-quote",
    "client-tax",
    "draft-new",
)
OF_SERVICE = ("service-addon", "service-term")
OF_INVOICE = ("invoice-cancel", "invoice-duplicate", "invoice-credit", "invoice-split")
OF_PRODUCT = ("product-duplicate", "product-prices", "product-reprice", "product-retire")
FORMS = (
    "clients_clientfield",
    "clients_clientgroup",
    "products_addon",
    "products_optiongroup",
    "products_product",
    "promotions_promotion",
    "taxes_taxrule",
)
CLIENT_ALONE = (
    "home",
    "catalogue",
    "services",
    "invoices",
    "pay_together",
    "credit",
    "payments",
    "quotes",
    "profile",
    "contacts",
    "new_contact",
    "team",
    "mails",
)


def test_every_staff_page_opens(log_in: Any, live_server: Any, world: World, staged: Quote) -> None:
    open_all(log_in, live_server, staff_pages(world, staged))


def test_every_client_page_opens(
    log_in: Any, live_server: Any, world: World, staged: Quote
) -> None:
    boss = User.objects.get(email="boss@example.org")
    Membership.objects.filter(client=world.client).delete()
    Membership.objects.create(client=world.client, user=boss, is_owner=True)

    open_all(log_in, live_server, client_pages(world, staged))


@pytest.fixture
def staged(world: World) -> Quote:
    """The world with a delivered quote, a billable item and a credit note."""
    Price.objects.filter(product=world.product).update(recurring=Decimal(19))
    correct(paid_bill("30.00", client=world.client, ref="pay_one"), "10.00")
    BillableItem.objects.create(
        client=world.client, description="Help", unit_price=Decimal(80), created_at=now()
    )
    return delivered_quote(world.client)


def delivered_quote(client: Client) -> Quote:
    offer = Offer(
        subject="Telephones",
        lines=[OfferLine("Telephone", Decimal(8), Decimal("89.00"), Decimal(10))],
        valid_until=now().date() + timedelta(days=30),
        client=client,
    )
    quote = offers.write(offer, at=now(), actor=None)
    return quotes.deliver(quote.pk, at=now(), actor=None)


def staff_pages(world: World, quote: Quote) -> list[str]:
    note, item = CreditNote.objects.get(), BillableItem.objects.get()
    return [
        *entries(),
        *(reverse(f"admin:{name}_add") for name in FORMS),
        *(reverse(f"staff:{name}") for name in STAFF_ALONE),
        *of(world.client.pk, OF_CLIENT),
        *of(world.service.pk, OF_SERVICE),
        *of(world.invoice.pk, OF_INVOICE),
        *of(world.product.pk, OF_PRODUCT),
        *of(OptionGroup.objects.get().pk, ["option-prices"]),
        *of(world.payment.pk, ["payment"]),
        *of(note.invoice_id, ["invoice", "invoice-refund"]),
        *of(quote.pk, ["quote", "quote-duplicate", "quote-convert"]),
        *of(item.pk, ["billable-edit", "billable-close"]),
    ]


def client_pages(world: World, quote: Quote) -> list[str]:
    note = CreditNote.objects.get()
    own = [
        ("product", world.product.slug),
        ("order", world.order.pk),
        ("service", world.service.pk),
        ("change", world.service.pk),
        ("cancel", world.service.pk),
        ("invoice", world.invoice.pk),
        ("invoice", note.invoice_id),
        ("quote", quote.pk),
        ("quote_key", quote.access_key),
        ("mail", world.mail.pk),
    ]
    return [
        *(reverse(f"clientarea:{name}") for name in CLIENT_ALONE),
        *(reverse(f"clientarea:{name}", args=[which]) for name, which in own),
    ]


def entries() -> list[str]:
    """Where the lines of the sidebar lead, for somebody who may do everything."""
    request = RequestFactory().get("/staff/")
    request.user = User.objects.get(email="boss@example.org")
    return [line["link"] for group in sidebar(request) for line in group["items"]]


def of(pk: int, names: Iterable[str]) -> list[str]:
    return [reverse(f"staff:{name}", args=[pk]) for name in names]


def open_all(log_in: Any, live_server: Any, addresses: list[str]) -> None:
    """At both widths; what is wrong with any page is told of all at once."""
    wrong = []
    for size, (width, _) in SIZES.items():
        page = log_in(size)
        for address in addresses:
            answer = page.goto(live_server.url + address)
            wide = page.evaluate("document.documentElement.scrollWidth")
            if answer.status != 200 or wide > width or page.troubles:
                wrong.append((size, address, answer.status, wide, list(page.troubles)))
            page.troubles.clear()

    assert wrong == []
