"""Credit on new invoices, on old ones, and by hand: never more than there is, and once."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing_portal.clients.models import Client
from billing_portal.invoices import actions
from billing_portal.invoices.models import BillingSettings, Invoice
from billing_portal.mail.models import ClientMail
from billing_portal.payments.credit import CreditRefused
from billing_portal.payments.models import CreditEntry
from billing_portal.workflows import bill_run, client_credit
from tests.factories import AT, make_client, make_invoice, make_product, make_server, make_service
from tests.workflows.billing import make_metered
from tests.workflows.paying import LATER, jobs, make_order, pay, state

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendor(vendor):
    make_server()


def give(client, amount, key="gift"):
    return client_credit.add_credit(
        client.pk, Decimal(amount), reason="for the trouble", request_key=key, at=AT, actor=None
    )


def use(invoice, amount=None, key="use"):
    return client_credit.apply_credit(
        invoice.pk,
        Decimal(amount) if amount else None,
        request_key=key,
        at=LATER,
        actor=None,
    )


def balance(client):
    client.refresh_from_db()
    return f"{client.credit_balance:.2f}"


def issued_mail(invoice):
    mail = ClientMail.objects.get(key=f"invoice_issued:{invoice.pk}").email
    return mail.subject, mail.message.split("\n\n")[1]


# --- On issue -----------------------------------------------------------------------------


def test_an_order_that_credit_pays_starts_at_once():
    client = make_client()
    give(client, "50.00")

    order = make_order(client=client)

    invoice = order.invoice
    assert (invoice.status, invoice.credit_applied, invoice.paid_at) == (
        "paid",
        Decimal("29.95"),
        AT,
    )
    assert balance(client) == "20.05"
    service_id = order.items.get().service_id
    assert jobs() == [(service_id, "create", f"create:{service_id}")]
    assert issued_mail(invoice) == (
        "Invoice INV-2026-00001: €29.95, paid",
        "your invoice INV-2026-00001 over €29.95 is ready. Your credit paid it: "
        "there is nothing left to pay.",
    )


def test_an_order_credit_pays_in_part_waits_for_the_rest():
    client = make_client()
    give(client, "20.00")

    invoice = make_order(client=client).invoice

    assert (invoice.status, f"{invoice.balance:.2f}", balance(client)) == ("unpaid", "9.95", "0.00")
    assert jobs() == []
    assert issued_mail(invoice) == (
        "Invoice INV-2026-00001: €29.95, due 2026-11-15",
        "your invoice INV-2026-00001 over €29.95 is ready. "
        "Your credit paid €20.00 of it; €9.95 are due on 2026-11-15.",
    )


def test_credit_stays_where_the_seller_wants_it_used_by_hand():
    BillingSettings.objects.create(pk=1, credit_applies_itself=False)
    client = make_client()
    give(client, "50.00")

    invoice = make_order(client=client).invoice

    assert (invoice.status, balance(client)) == ("unpaid", "50.00")


def test_several_invoices_of_one_client_share_its_credit_in_order():
    client = make_client(separate_invoices=True)
    give(client, "30.00")
    for _ in range(2):
        make_service(client, recurring="20.00", product=make_product(module_key=""), spec={})

    first, second = bill_run.bill_client(client.pk, AT)

    assert [(i.status, f"{i.balance:.2f}") for i in (first, second)] == [
        ("paid", "0.00"),
        ("unpaid", "10.00"),
    ]
    assert balance(client) == "0.00"


def test_clients_without_credit_cost_no_statement_more(vendor, monkeypatch):
    def statements():
        make_metered(vendor)
        with CaptureQueriesContext(connection) as captured:
            bill_run.bill_all(LATER)
        return len(captured)

    statements()
    with_ledger = statements()
    monkeypatch.setattr(bill_run.issuing, "issue_all", issue_without_credit)

    assert statements() == with_ledger


def issue_without_credit(drafts, *, at):
    return actions.issue_all(drafts, at=at)


# --- By hand ------------------------------------------------------------------------------


def test_credit_pays_an_old_invoice_once_and_starts_what_it_bought():
    invoice = make_order().invoice
    give(invoice.client, "40.00")

    use(invoice)
    use(invoice)

    invoice.refresh_from_db()
    assert state(invoice) == ("paid", "0.00", LATER)
    assert (invoice.credit_applied, balance(invoice.client)) == (Decimal("29.95"), "10.05")
    assert len(jobs()) == 1


def test_a_part_of_the_credit_pays_a_part_of_the_invoice():
    invoice = make_order().invoice
    give(invoice.client, "40.00")

    use(invoice, "10.00")

    assert (state(invoice)[0], f"{invoice.balance:.2f}") == ("unpaid", "19.95")
    assert (balance(invoice.client), jobs()) == ("30.00", [])


@pytest.mark.parametrize(
    ("has", "asked", "sentence"),
    [
        ("10.00", "10.01", "Acme Ltd has a credit of €10.00, and €10.01 is more than that."),
        ("50.00", "29.96", "Only €29.95 of INV-2026-00001 are left to pay."),
        ("50.00", "0.001", "0.001 is finer than the smallest unit of EUR."),
        ("50.00", "-1", "The amount must be more than zero."),
        ("0", "", "The amount must be more than zero."),
    ],
)
def test_credit_that_cannot_be_used_is_refused_with_a_sentence(has, asked, sentence):
    invoice = make_order().invoice
    if has != "0":
        give(invoice.client, has)

    with pytest.raises(CreditRefused) as refused:
        use(invoice, asked)

    assert str(refused.value) == sentence
    assert state(invoice) == ("unpaid", "0.00", None)


def test_parts_that_floats_cannot_subtract_settle_an_invoice():
    """1.00 - 0.07 is below 0.93 in floats, in which SQLite computes its checks."""
    client = make_client()
    invoice = make_invoice(client, advance={make_service(client): "1.00"})
    give(client, "0.07")
    use(invoice)

    pay(invoice, "0.93")

    assert state(invoice) == ("paid", "0.93", LATER)


def test_an_invoice_that_is_not_owed_takes_no_credit():
    client = make_client()
    invoice = make_invoice(client, advance={make_service(client): "10.00"})
    give(client, "50.00")
    Invoice.objects.update(status="cancelled")

    with pytest.raises(CreditRefused, match="is cancelled, so no credit can be used for it"):
        use(invoice)


def test_staff_give_and_take_credit_once_per_wish():
    client = make_client()
    give(client, "10.00")
    give(client, "10.00")

    client_credit.remove_credit(
        client.pk, Decimal("4.00"), reason="a mistake", request_key="b", at=AT, actor=None
    )

    assert balance(client) == "6.00"
    assert [(e.kind, f"{e.amount:.2f}") for e in CreditEntry.objects.order_by("pk")] == [
        ("grant", "10.00"),
        ("removed", "-4.00"),
    ]


def test_staff_cannot_take_more_credit_than_there_is():
    client = make_client()
    give(client, "10.00")

    with pytest.raises(CreditRefused, match=r"credit of €10\.00, and €11\.00 is more"):
        client_credit.remove_credit(
            client.pk, Decimal("11.00"), reason="x", request_key="b", at=AT, actor=None
        )

    assert Client.objects.get().credit_balance == Decimal("10.00")
