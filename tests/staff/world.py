"""One of everything the dashboard shows, so that no page is tested empty."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import count

from allauth.mfa.models import Authenticator
from post_office.models import STATUS, Email

from backups.models import AccountCost, Datastore, SizeSpan
from billing_portal.accounts.actions import ensure_staff_roles
from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.clients.models import Client, ClientField, Contact
from billing_portal.invoices.models import Charge, Invoice, InvoiceLine
from billing_portal.mail.actions import ensure_templates
from billing_portal.mail.models import ClientMail
from billing_portal.orders.models import Order, OrderItem
from billing_portal.payments.models import Allocation, Transaction, WebhookEvent
from billing_portal.products.models import Choice, Option, OptionGroup, Product
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.taxes.models import TaxIdCheck, TaxRule
from pbx.models import Call, Tariff, TariffRate, Tenant
from provisioning.models import Job, ModuleLog, Placement, Server
from tests.factories import (
    AT,
    make_addon,
    make_client,
    make_client_group,
    make_placement,
    make_product,
    make_promotion,
    make_server,
    make_service,
    make_service_addon,
    make_user,
)

_numbers = count(1)
SECRET = "hunter2-never-shown"


@dataclass(frozen=True, slots=True)
class World:
    user: User
    client: Client
    product: Product
    server: Server
    service: Service
    placement: Placement
    job: Job
    exchange: ModuleLog
    order: Order
    waiting: Service
    invoice: Invoice
    charge: Charge
    payment: Transaction
    event: WebhookEvent
    mail: ClientMail
    datastore: Datastore
    tariff: Tariff
    call: Call


def make_world() -> World:
    """Another one of everything: an active service that failed to resize, and what is around it."""
    number = next(_numbers)
    ensure_staff_roles()
    ensure_templates()
    user = make_user(name=f"Owner {number}")
    group = make_client_group(f"Partners {number}", discount_percent="10")
    client = make_client(
        owner=user,
        group=group,
        company_name=f"Company {number}",
        notes="Call in the morning.",
        billing_problem="Service 7 has no agreed price.",
    )
    Contact.objects.create(client=client, name="Kim", email=f"kim{number}@example.org")
    Authenticator.objects.create(user=user, type="totp", data={"secret": SECRET})
    product = make_product(recurring="19", usage={"traffic": "10"}, name=f"Box {number}")
    server = make_server(
        credentials={"token": SECRET}, paused_until=AT + timedelta(days=9000), pause_reason="down"
    )
    promotion = make_promotion(f"WORLD-{number}", value="20", recurring=True)
    service = make_service(
        client,
        product=product,
        recurring="19",
        usage={"traffic": "10"},
        promotion=promotion,
        discount_amount=Decimal("3.80"),
    )
    make_service_addon(service, make_addon(product, "5", name=f"Snapshots {number}"))
    placement = make_placement(
        service,
        server=server,
        credentials={"user": "acc", "password": SECRET},
        details={"host": "box.example.net", "is_on": True, "nested": {"a": 1}},
    )
    job = Job.objects.create(
        service=service,
        kind=Job.Kind.RESIZE,
        spec={"size": 7},
        request_key=f"world-{number}",
        status=Job.Status.FAILED,
        due_at=AT,
        attempts=3,
        last_error="The vendor said no.",
        created_at=AT,
        started_at=AT,
        finished_at=AT + timedelta(seconds=2),
    )
    exchange = ModuleLog.objects.create(
        at=AT,
        server=server,
        job=job,
        service=service,
        action=f"PATCH /boxes/{number}",
        request={"size": 7},
        response={"error": "no"},
        status=422,
        duration_ms=12,
    )
    invoice, charge = _invoice(client, service, number)
    order, waiting = _order(client, user, product, invoice, number)
    payment = Transaction.objects.create(
        client=client,
        gateway="bank_transfer",
        external_id=f"SEPA {number}",
        amount=Decimal("30"),
        currency="EUR",
        received_at=AT,
    )
    Allocation.objects.create(
        transaction=payment, invoice=invoice, amount=Decimal("10"), allocated_at=AT
    )
    event = WebhookEvent.objects.create(
        gateway="test", event_id=f"evt-{number}", body={}, received_at=AT, problem="No invoice."
    )
    mail = _mail(client, invoice)
    datastore, tariff, call = _usage(service, server, number)
    _rules(client, product, number)
    audit.record(
        "service.changed", service, summary="Changed", at=AT, actor=user, client_id=client.pk
    )
    return World(
        user=user,
        client=client,
        product=product,
        server=server,
        service=service,
        placement=placement,
        job=job,
        exchange=exchange,
        order=order,
        waiting=waiting,
        invoice=invoice,
        charge=charge,
        payment=payment,
        event=event,
        mail=mail,
        datastore=datastore,
        tariff=tariff,
        call=call,
    )


def _rules(client: Client, product: Product, number: int) -> None:
    """What an operator sets up once: questions, options and taxes."""
    ClientField.objects.create(key=f"trade-{number}", label="Trade", position=number)
    options = OptionGroup.objects.create(name=f"Sizes {number}")
    options.products.add(product)
    size = Option.objects.create(group=options, key="size", name="Size", kind=Option.Kind.RADIO)
    Choice.objects.create(option=size, key="large", name="Large")
    TaxRule.objects.create(name="VAT", country="DE", state=f"State {number}", percent=Decimal(19))
    TaxIdCheck.objects.create(
        client=client, tax_id="DE123456788", answer=TaxIdCheck.Answer.VALID, checked_at=AT
    )


def add_more_to(world: World) -> None:
    """One more of whatever the pages of this world list."""
    number = next(_numbers)
    _invoice(world.client, make_service(world.client, product=world.product), number)
    order, _ = _order(world.client, world.user, world.product, world.invoice, number)
    OrderItem.objects.filter(order=order).update(order=world.order)
    Contact.objects.create(client=world.client, name="Lee", email=f"lee{number}@example.org")
    line = world.invoice.lines.get(position=1)
    line.pk, line.position, line.period_start = None, number + 2, date(2027, 1, number % 28 + 1)
    line.save()
    _mail(world.client, world.invoice, number)
    for row in (world.job, world.exchange, world.call):
        again = type(row).objects.get(pk=row.pk)
        again.pk = None
        if isinstance(again, Job):
            again.request_key = f"more-{number}"
        if isinstance(again, Call):
            again.uuid = f"00000000-0000-0000-0001-{number:012}"
        again.save()
    audit.record("service.changed", world.service, summary="More", at=AT, client_id=world.client.pk)


def _invoice(client: Client, service: Service, number: int) -> tuple[Invoice, Charge]:
    invoice = Invoice.objects.create(
        client=client,
        number=f"INV-2026-{number:05}",
        currency="EUR",
        issued_at=AT,
        issue_date=date(2026, 11, 1),
        due_date=date(2026, 11, 15),
        net_total=Decimal("29"),
        total=Decimal("29"),
        paid_amount=Decimal("10"),
        seller={"name": "Seller", "address": "Street 1"},
        buyer={"name": str(client), "address": "Street 2", "tax_id": ""},
    )
    charge = Charge.objects.create(
        client=client,
        service=service,
        key=f"traffic:{service.pk}",
        metric="traffic",
        description="Traffic in October",
        starts_at=AT - timedelta(days=31),
        ends_at=AT,
        quantity=Decimal("1"),
        unit="TB",
        unit_price=Decimal("10"),
        amount=Decimal("10"),
        currency="EUR",
        evidence={"quantity": "1"},
        created_at=AT,
    )
    for position, (kind, found) in enumerate(
        [(InvoiceLine.Kind.RECURRING, None), (InvoiceLine.Kind.USAGE, charge)], start=1
    ):
        InvoiceLine.objects.create(
            invoice=invoice,
            position=position,
            kind=kind,
            service=service,
            charge=found,
            description=f"Line {position}",
            period_start=date(2026, 11, 1),
            period_end=date(2026, 12, 1),
            amount=Decimal("19") if found is None else Decimal("10"),
        )
    return invoice, charge


def _order(
    client: Client, user: User, product: Product, invoice: Invoice, number: int
) -> tuple[Order, Service]:
    """An order nothing is owed for, of one service that waits for staff."""
    waiting = make_service(
        client, product=product, status=ServiceStatus.PENDING, label=f"Waiting {number}"
    )
    order = Order.objects.create(
        number=f"ORD{number:05}",
        client=client,
        placed_by=user,
        submission_key=f"world-{number}",
        currency="EUR",
        total=Decimal(0),
        payment_method="bank_transfer",
        placed_at=AT,
    )
    OrderItem.objects.create(order=order, product=product, service=waiting, cycle="monthly")
    return order, waiting


def _mail(client: Client, invoice: Invoice, number: int = 0) -> ClientMail:
    email = Email.objects.create(
        from_email="billing@example.org",
        to=[client.email],
        subject=f"Invoice {invoice.number}",
        message="Dear client",
        html_message="<p>Dear <b>client</b></p>",
        status=STATUS.failed,
    )
    return ClientMail.objects.create(
        email=email,
        key=f"invoice_issued:{invoice.pk}" + (f"-{number}" if number else ""),
        template="invoice_issued",
        client_ref=client.pk,
        at=AT,
    )


def _usage(service: Service, server: Server, number: int) -> tuple[Datastore, Tariff, Call]:
    datastore = Datastore.objects.create(
        server=server,
        remote_id=f"store-{number}",
        service=service,
        name=f"store-{number}",
        size_bytes=500 * 10**9,
        used_bytes=100 * 10**9,
        first_seen_at=AT,
        last_seen_at=AT,
    )
    AccountCost.objects.create(server=server, price_per_1000gb=Decimal("5"), currency="EUR")
    SizeSpan.objects.create(
        datastore=datastore,
        size_bytes=500 * 10**9,
        starts_at=AT,
        first_seen_at=AT,
        last_seen_at=AT,
        source="poll",
    )
    tariff = Tariff.objects.create(slug=f"tariff-{number}", currency="EUR", name="World")
    TariffRate.objects.create(tariff=tariff, prefix="49", rate_per_minute=Decimal("0.01"))
    tenant = Tenant.objects.create(
        server=server, remote_id=f"tenant-{number}", domain="a.example", service=service
    )
    call = Call.objects.create(
        server=server,
        uuid=f"00000000-0000-0000-0000-{number:012}",
        service=service,
        tenant=tenant,
        extension_number="1001",
        direction=Call.Direction.OUTBOUND,
        caller="1001",
        destination="+999123",
        destination_digits="999123",
        started_at=AT,
        answered_at=AT,
        ended_at=AT + timedelta(seconds=61),
        billsec=61,
        rating=Call.Rating.UNRATED,
        explanation={"rule": "no_prefix", "tariff": "World", "digits": "999123"},
        imported_at=AT,
    )
    return datastore, tariff, call
