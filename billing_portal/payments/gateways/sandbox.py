"""A gateway for demos and tests: a page with "Pay" and "Decline" instead of a bank."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from billing_portal.payments.contract import (
    EventNotUnderstood,
    PaymentNotice,
    PaymentRequest,
    Redirect,
)


class TestGateway:
    """Events: {"type": "paid" or "declined", "invoice_id", "payment_id", "amount", "currency"}."""

    key = "test"
    name = "Test payment"
    description = "No money moves. You choose whether the payment succeeds."

    def start(self, request: PaymentRequest) -> Redirect:
        return Redirect(f"/pay/test/{request.invoice_id}/")

    def read_event(self, body: Mapping[str, Any]) -> PaymentNotice | None:
        if body.get("type") == "declined":
            return None
        if body.get("type") != "paid":
            raise EventNotUnderstood(f"Unknown event type {body.get('type')!r}.")
        try:
            return PaymentNotice(
                invoice_id=int(body["invoice_id"]),
                external_id=str(body["payment_id"]),
                amount=_decimal(body["amount"]),
                currency=str(body["currency"]),
            )
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            raise EventNotUnderstood(f"The event lacks or garbles a field: {error}") from error


def _decimal(amount: Any) -> Decimal:
    if not isinstance(amount, str):
        raise TypeError(f"the amount is a text, not {amount!r}")  # a float is already wrong
    return Decimal(amount)
