"""What the demo sells besides its products, and a morning of its staff at the desk."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from billing_portal.accounts.models import User
from billing_portal.billables import actions as billables
from billing_portal.billables.models import BillableItem
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client, ClientGroup
from billing_portal.invoices import crediting
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.products.models import Addon, AddonPrice, Cycle, Product, UsagePrice
from billing_portal.promotions.models import Promotion
from billing_portal.quotes import actions as offers
from billing_portal.quotes.actions import Offer, OfferLine
from billing_portal.workflows import credit_notes, quotes
from billing_portal.workflows.demo_catalogue import CURRENCIES

PROMOTION = "WELCOME10"
GROUP = "Health care"
QUOTE_LASTS = timedelta(days=30)


def dress_the_shop() -> None:
    """A promotion, a client group, an add-on, included units and ways to upgrade."""
    Promotion.objects.get_or_create(
        code=PROMOTION,
        defaults={
            "kind": Promotion.Kind.PERCENT,
            "value": Decimal(10),
            "recurring": True,
            "recurs_for": 3,
            "notes": "Ten percent off the order and its first three renewals.",
        },
    )
    ClientGroup.objects.get_or_create(
        name=GROUP, defaults={"discount_percent": Decimal(5), "exempt_from_suspension": True}
    )
    products = {product.slug: product for product in Product.objects.all()}
    products["backup-datastore"].upgrades_to.add(products["managed-backup"])
    products["cloud-pbx-10"].upgrades_to.add(products["cloud-pbx-50"])
    UsagePrice.objects.filter(product=products["managed-backup"], metric="storage").update(
        included=Decimal(500)
    )
    _addon([products["backup-datastore"], products["managed-backup"]])


def work_at_the_desk(*, staff: User, late: Client, good: Client, at: datetime) -> None:
    """What staff write by hand: a quote, a billable item and a credit note."""
    today = local_date(at, settings.SELLER_TIMEZONE)
    quote = offers.write(
        Offer(
            subject="Telephones for the new office",
            lines=[
                OfferLine("Desk telephone", Decimal(8), Decimal("89.00"), Decimal(10)),
                OfferLine("Set-up on site, per hour", Decimal(6), Decimal("85.00")),
            ],
            valid_until=today + QUOTE_LASTS,
            client=good,
            proposal="Everything ready on the day you move in.",
            deposit_percent=Decimal(30),
        ),
        at=at,
        actor=staff,
    )
    quotes.deliver(quote.pk, at=at, actor=staff)
    item = BillableItem(
        client=late,
        description="Help with the move of the old archive",
        quantity=Decimal("2.5"),
        unit="hours",
        unit_price=Decimal("80.00"),
        billing=BillableItem.Billing.NEXT_INVOICE,
        created_at=at,
    )
    billables.save(item, at=at, actor=staff)
    _credit_last_paid(good, staff=staff, at=at)


def _credit_last_paid(client: Client, *, staff: User, at: datetime) -> None:
    paid = Invoice.objects.filter(client=client, status=InvoiceStatus.PAID).order_by("pk").last()
    if not paid:
        return
    credit_notes.credit_invoice(
        paid.pk,
        lambda invoice: crediting.correct_by(invoice, Decimal("5.95")),
        reason="The telephones were out of reach for an hour.",
        request_key="demo-credit-note",
        at=at,
        actor=staff,
    )


def _addon(products: list[Product]) -> None:
    addon, made = Addon.objects.get_or_create(
        slug="second-site",
        defaults={
            "name": "Copy at a second site",
            "description": "Everything once more, in another city.",
        },
    )
    if not made:
        return
    addon.products.set(products)
    for currency, factor in CURRENCIES.items():
        for cycle, recurring in ((Cycle.MONTHLY, "12.00"), (Cycle.ANNUAL, "129.60")):
            AddonPrice.objects.create(
                addon=addon,
                currency=currency,
                cycle=cycle,
                recurring=Decimal(recurring) * factor,
                setup_fee=Decimal(0),
            )
