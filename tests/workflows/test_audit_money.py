"""The audit: silent while everything adds up, and it finds each way to tamper with it."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO
from random import Random

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F

from billing_portal.calc.crediting import NotCreditable
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.invoices import crediting
from billing_portal.invoices.models import (
    BillingSettings,
    CreditNote,
    Invoice,
    InvoiceLine,
    NumberSeries,
)
from billing_portal.payments.models import Allocation, CreditEntry, Refund, Transaction
from billing_portal.taxes.models import TaxRule, TaxSettings
from billing_portal.workflows import audit_money, bill_run, client_credit, refunds, reversals
from billing_portal.workflows.audit_money import differences
from billing_portal.workflows.credit_notes import credit_invoice
from billing_portal.workflows.invoice_paid import Arrival, record, record_payment
from tests.factories import AT, make_charge, make_client, make_product, make_server, make_service
from tests.workflows.paying import make_order

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _vendor(vendor):
    make_server()


def raw(rows):
    """The rows without the guards: an update as somebody with SQL and all rights would do."""
    if connection.vendor == "postgresql":
        connection.cursor().execute("SET LOCAL session_replication_role = replica")
    return rows.model._base_manager.filter(pk__in=rows.values("pk"))


@pytest.fixture
def world(settings):
    """One paid invoice with credit beyond it, corrected and refunded in part, and one open."""
    client = make_client()
    invoice = make_order(make_product(recurring="30.00"), client=client).invoice
    record_payment(
        invoice_id=invoice.pk,
        gateway="test",
        external_id="ref",
        amount=Decimal("50.00"),
        currency="EUR",
        received_at=AT,
        at=AT,
    )
    credit_invoice(
        invoice.pk,
        lambda row: crediting.correct_by(row, Decimal("10.00")),
        reason="x",
        request_key="note",
        at=AT,
        actor=None,
    )
    refunds.refund_payment(
        Transaction.objects.get().pk,
        Decimal("5.00"),
        way=Refund.Way.OUTSIDE,
        reason="x",
        request_key="back",
        at=AT,
        actor=None,
    )
    make_order(make_product(recurring="30.00"), client=client, key="b")
    return client


def first():
    return Invoice.objects.order_by("pk").first()


def test_nothing_is_said_while_everything_adds_up(world):
    said = StringIO()

    call_command("audit_money", stdout=said)

    assert said.getvalue() == "Everything adds up.\n"
    assert world.credit_entries.count() == 4


def test_the_command_prints_each_difference_and_fails(world):
    Client.objects.update(credit_balance=Decimal("1.00"))
    said = StringIO()

    with pytest.raises(CommandError, match=r"1 differences\."):
        call_command("audit_money", stdout=said)

    assert said.getvalue() == (
        f"Client {world.pk} Acme Ltd: credit is 1.000, but the ledger come to 0.000.\n"
    )


def _lose_the_last_number():
    NumberSeries.objects.filter(prefix="INV").update(next_number=F("next_number") + 1)


TAMPERING = {
    "a line's amount": (
        lambda: raw(InvoiceLine.objects.filter(invoice=first())).update(amount=Decimal("31.00")),
        "INV-2026-00001: net total is 30.000, but its lines come to 31.000.",
    ),
    "a line's tax": (
        lambda: raw(InvoiceLine.objects.filter(invoice=first())).update(tax_amount=Decimal("1.00")),
        "INV-2026-00001: tax is 0.000, but its lines' tax come to 1.000.",
    ),
    "the tax summary": (
        lambda: raw(Invoice.objects.filter(pk=first().pk)).update(taxes=[{"amount": "2.00"}]),
        "INV-2026-00001: tax is 0.000, but its tax summary come to 2.00.",
    ),
    "the total": (
        lambda: raw(Invoice.objects.filter(pk=first().pk)).update(total=Decimal("33.00")),
        "INV-2026-00001: total is 33.000, but net and tax come to 30.000.",
    ),
    "what was paid": (
        lambda: raw(Invoice.objects.filter(pk=first().pk)).update(paid_amount=Decimal("29.00")),
        "INV-2026-00001: paid is 29.000, but its payments come to 30.000.",
    ),
    "the credit used": (
        lambda: CreditEntry.objects.filter(kind="applied").update(amount=Decimal("-20.00")),
        "INV-2026-00002: credit is 25.000, but the ledger come to 20.000.",
    ),
    "what a note lowered": (
        lambda: CreditNote.objects.update(applied_amount=Decimal("3.00")),
        "INV-2026-00001: corrected is 0.000, but its credit notes come to 3.000.",
    ),
    "a note's total": (
        lambda: CreditNote.objects.update(total=Decimal("11.00")),
        "CN-2026-00001: total is 11.000, but net and tax come to 10.000.",
    ),
    "the credit a note gave": (
        lambda: CreditEntry.objects.filter(kind="credit_note").update(amount=Decimal("9.00")),
        "CN-2026-00001: credit given is 9.000, but what was paid come to 10.000.",
    ),
    "an allocation": (
        lambda: Allocation.objects.update(amount=Decimal("20.00")),
        "Payment ref: amount is 50.000, but invoices and credit come to 40.000.",
    ),
    "a refund": (
        lambda: Transaction.objects.update(refunded_amount=Decimal("6.00")),
        "Payment ref: refunded is 6.000, but its refunds come to 5.000.",
    ),
    "a state": (
        lambda: Invoice.objects.filter(number="INV-2026-00002").update(status="paid"),
        "INV-2026-00002: it is paid, and 5.000 are left to pay.",
    ),
    "a missing number": (
        _lose_the_last_number,
        "INV-2026-00003: there is no such document.",
    ),
    "a hole in the numbers": (
        lambda: raw(Invoice.objects.filter(pk=first().pk)).update(number="INV-2025-00007"),
        "INV-2026-00001: there is no such document.",
    ),
    "a number nobody gave": (
        lambda: CreditNote.objects.update(number="CN-2026-00009"),
        "CN-2026-00009: the series has not come to that number yet.",
    ),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_tampering_is_found(world, what):
    tamper, sentence = TAMPERING[what]
    assert list(differences()) == []

    tamper()

    assert sentence in list(differences())


def test_a_charge_of_another_client_is_found(world):
    line = InvoiceLine.objects.filter(invoice=first()).get()
    charge = make_charge(make_service(), amount=line.amount)
    raw(InvoiceLine.objects.filter(pk=line.pk)).update(charge=charge)

    assert list(differences()) == [
        f"INV-2026-00001, line 1: it bills charge {charge.pk} of another."
    ]


def test_reading_in_small_chunks_finds_the_same(world, monkeypatch):
    monkeypatch.setattr(audit_money, "CHUNK", 1)
    Client.objects.update(credit_balance=Decimal("1.00"))

    assert len(list(differences())) == 1


# --- Whatever happens, in whatever order --------------------------------------------------


class Life:
    """What may happen to one client's money; each step is one of them, by chance."""

    def __init__(self, seed):
        self.rng = Random(seed)
        self.client = make_client(country="DE")
        self.at = AT
        self.count = 0
        for price in ("29.95", "7.77"):
            make_service(
                self.client,
                product=make_product(module_key=""),
                spec={},
                recurring=price,
                anchor_date=AT.date(),
                billed_until=AT.date(),
            )

    def key(self):
        self.count += 1
        return f"key-{self.count}"

    def some_money(self, most="60.00"):
        return Decimal(self.rng.randrange(1, int(Decimal(most) * 100))).scaleb(-2)

    def invoice(self):
        found = list(Invoice.objects.order_by("pk"))
        return self.rng.choice(found) if found else None

    def payment(self):
        found = list(Transaction.objects.order_by("pk"))
        return self.rng.choice(found) if found else None

    def issue(self):
        self.at += 31 * DAY
        bill_run.bill_client(self.client.pk, self.at)

    def pay(self):
        arrival = Arrival("test", self.key(), self.some_money(), "EUR", self.at)
        count = self.rng.choice([1, 1, 2, 0])
        chosen = [i.pk for i in (self.invoice() for _ in range(count)) if i]
        record(arrival, self.client.pk, chosen, at=self.at)

    def use_credit(self):
        if invoice := self.invoice():
            amount = self.rng.choice([None, self.some_money("20.00")])
            client_credit.apply_credit(
                invoice.pk, amount, request_key=self.key(), at=self.at, actor=None
            )

    def grant(self):
        move = self.rng.choice([client_credit.add_credit, client_credit.remove_credit])
        move(
            self.client.pk,
            self.some_money("15.00"),
            reason="x",
            request_key=self.key(),
            at=self.at,
            actor=None,
        )

    def correct(self):
        if invoice := self.invoice():
            amount = self.some_money("40.00")
            whole = self.rng.random() < 0.3
            credit_invoice(
                invoice.pk,
                crediting.correct_all if whole else lambda row: crediting.correct_by(row, amount),
                reason="x",
                request_key=self.key(),
                at=self.at,
                actor=None,
            )

    def refund(self):
        if payment := self.payment():
            refunds.refund_payment(
                payment.pk,
                self.some_money("30.00"),
                way=self.rng.choice([Refund.Way.OUTSIDE, Refund.Way.GATEWAY]),
                reason="x",
                request_key=self.key(),
                at=self.at,
                actor=None,
            )

    def refund_invoice(self):
        if part := self.rng.choice([*Allocation.objects.order_by("pk"), None]):
            refunds.refund_invoice(
                part.invoice_id,
                part.transaction_id,
                min(part.amount, self.some_money()),
                way=self.rng.choice(list(Refund.Way)),
                reason="x",
                request_key=self.key(),
                at=self.at,
                actor=None,
            )

    def reverse(self):
        if payment := self.payment():
            reversals.reverse_payment("test", payment.external_id, reason="x", at=self.at)

    def step(self):
        ways = [self.issue, self.pay, self.pay, self.use_credit, self.grant, self.correct]
        ways += [self.refund, self.refund_invoice, self.reverse]
        way = self.rng.choice(ways)
        try:
            way()
        except (PortalError, NotCreditable):
            return f"{way.__name__} refused"
        return way.__name__


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_the_ledger_balances(seed):
    TaxSettings.objects.update_or_create(pk=1, defaults={"enabled": True})
    TaxRule.objects.create(name="VAT", country="DE", percent=Decimal("19.00"))
    BillingSettings.objects.create(pk=1, credit_applies_itself=seed % 2 == 0)
    life = Life(seed)
    steps = []

    for _ in range(40):
        steps.append(life.step())
        assert list(differences()) == [], steps

    done = {step for step in steps if not step.endswith("refused")}
    assert {"issue", "pay"} <= done
