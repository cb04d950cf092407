"""Who lives in the demo portal: one administrator and three customers with their habits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from billing_portal.accounts.actions import ensure_staff_roles
from billing_portal.accounts.models import User
from billing_portal.clients.actions import register_client
from billing_portal.clients.models import Client, ClientGroup
from billing_portal.mail.actions import ensure_templates
from billing_portal.orders.models import Order
from billing_portal.products.models import Addon, Cycle, Product
from billing_portal.taxes import queries as taxes
from billing_portal.taxes.actions import record_answer
from billing_portal.taxes.models import TaxIdCheck
from billing_portal.taxes.supply import IdState
from billing_portal.workflows.order_terms import AddonRequest
from billing_portal.workflows.place_order import OrderRequest, place_order

PASSWORD = "demo-portal-2026"
ADMIN_EMAIL = "admin@demo.example"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a customer orders: the product's slug, the answers on its form, add-ons' slugs."""

    product: str
    answers: Mapping[str, Any]
    label: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    addons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Customer:
    """`orders_on_day` counts from the first day of the play."""

    email: str
    name: str
    profile: Mapping[str, str]
    wishes: tuple[Wish, ...]
    orders_on_day: int
    method: str = "test"
    pays_orders: bool = True
    pays_invoices: bool = True
    group: str = ""
    promotion: str = ""


@dataclass(frozen=True, slots=True)
class Play:
    """How many days the demo looks back on, and who is in it."""

    days: int
    customers: tuple[Customer, ...] = field(default_factory=tuple)


ANNA = Customer(
    email="anna@alder.example",
    name="Anna Alder",
    profile={
        "company_name": "Alder & Finch Studio",
        "address1": "Lindenallee 8",
        "city": "Hamburg",
        "postcode": "20259",
        "country": "DE",
        "tax_id": "DE111111111",
        "phone": "+49 40 5550 100",
    },
    wishes=(
        Wish("backup-datastore", {"size_gb": 500}, "Studio archive"),
        Wish("cloud-pbx-10", {"label": "Alder Finch", "extensions": 5}),
    ),
    orders_on_day=0,
)
BEN = Customer(
    email="ben@borealis.example",
    name="Ben Borg",
    profile={
        "company_name": "Borealis Clinic",
        "address1": "Keizersgracht 12",
        "city": "Amsterdam",
        "postcode": "1015 CS",
        "country": "NL",
        "tax_id": "NL123456789B01",
        "phone": "+31 20 555 0101",
    },
    wishes=(
        Wish(
            "managed-backup",
            {"size_gb": 2000},
            "Patient records",
            options={"weekly-test": "on", "support-hours": "1"},
            addons=("second-site",),
        ),
        Wish("cloud-pbx-50", {"label": "Borealis", "extensions": 12}),
    ),
    orders_on_day=1,
    pays_invoices=False,
    group="Health care",
)
CARLA = Customer(
    email="carla@cascade.example",
    name="Carla Cruz",
    profile={
        "company_name": "Cascade Logistics",
        "address1": "Rua do Cais 3",
        "city": "Porto",
        "postcode": "4050-322",
        "country": "PT",
        "phone": "+351 22 555 0102",
    },
    wishes=(Wish("backup-datastore", {"size_gb": 800}, "Warehouse NAS"),),
    orders_on_day=47,
    method="bank_transfer",
    pays_orders=False,
    promotion="WELCOME10",
)

DEMO = Play(days=48, customers=(ANNA, BEN, CARLA))

LOGINS = (
    ("Staff", ADMIN_EMAIL, PASSWORD),
    ("Customer", ANNA.email, PASSWORD),
    ("Customer who owes", BEN.email, PASSWORD),
    ("Customer with an open order", CARLA.email, PASSWORD),
)
"""What to type where: who, e-mail address, password."""


def hire_staff() -> User:
    """The administrator, the staff roles and the mail templates; what is there is kept."""
    ensure_staff_roles()
    ensure_templates()
    known = User.objects.filter(email=ADMIN_EMAIL).first()
    return known or User.objects.create_superuser(ADMIN_EMAIL, PASSWORD, name="Demo Admin")


def enter(customer: Customer, *, at: datetime) -> Client:
    """The customer's user and client; a second time, the same."""
    known = Client.objects.filter(email=customer.email).first()
    if known:
        return known
    first, last = customer.name.split(" ", 1)
    user = User.objects.create_user(customer.email, PASSWORD, name=customer.name)
    profile = {
        "first_name": first,
        "last_name": last,
        "email": customer.email,
        "currency": "EUR",
        **customer.profile,
    }
    client = register_client(owner=user, profile=profile, at=at)
    client.group = ClientGroup.objects.filter(name=customer.group).first()
    client.save(update_fields=["group"])
    return client


def confirm_vat_id(client: Client, *, at: datetime) -> None:
    """Somebody looked up the id of a business elsewhere in the EU: the demo asks no register."""
    if taxes.standing(client).state == IdState.UNCHECKED and taxes.asks_register_about(
        str(client.country)
    ):
        record_answer(
            client,
            answer=TaxIdCheck.Answer.VALID,
            consultation="DEMO",
            actor=User.objects.get(email=ADMIN_EMAIL),
            at=at,
        )


def order(customer: Customer, client: Client, *, at: datetime) -> Order:
    """Everything the customer wishes, in one order; a second time, the same order."""
    products = {p.slug: p.pk for p in Product.objects.all()}
    addons = {addon.slug: addon.pk for addon in Addon.objects.all()}
    return place_order(
        client=client,
        placed_by=User.objects.get(email=customer.email),
        items=[
            OrderRequest(
                products[wish.product],
                Cycle.MONTHLY,
                wish.label,
                wish.answers,
                options=wish.options,
                addons=[AddonRequest(addons[slug]) for slug in wish.addons],
            )
            for wish in customer.wishes
        ],
        payment_method=customer.method,
        submission_key=f"demo-{customer.email}",
        at=at,
        promotion_code=customer.promotion,
    )
