"""A gateway for demos and tests: a page with "Pay" and "Decline" instead of a bank.

It keeps no books.  What it answers follows from the request alone, so a request repeated
has the same answer and the same payment id, as with a gateway that remembers.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings

from billing_portal.payments import signatures
from billing_portal.payments.contract import (
    CaptureDeclinedNotice,
    CaptureRequest,
    CaptureResult,
    Delivery,
    EventNotUnderstood,
    LeftMethod,
    NotGenuine,
    Notice,
    PaymentNotice,
    PaymentRequest,
    Redirect,
    RefundDeclined,
    RefundRequest,
    ReversalNotice,
    StoredNotice,
    StoreRequest,
)
from billing_portal.payments.gateways import sandbox_cards


class TestGateway:
    """Events, each with a "type":

    - "paid" or "declined": "invoice_id" or "bundle_id", "payment_id", "amount", "currency"
    - "reversed": "payment_id", "reason"
    - "stored": "client_id", "reference"
    - "capture_declined": "payment_id", "message", "final" (a boolean)

    Payments whose id begins with "norefund" are never sent back.
    """

    key = "test"
    name = "Test payment"
    description = "No money moves. You choose whether the payment succeeds."

    def start(self, request: PaymentRequest) -> Redirect:
        if request.invoice_id is None:
            return Redirect(f"/pay/test/together/{request.bundle_id}/")
        return Redirect(f"/pay/test/{request.invoice_id}/")

    def read_event(self, body: Mapping[str, Any]) -> Notice | None:
        kind = body.get("type")
        if kind == "declined":
            return None
        try:
            if kind == "paid":
                return _payment(body)
            if kind == "reversed":
                return ReversalNotice(str(body["payment_id"]), str(body["reason"]))
            if kind == "stored":
                return StoredNotice(int(body["client_id"]), str(body["reference"]))
            if kind == "capture_declined":
                return CaptureDeclinedNotice(
                    str(body["payment_id"]), str(body["message"]), body["final"] is True
                )
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            raise EventNotUnderstood(f"The event lacks or garbles a field: {error}") from error
        raise EventNotUnderstood(f"Unknown event type {kind!r}.")

    def verify(self, headers: Mapping[str, str], raw_body: bytes, *, at: datetime) -> Delivery:
        signatures.check(
            headers.get(signatures.HEADER, ""), raw_body, settings.TEST_GATEWAY_SECRET, at=at
        )
        try:
            body = json.loads(raw_body)
            event_id = body["id"]
        except (ValueError, KeyError, TypeError) as error:
            raise NotGenuine("The event is no JSON object with an id.") from error
        if not isinstance(event_id, str) or not 0 < len(event_id) <= 120:
            raise NotGenuine("The event's id is a text of 1 to 120 characters.")
        return Delivery(event_id, body)

    def store(self, request: StoreRequest) -> Redirect:
        return Redirect("/payment-methods/test/")

    def left(self, reference: str) -> LeftMethod:
        return sandbox_cards.left(reference)

    def capture(self, token: Mapping[str, str], request: CaptureRequest) -> CaptureResult:
        return sandbox_cards.capture(token, request)

    def refund(self, request: RefundRequest) -> str:
        if request.external_id.startswith("norefund"):
            raise RefundDeclined("The bank does not take money back for this payment.")
        return f"re_{request.request_key}"


def _payment(body: Mapping[str, Any]) -> PaymentNotice:
    for_bundle = "bundle_id" in body
    return PaymentNotice(
        invoice_id=None if for_bundle else int(body["invoice_id"]),
        bundle_id=int(body["bundle_id"]) if for_bundle else None,
        external_id=str(body["payment_id"]),
        amount=_decimal(body["amount"]),
        currency=str(body["currency"]),
    )


def _decimal(amount: Any) -> Decimal:
    if not isinstance(amount, str):
        raise TypeError(f"the amount is a text, not {amount!r}")  # a float is already wrong
    return Decimal(amount)
