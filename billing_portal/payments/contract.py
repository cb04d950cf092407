"""What a payment gateway promises, and the values that cross that border."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Protocol

from billing_portal.errors import PortalError


class EventNotUnderstood(PortalError):
    """A gateway sent something that does not read as an event of its kind."""


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What a client is about to pay.  `return_url` is where the browser comes back to."""

    invoice_id: int
    invoice_number: str
    amount: Decimal
    currency: str
    return_url: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the browser to `url`; the payment happens there."""

    url: str


@dataclass(frozen=True, slots=True)
class Instructions:
    """Show these lines, label and value; the payment happens elsewhere and takes a while."""

    lines: tuple[tuple[str, str], ...]
    note: str


@dataclass(frozen=True, slots=True)
class PaymentNotice:
    """That money arrived for an invoice, as read from a gateway's event."""

    invoice_id: int
    external_id: str
    amount: Decimal
    currency: str


class Gateway(Protocol):
    """One way to pay."""

    key: ClassVar[str]
    name: ClassVar[str]
    description: ClassVar[str]

    def start(self, request: PaymentRequest) -> Redirect | Instructions:
        """Begin a payment.  Nothing is recorded until the money is reported."""

    def read_event(self, body: Mapping[str, Any]) -> PaymentNotice | None:
        """The payment an event reports, or None if it reports something else.

        Raises EventNotUnderstood if the event is malformed.
        """
