"""Money arrives: booked once, whatever else goes wrong, and what it bought starts once."""

from decimal import Decimal

import pytest

from billing_portal.audit.models import Entry
from billing_portal.invoices.models import Invoice
from billing_portal.mail.models import ClientMail
from billing_portal.payments.actions import PaymentRefused
from billing_portal.payments.models import Allocation, CreditEntry, Transaction
from billing_portal.products.models import Product
from billing_portal.services.models import Service
from billing_portal.workflows import start_services
from provisioning.actions import ServiceNotReady
from provisioning.models import Job, Server
from tests.factories import (
    make_invoice,
    make_product,
    make_server,
    make_user,
    utc,
)
from tests.workflows.paying import LATER, jobs, make_order, pay, state

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendor(vendor):
    make_server()


@pytest.fixture
def invoice():
    return make_order().invoice


def thanks(payment):
    mail = ClientMail.objects.get(key=f"payment_received:{payment.pk}").email
    return mail.message.split("\n\n")[1]


def credit_of(client):
    """The balance on the client, and every movement with the payment it came from."""
    client.refresh_from_db()
    moved = CreditEntry.objects.filter(client=client).order_by("pk")
    entries = [(one.kind, f"{one.amount:.2f}", one.transaction_id) for one in moved]
    return f"{client.credit_balance:.2f}", entries


# --- How much -----------------------------------------------------------------------------


def test_the_exact_amount_settles_the_invoice_and_starts_what_it_bought(invoice):
    payment = pay(invoice, actor=make_user(name="Sam Staff"), note="statement 12")

    assert state(invoice) == ("paid", "29.95", LATER)
    service = Service.objects.get()
    assert jobs() == [(service.pk, "create", f"create:{service.pk}")]
    assert (payment.amount, payment.currency, payment.note) == (
        Decimal("29.95"),
        "EUR",
        "statement 12",
    )
    assert (payment.client, payment.received_at) == (invoice.client, utc(2026, 11, 2))
    assert thanks(payment) == (
        "thank you. Your payment of €29.95 for invoice INV-2026-00001 has arrived. "
        "It is paid in full."
    )
    entry = Entry.objects.get(action="payment.received")
    assert (entry.summary, entry.actor_name, entry.client_ref) == (
        "€29.95 received for INV-2026-00001 by bank_transfer (ref-1)",
        "Sam Staff",
        invoice.client_id,
    )


def test_a_part_leaves_the_rest_to_pay_and_starts_nothing(invoice):
    payment = pay(invoice, "10.00")

    assert state(invoice) == ("unpaid", "10.00", None)
    assert jobs() == []
    assert thanks(payment).endswith("€19.95 remain to be paid.")


def test_the_last_part_settles_it(invoice):
    pay(invoice, "10.00", ref="one")
    pay(invoice, "19.95", ref="two")

    assert state(invoice) == ("paid", "29.95", LATER)
    assert len(jobs()) == 1
    assert [f"{part.amount:.2f}" for part in Allocation.objects.all()] == ["10.00", "19.95"]


def test_what_is_paid_too_much_becomes_credit(invoice):
    payment = pay(invoice, "50.00")

    assert state(invoice) == ("paid", "29.95", LATER)
    assert Allocation.objects.get().amount == Decimal("29.95")
    assert credit_of(invoice.client) == ("20.05", [("overpayment", "20.05", payment.pk)])
    assert thanks(payment).endswith(
        "It is paid in full. The €20.05 beyond it are your credit, which pays your next invoices."
    )


def test_a_payment_of_a_paid_invoice_becomes_credit_whole(invoice):
    pay(invoice, ref="one")
    second = pay(invoice, ref="two")

    assert state(invoice) == ("paid", "29.95", LATER)
    assert second.allocations.count() == 0
    assert len(jobs()) == 1
    assert credit_of(invoice.client) == ("29.95", [("overpayment", "29.95", second.pk)])
    assert second.problem == ""


def test_money_for_a_cancelled_invoice_is_kept_as_credit_and_staff_look_at_it(invoice):
    Invoice.objects.update(status="cancelled")

    payment = pay(invoice)

    assert state(invoice) == ("cancelled", "0.00", None)
    assert (payment.allocations.count(), jobs()) == (0, [])
    assert credit_of(invoice.client) == ("29.95", [("overpayment", "29.95", payment.pk)])
    assert payment.problem == (
        "Paid for INV-2026-00001, which is cancelled. The money is kept as credit."
    )
    assert thanks(payment).endswith(
        "That invoice was cancelled, so €29.95 are your credit now: it pays your next invoices, "
        "or we send it back if you ask."
    )


def test_money_for_an_invoice_in_collections_settles_it(invoice):
    Invoice.objects.update(status="collections")

    pay(invoice)

    assert state(invoice) == ("paid", "29.95", LATER)


def test_a_draft_takes_no_money(invoice):
    Invoice.objects.update(status="draft")

    with pytest.raises(PaymentRefused, match="is not issued, so it cannot be paid"):
        pay(invoice)

    assert not Transaction.objects.exists()


# --- Once ---------------------------------------------------------------------------------


def test_the_same_payment_told_twice_counts_once(invoice):
    first = pay(invoice)

    assert pay(invoice) == first
    assert (Transaction.objects.count(), Allocation.objects.count()) == (1, 1)
    assert len(jobs()) == 1
    assert ClientMail.objects.filter(template="payment_received").count() == 1
    assert Entry.objects.filter(action="payment.received").count() == 1


