"""Where gateways report: only what they signed a moment ago is kept, and it is applied once."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.test import Client as Browser

from billing_portal.payments.models import Transaction, WebhookEvent
from billing_portal.payments.signatures import sign
from tests.factories import utc
from tests.workflows.money import bill, standing

pytestmark = pytest.mark.django_db

NOW = utc(2026, 11, 20, 12)
SECRET = "a secret of the gateway's"


@pytest.fixture(autouse=True)
def _at_noon(settings):
    settings.TEST_GATEWAY_SECRET = SECRET
    with time_machine.travel(NOW, tick=False):
        yield


def event(invoice, **changes):
    body = {
        "id": "evt-1",
        "type": "paid",
        "invoice_id": invoice.pk,
        "payment_id": "pay-1",
        "amount": "30.00",
        "currency": "EUR",
    }
    return json.dumps(body | changes).encode()


def deliver(body, *, header=None, gateway="test"):
    browser = Browser(enforce_csrf_checks=True)
    signature = sign(body, SECRET, at=NOW) if header is None else header
    return browser.post(
        f"/webhooks/{gateway}/",
        body,
        content_type="application/json",
        headers={"Webhook-Signature": signature},
    )


def test_a_signed_event_pays_its_invoice_once():
    invoice = bill("30.00")

    answers = [deliver(event(invoice)) for _ in range(2)]

    assert [(a.status_code, a.content) for a in answers] == [(200, b"kept")] * 2
    assert standing(invoice) == ("paid", "0.00", "0.00")
    assert Transaction.objects.get().amount == Decimal("30.00")


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("", "The signature is missing or malformed."),
        ("t=now,v1=00", "The signature is missing or malformed."),
        ("t=1795176000,v1=", "The signature is not of this body."),
        ("t=1795176000,v1=\u00e9", "The signature is not of this body."),
    ],
)
def test_what_is_not_signed_is_not_kept(header, sentence):
    answer = deliver(event(bill("30.00")), header=header)

    assert (answer.status_code, answer.content.decode()) == (403, sentence)
    assert not WebhookEvent.objects.exists()


def test_a_changed_body_an_old_signature_and_another_secret_are_refused():
    invoice = bill("30.00")
    body = event(invoice)
    old = sign(body, SECRET, at=NOW - timedelta(minutes=6))

    answers = [
        deliver(event(invoice, amount="1.00"), header=sign(body, SECRET, at=NOW)),
        deliver(body, header=old),
        deliver(body, header=sign(body, "guessed", at=NOW)),
    ]

    assert [answer.content.decode() for answer in answers] == [
        "The signature is not of this body.",
        "The signature is too old.",
        "The signature is not of this body.",
    ]
    assert not WebhookEvent.objects.exists()


def test_without_a_secret_nothing_is_genuine(settings):
    settings.TEST_GATEWAY_SECRET = ""
    body = event(bill("30.00"))

    answer = deliver(body, header=sign(body, "", at=NOW))

    assert (answer.status_code, WebhookEvent.objects.count()) == (403, 0)


@pytest.mark.parametrize("body", [b"[]", b"no json", b'{"type": "paid"}', b'{"id": 7}'])
def test_what_is_no_event_is_refused(body):
    assert deliver(body).status_code == 403


def test_an_event_that_cannot_be_applied_is_kept_with_its_problem():
    answer = deliver(event(bill("30.00"), invoice_id=10**9))

    assert answer.status_code == 200
    assert WebhookEvent.objects.get().problem == "It names an invoice that does not exist."


@pytest.mark.parametrize("gateway", ["bank-transfer", "bank_transfer", "gold"])
def test_a_gateway_that_reports_nothing_has_no_address(gateway):
    assert deliver(b"{}", gateway=gateway).status_code == 404


def test_reading_the_address_is_not_allowed():
    assert Browser().get("/webhooks/test/").status_code == 405
