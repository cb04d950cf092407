"""What the demo portal sells, and the sandboxes that deliver it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib.resources import files
from io import StringIO
from typing import Any

from django.conf import settings
from django.core.management import call_command

from billing_portal.products.models import (
    Choice,
    ChoicePrice,
    Cycle,
    Option,
    OptionGroup,
    Price,
    Product,
    ProductGroup,
    UsagePrice,
)
from billing_portal.taxes import actions as taxes
from billing_portal.taxes.models import TaxSettings
from billing_portal.taxes.rates import PRESETS
from provisioning.models import Server

SANDBOX_TOKEN = "sandbox-token"
TARIFF = "standard"


@dataclass(frozen=True, slots=True)
class Offer:
    """A product with its prices in EUR; USD is a tenth more."""

    group: str
    slug: str
    name: str
    tagline: str
    features: str
    module_key: str
    module_settings: dict[str, Any]
    setup_fee: str
    recurring: dict[str, str]
    storage_price: str = ""


GROUPS = {
    "backup-storage": ("Backup storage", "Proxmox Backup Server datastores, billed to the hour."),
    "hosted-pbx": ("Hosted PBX", "Your own telephone system, with calls billed to the second."),
}

OFFERS = (
    Offer(
        group="backup-storage",
        slug="backup-datastore",
        name="Backup datastore",
        tagline="Pay for the size that stood, hour by hour.",
        features="From 500 GB to 10 TB\nGrows by itself when it fills up\nNo monthly base fee",
        module_key="remote_backups",
        module_settings={
            "size_gb": 500,
            "min_size_gb": 500,
            "max_size_gb": 10_000,
            "name_prefix": "backup",
        },
        setup_fee="5.00",
        recurring={Cycle.MONTHLY: "0"},
        storage_price="10.00",
    ),
    Offer(
        group="backup-storage",
        slug="managed-backup",
        name="Managed backup",
        tagline="The datastore, and we watch over it.",
        features="All of Backup datastore\nRestores tested every month\nHelp within the hour",
        module_key="remote_backups",
        module_settings={
            "size_gb": 1000,
            "min_size_gb": 500,
            "max_size_gb": 10_000,
            "name_prefix": "managed",
        },
        setup_fee="0",
        recurring={Cycle.MONTHLY: "29.00", Cycle.ANNUAL: "313.00"},
        storage_price="9.00",
    ),
    Offer(
        group="hosted-pbx",
        slug="cloud-pbx-10",
        name="Cloud PBX 10",
        tagline="Up to ten extensions for a small office.",
        features="Up to 10 extensions\nVoicemail for everyone\nCalls rated by the second",
        module_key="fusionpbx",
        module_settings={
            "extensions": 5,
            "max_extensions": 10,
            "first_extension": 1001,
            "domain_suffix": "pbx.example",
            "tariff": TARIFF,
        },
        setup_fee="0",
        recurring={Cycle.MONTHLY: "19.00", Cycle.ANNUAL: "205.00"},
    ),
    Offer(
        group="hosted-pbx",
        slug="cloud-pbx-50",
        name="Cloud PBX 50",
        tagline="Room for a company that calls all day.",
        features="Up to 50 extensions\nVoicemail for everyone\nCalls rated by the second",
        module_key="fusionpbx",
        module_settings={
            "extensions": 12,
            "max_extensions": 50,
            "first_extension": 1001,
            "domain_suffix": "pbx.example",
            "tariff": TARIFF,
        },
        setup_fee="25.00",
        recurring={Cycle.MONTHLY: "79.00", Cycle.ANNUAL: "853.00"},
    ),
)

OPTIONS = (
    ("weekly-test", "Restore test every week", Option.Kind.YES_NO, 1, "15.00"),
    ("support-hours", "Hours of help a month", Option.Kind.QUANTITY, 10, "80.00"),
)
"""Key, name, kind, most units and EUR per month; a year costs eleven months."""

CURRENCIES = {"EUR": Decimal(1), "USD": Decimal("1.1")}


def stock_the_shop() -> None:
    """Servers, tariff, groups, products and prices of the demo; what is there is kept."""
    _servers()
    tariff = str(files("pbx").joinpath("demo_tariff.csv"))
    for currency in CURRENCIES:
        call_command(
            "import_tariff", file=tariff, slug=TARIFF, currency=currency, stdout=StringIO()
        )
    for position, (slug, (name, headline)) in enumerate(GROUPS.items()):
        ProductGroup.objects.get_or_create(
            slug=slug, defaults={"name": name, "headline": headline, "position": position}
        )
    for position, offer in enumerate(OFFERS):
        _offer(offer, position)
    _options()


def charge_vat(*, at: datetime) -> None:
    """The seller is in Germany and charges VAT by the EU's rules."""
    TaxSettings.objects.update_or_create(
        pk=1, defaults={"enabled": True, "eu_vat": True, "seller_country": "DE"}
    )
    taxes.load_rates(PRESETS["eu"], actor=None, at=at)


def _servers() -> None:
    for module_key, name, url in (
        ("remote_backups", "Backup sandbox", settings.SANDBOX_BACKUPS_URL),
        ("fusionpbx", "PBX sandbox", settings.SANDBOX_PBX_URL),
    ):
        Server.objects.get_or_create(
            name=name,
            defaults={
                "module_key": module_key,
                "base_url": url,
                "credentials": {"token": SANDBOX_TOKEN},
                "is_default": True,
                "notes": "A stand-in served by the portal itself.",
            },
        )


def _options() -> None:
    """What can be added to the managed backup; nothing of it must be chosen."""
    group, made = OptionGroup.objects.get_or_create(name="Managed backup")
    if not made:
        return
    group.products.add(Product.objects.get(slug="managed-backup"))
    for position, (key, name, kind, maximum, recurring) in enumerate(OPTIONS):
        option = Option.objects.create(
            group=group, key=key, name=name, kind=kind, maximum=maximum, position=position
        )
        choice = Choice.objects.create(option=option, key=key, name=name)
        for currency, factor in CURRENCIES.items():
            for cycle, months in ((Cycle.MONTHLY, 1), (Cycle.ANNUAL, 11)):
                amount = Decimal(recurring) * months * factor
                ChoicePrice.objects.create(
                    choice=choice, currency=currency, cycle=cycle, recurring=amount
                )


def _offer(offer: Offer, position: int) -> None:
    product, made = Product.objects.get_or_create(
        slug=offer.slug,
        defaults={
            "group": ProductGroup.objects.get(slug=offer.group),
            "name": offer.name,
            "tagline": offer.tagline,
            "description": offer.features,
            "module_key": offer.module_key,
            "module_settings": offer.module_settings,
            "position": position,
        },
    )
    if not made:
        return
    for currency, factor in CURRENCIES.items():
        for cycle, recurring in offer.recurring.items():
            Price.objects.create(
                product=product,
                currency=currency,
                cycle=cycle,
                recurring=Decimal(recurring) * factor,
                setup_fee=Decimal(offer.setup_fee) * factor,
            )
        if offer.storage_price:
            UsagePrice.objects.create(
                product=product,
                currency=currency,
                metric="storage",
                price=Decimal(offer.storage_price) * factor,
            )