def test_the_same_part_told_twice_counts_once(invoice):
    pay(invoice, "10.00")
    pay(invoice, "10.00")

    assert state(invoice) == ("unpaid", "10.00", None)


def test_the_same_reference_at_another_gateway_is_another_payment(invoice):
    pay(invoice, "10.00", gateway="bank_transfer")
    pay(invoice, "19.95", gateway="test")

    assert state(invoice)[0] == "paid"


@pytest.mark.parametrize(
    "change", [{"amount": "20.00"}, {"invoice": "another client's"}, {"invoice": "the same's"}]
)
def test_a_reference_cannot_stand_for_another_payment(invoice, change):
    pay(invoice)
    other = invoice
    if "invoice" in change:
        same = change["invoice"] == "the same's"
        other = make_order(client=invoice.client if same else None, key="b").invoice

    with pytest.raises(PaymentRefused, match=r"The reference ref-1 belongs to another payment\."):
        pay(other, change.get("amount", "29.95"))

    assert (Transaction.objects.count(), Allocation.objects.count()) == (1, 1)


# --- Refusals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"currency": "USD"}, "INV-2026-00001 is in EUR, not in USD."),
        ({"amount": "0"}, "A payment is more than zero."),
        ({"amount": "-5"}, "A payment is more than zero."),
        ({"amount": "NaN"}, "A payment is more than zero."),
        ({"amount": "Infinity"}, "A payment is more than zero."),
        ({"amount": "10.001"}, "10.001 is finer than the smallest unit of EUR."),
        ({"amount": "1E+11"}, "1E+11 is more than can be booked."),
        ({"ref": ""}, "A payment has a reference of 1 to 120 characters."),
        ({"ref": "  "}, "A payment has a reference of 1 to 120 characters."),
        ({"ref": "x" * 121}, "A payment has a reference of 1 to 120 characters."),
    ],
)
def test_a_payment_that_cannot_be_is_refused(invoice, change, sentence):
    with pytest.raises(PaymentRefused) as refused:
        pay(invoice, **change)

    assert str(refused.value) == sentence
    assert (Transaction.objects.count(), state(invoice)) == (0, ("unpaid", "0.00", None))


def test_an_unknown_invoice_is_not_paid(invoice):
    with pytest.raises(Invoice.DoesNotExist):
        pay(Invoice(pk=10**9))

    assert not Transaction.objects.exists()


# --- What it starts -----------------------------------------------------------------------


def test_every_service_of_the_order_starts():
    order = make_order(make_product(recurring="10"), make_product(recurring="5"))

    pay(order.invoice, "15.00")

    assert [service_id for service_id, *_ in jobs()] == list(
        Service.objects.order_by("pk").values_list("pk", flat=True)
    )


def test_what_staff_set_up_waits_for_them():
    order = make_order(make_product(recurring="10", set_up=Product.SetUp.MANUALLY))

    pay(order.invoice, "10.00")

    assert (jobs(), Service.objects.get().status) == ([], "pending")


def test_what_was_set_up_on_order_is_not_started_again():
    order = make_order(make_product(recurring="10", set_up=Product.SetUp.ON_ORDER))

    pay(order.invoice, "10.00")

    assert len(jobs()) == 1


def test_without_a_module_it_is_active_at_once():
    order = make_order(make_product(recurring="10", module_key=""))

    pay(order.invoice, "10.00")

    service = Service.objects.get()
    assert (service.status, service.activated_at) == ("active", LATER)


def test_a_service_cancelled_meanwhile_stays_so_and_the_others_start():
    order = make_order(make_product(recurring="10"), make_product(recurring="5"))
    gone, stays = Service.objects.order_by("pk")
    Service.objects.filter(pk=gone.pk).update(status="cancelled")

    pay(order.invoice, "15.00")

    assert [service_id for service_id, *_ in jobs()] == [stays.pk]


def test_the_money_is_booked_though_no_server_has_room(invoice):
    Server.objects.update(disabled=True)

    pay(invoice)

    assert state(invoice) == ("paid", "29.95", LATER)
    job = Job.objects.get()
    assert (job.status, job.last_error) == (
        Job.Status.FAILED,
        "No server for fake is enabled and has room.",
    )


def test_one_service_that_cannot_start_stops_neither_payment_nor_the_others(monkeypatch):
    order = make_order(make_product(recurring="10"), make_product(recurring="5"))
    first, second = Service.objects.order_by("pk")
    real = start_services.provisioning.request_create

    def refuse_the_first(service_id, **options):
        if service_id == first.pk:
            raise ServiceNotReady("somebody moved it")
        return real(service_id, **options)

    monkeypatch.setattr(start_services.provisioning, "request_create", refuse_the_first)

    pay(order.invoice, "15.00")

    assert state(order.invoice)[0] == "paid"
    assert [service_id for service_id, *_ in jobs()] == [second.pk]
    entry = Entry.objects.get(action="service.not_started")
    assert (entry.subject_id, entry.summary) == (
        first.pk,
        f"{first} was paid for but not started: somebody moved it",
    )


def test_paying_a_later_invoice_starts_nothing_new(invoice):
    pay(invoice)
    service = Service.objects.get()
    renewal = make_invoice(invoice.client, advance={service: "29.95"}, number="INV-2026-09999")

    pay(renewal, ref="second")

    assert len(jobs()) == 1
