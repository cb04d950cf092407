"""What a payment gateway promises, and the values that cross that border."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Protocol, runtime_checkable

from billing_portal.errors import PortalError


class EventNotUnderstood(PortalError):
    """A gateway sent something that does not read as an event of its kind."""


class NotGenuine(PortalError):
    """What came as a gateway's event is not signed by the gateway."""


class RefundDeclined(PortalError):
    """The gateway says it will not send this money back; asking again will not help."""


class GatewayUnavailable(PortalError):
    """The gateway gave no clear answer; the same request is asked again, with the same key."""


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What a client is about to pay.  `return_url` is where the browser comes back to.

    It is for one invoice or, if `invoice_id` is None, for the bundle `bundle_id`; the
    gateway gives the one that is set back in its event.  `reference` is what a payer writes
    on a transfer.
    """

    invoice_id: int | None
    reference: str
    amount: Decimal
    currency: str
    return_url: str
    bundle_id: int | None = None


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
    """That money arrived for an invoice or a bundle, as read from a gateway's event."""

    invoice_id: int | None
    external_id: str
    amount: Decimal
    currency: str
    bundle_id: int | None = None


@dataclass(frozen=True, slots=True)
class ReversalNotice:
    """That the payer's bank took a payment back, as read from a gateway's event."""

    external_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Send back `amount` of a payment.  The same `request_key` is sent back once."""

    external_id: str
    amount: Decimal
    currency: str
    request_key: str
    reason: str


class Gateway(Protocol):
    """One way to pay."""

    key: ClassVar[str]
    name: ClassVar[str]
    description: ClassVar[str]

    def start(self, request: PaymentRequest) -> Redirect | Instructions:
        """Begin a payment.  Nothing is recorded until the money is reported."""

    def read_event(self, body: Mapping[str, Any]) -> "Notice | None":
        """What an event reports, or None if it is nothing to us.

        Raises EventNotUnderstood if the event is malformed.
        """


@dataclass(frozen=True, slots=True)
class Delivery:
    """A genuine event: its id, which makes it once, and what it says."""

    event_id: str
    body: Mapping[str, Any]


@runtime_checkable
class ReportingGateway(Protocol):
    """A gateway that reports payments by itself, to `/webhooks/<key>/`."""

    key: ClassVar[str]

    def verify(self, headers: Mapping[str, str], raw_body: bytes, *, at: datetime) -> Delivery:
        """The event in a request, once its signature is found to be the gateway's.

        Raises NotGenuine for anything else.
        """


@runtime_checkable
class RefundingGateway(Protocol):
    """A gateway that can also send money back."""

    key: ClassVar[str]
    name: ClassVar[str]

    def refund(self, request: RefundRequest) -> str:
        """Send money back and return the gateway's reference for it.

        Raises RefundDeclined if it never will, GatewayUnavailable if nobody knows whether it
        did: then the same request is made again.
        """


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A client is about to leave a card or mandate; the gateway gives `client_id` back."""

    client_id: int
    return_url: str


@dataclass(frozen=True, slots=True)
class StoredNotice:
    """That a client left a payment method; `reference` is where the gateway keeps it."""

    client_id: int
    reference: str


@dataclass(frozen=True, slots=True)
class LeftMethod:
    """What a client left.  `token` opens it and is kept secret; the rest may be shown.

    `expires_on` is the first day it no longer works, None if it has no such day.
    """

    token: Mapping[str, str]
    brand: str
    last_digits: str
    expires_on: date | None


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """Take `amount` with a token.  The same `request_key` takes it once."""

    invoice_id: int
    reference: str
    amount: Decimal
    currency: str
    request_key: str


class Verdict(StrEnum):
    """What a gateway says of a capture.

    Soft: no money now, perhaps another day.  Hard: never again with this method.  Failed:
    nobody declined, but it could not be done.
    """

    PAID = "paid"
    PENDING = "pending"
    SOFT_DECLINE = "soft_decline"
    HARD_DECLINE = "hard_decline"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """The answer to a capture; `token` is the new one, if the gateway gave one.

    `external_id` names the payment, and is needed if it is paid or pending.
    """

    verdict: Verdict
    external_id: str = ""
    message: str = ""
    token: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class CaptureDeclinedNotice:
    """That a pending capture came to nothing, as read from a gateway's event."""

    external_id: str
    message: str
    is_final: bool


Notice = PaymentNotice | ReversalNotice | StoredNotice | CaptureDeclinedNotice
"""What an event may report.  That a pending capture is paid is a `PaymentNotice`."""


@runtime_checkable
class CapturingGateway(Protocol):
    """A gateway with which clients leave a card or mandate, to be charged by itself."""

    key: ClassVar[str]
    name: ClassVar[str]

    def store(self, request: StoreRequest) -> Redirect:
        """Where the client leaves a method.  An event with a `StoredNotice` follows."""

    def left(self, reference: str) -> LeftMethod:
        """What was left under the reference of a `StoredNotice`.

        Raises EventNotUnderstood if there is no such thing, GatewayUnavailable.
        """

    def capture(self, token: Mapping[str, str], request: CaptureRequest) -> CaptureResult:
        """Take money.  The same request again takes nothing more and has the same answer.

        Raises GatewayUnavailable if nobody knows what became of it.
        """
