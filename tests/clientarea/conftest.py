"""A customer with one of everything, at noon on 20 November 2026."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.test import Client as Browser

from backups.models import Datastore, SizeSpan
from backups.spans import Source
from billing_portal.accounts.models import User
from billing_portal.clients.models import Client, Contact
from billing_portal.invoices.models import Invoice
from billing_portal.mail import actions as mail
from billing_portal.orders.models import Order, OrderItem
from billing_portal.services.models import Service
from pbx.models import Call
from provisioning.models import Placement
from tests.factories import (
    CALL_EVIDENCE,
    make_charge,
    make_client,
    make_invoice,
    make_placement,
    make_product,
    make_service,
    make_user,
    utc,
)

GB = 10**9
NOW = utc(2026, 11, 20, 12)
SECRET = "s3cret-of-the-datastore"
FINGERPRINT = ":".join(["64", "d3"] * 16)


@dataclass(slots=True)
class Household:
    """A client, its owner, and one row of each kind the pages are about."""

    owner: User
    client: Client
    backup: Service
    pbx: Service
    invoice: Invoice
    order: Order
    contact: Contact
    mail_pk: int


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def household(db: None) -> Household:
    owner = make_user("ann@acme.example", name="Ann Smith", password="correct horse 99")
    client = make_client(owner=owner, email="billing@acme.example")
    backup, pbx = make_backup(client), make_pbx(client)
    charges = [make_charge(backup), make_call_charge(pbx)]
    invoice = make_invoice(client, charges=charges, advance={pbx: "19.00"})
    order = make_order(client, backup, invoice)
    contact = Contact.objects.create(client=client, name="Bo Books", email="books@acme.example")
    sent = mail.send(
        "order_placed",
        to=client.email,
        copies=[],
        key="1",
        context={
            "client": "Acme",
            "order": "77",
            "items": "Box",
            "next_step": "Wait.",
            "path": "/",
        },
        at=NOW,
        client_id=client.pk,
    )
    return Household(owner, client, backup, pbx, invoice, order, contact, sent.pk)


@pytest.fixture
def browser(household: Household) -> Browser:
    """A browser in which the owner is logged in."""
    return browser_of(household.owner)


def browser_of(user: User) -> Browser:
    browser = Browser()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def make_backup(client: Client, **fields: object) -> Service:
    """An active datastore: 500 GB for the first 200 hours of November, 1000 GB since."""
    service = make_service(
        client,
        product=make_product(
            module_key="remote_backups", name="Backup datastore", usage={"storage": "10"}
        ),
        spec={"size_gb": 500, "name_prefix": "backup"},
        usage={"storage": "10"},
        **{"label": "Office", "created_at": utc(2026, 11, 1), **fields},
    )
    make_placement(
        service,
        credentials={
            "host": "fra1-1.vendor.example",
            "port": 8007,
            "username": "u1@pbs",
            "password": SECRET,
            "datastore": "678b9f3a",
            "fingerprint": FINGERPRINT,
        },
    )
    add_sizes(service, [(utc(2026, 11, 1), 500), (utc(2026, 11, 9, 8), 1000)])
    return service


def add_sizes(service: Service, sizes: list[tuple[datetime, int]]) -> None:
    """A datastore whose sizes were seen to start at these moments, last seen at noon."""
    placement = Placement.objects.get(service=service)
    datastore = Datastore.objects.create(
        server=placement.server,
        remote_id=placement.remote_id,
        service=service,
        name="backup-1",
        size_bytes=sizes[-1][1] * GB,
        used_bytes=740 * GB,
        first_seen_at=sizes[0][0],
        last_seen_at=NOW,
    )
    ends = [starts_at for starts_at, _ in sizes[1:]]
    for (starts_at, size_gb), ends_at in zip(sizes, [*ends, None], strict=True):
        SizeSpan.objects.create(
            datastore=datastore,
            size_bytes=size_gb * GB,
            starts_at=starts_at,
            first_seen_at=starts_at,
            last_seen_at=ends_at or NOW,
            ends_at=ends_at,
            source=Source.LOG,
        )


def make_pbx(client: Client, **fields: object) -> Service:
    """An active PBX with two extensions and two calls in November, 0.37 together."""
    product = make_product(
        module_key="fusionpbx",
        name="Cloud PBX",
        recurring="19",
        module_settings={
            "extensions": 2,
            "max_extensions": 5,
            "first_extension": 1001,
            "domain_suffix": "pbx.example",
            "tariff": "standard",
        },
    )
    service = make_service(
        client,
        product=product,
        recurring="19",
        spec={
            "label": "acme",
            "extensions": 2,
            "first_extension": 1001,
            "domain_suffix": "pbx.example",
        },
        **fields,
    )
    phones = [
        {"number": number, "name": f"Desk {number}", "password": f"sip-secret-{number}"}
        for number in ("1001", "1002")
    ]
    placement = make_placement(
        service,
        credentials={"domain": "acme.pbx.example", "proxy": "pbx.example", "extensions": phones},
    )
    add_call(placement, "4915112345678", at=utc(2026, 11, 20, 9), micros=356_000)
    add_call(placement, "49301234567", at=utc(2026, 11, 19, 9), micros=15_000)
    return service


def add_call(placement: Placement, destination: str, *, at: datetime, micros: int) -> Call:
    """A rated outbound call of two minutes."""
    return Call.objects.create(
        server=placement.server,
        uuid=uuid4(),
        service=placement.service,
        extension_number="1001",
        direction=Call.Direction.OUTBOUND,
        leg="a",
        caller="1001",
        destination=destination,
        destination_digits=destination,
        started_at=at,
        answered_at=at,
        ended_at=at,
        billsec=118,
        rating=Call.Rating.RATED,
        prefix="49",
        rate_description="Germany",
        billed_s=120,
        amount_micros=micros,
        explanation={
            "rule": "prefix",
            "tariff": "standard",
            "rate_per_minute": "0.178",
            "minimum_s": 60,
            "increment_s": 60,
            "connection_fee": "0",
        },
        imported_at=at,
    )


def make_call_charge(service: Service) -> object:
    charge = make_charge(
        service,
        metric="calls",
        description="Calls: 3, 6 min",
        quantity=Decimal(6),
        unit="min",
        unit_price=None,
        amount=Decimal("0.37"),
        evidence=CALL_EVIDENCE,
    )
    Call.objects.filter(service=service).update(charge=charge)
    return charge


def make_order(client: Client, service: Service, invoice: Invoice | None = None) -> Order:
    order = Order.objects.create(
        number=f"70000{service.pk}",
        client=client,
        submission_key=f"key-{service.pk}",
        payment_method="test",
        currency="EUR",
        total=invoice.total if invoice else Decimal(0),
        invoice=invoice,
        placed_at=NOW,
    )
    OrderItem.objects.create(order=order, product=service.product, service=service, cycle="monthly")
    return order
