"""Bank transfer: the client gets the account, staff record what arrives."""

from collections.abc import Mapping
from typing import Any

from billing_portal.invoices import parties
from billing_portal.invoices.amounts import format_amount
from billing_portal.payments.contract import (
    EventNotUnderstood,
    Instructions,
    PaymentNotice,
    PaymentRequest,
)


class BankTransfer:
    key = "bank_transfer"
    name = "Bank transfer"
    description = "Pay from your bank account. We start as soon as the money has arrived."

    def start(self, request: PaymentRequest) -> Instructions:
        seller = parties.seller()
        return Instructions(
            lines=(
                ("Recipient", seller["name"]),
                ("Account", parties.bank_text(seller)),
                ("Amount", format_amount(request.amount, request.currency)),
                ("Reference", request.reference),
            ),
            note="Please give the reference, so that we can match the payment to your invoice.",
        )

    def read_event(self, body: Mapping[str, Any]) -> PaymentNotice | None:
        raise EventNotUnderstood("Bank transfers send no events.")
