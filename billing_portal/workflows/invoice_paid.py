"""Money arrives: the invoice is settled once, and what it bought starts once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.invoices import settling
from billing_portal.invoices.models import Invoice
from billing_portal.payments import actions as payments
from billing_portal.payments import credit, methods
from billing_portal.payments.contract import (
    CaptureDeclinedNotice,
    CapturingGateway,
    EventNotUnderstood,
    Notice,
    ReversalNotice,
    StoredNotice,
)
from billing_portal.payments.models import PaymentBundle, Transaction, WebhookEvent
from billing_portal.payments.registry import gateway
from billing_portal.workflows import capture_outcomes, reversals, settled


@dataclass(frozen=True, slots=True)
class Arrival:
    """Money that came in.  The gateway's reference makes it once."""

    gateway: str
    external_id: str
    amount: Decimal
    currency: str
    received_at: datetime
    note: str = ""


def record_payment(
    *,
    invoice_id: int,
    gateway: str,
    external_id: str,
    amount: Decimal,
    currency: str,
    received_at: datetime,
    at: datetime,
    actor: User | None = None,
    note: str = "",
) -> Transaction:
    """Book a payment and, if it settles the invoice, start what the invoice bought.

    What the invoice does not need becomes the client's credit.  Telling of the same
    payment twice changes nothing the second time.
    Raises PaymentRefused; nothing is stored then.
    """
    client_id = Invoice.objects.values_list("client_id", flat=True).get(pk=invoice_id)
    arrival = Arrival(gateway, external_id, amount, currency, received_at, note)
    return record(arrival, client_id, [invoice_id], at=at, actor=actor)


def record_bundle_payment(
    arrival: Arrival, bundle_id: int, *, at: datetime, actor: User | None = None
) -> Transaction:
    """Book a payment for a bundle: its invoices, the first due first, and credit for the rest.

    Raises PaymentRefused; nothing is stored then.
    """
    with transaction.atomic():
        bundle = PaymentBundle.objects.get(pk=bundle_id)
        invoice_ids = list(bundle.invoices.values_list("pk", flat=True))
        payment = record(arrival, bundle.client_id, invoice_ids, at=at, actor=actor)
        # Whoever pays a bundle twice pays the second time in advance.
        PaymentBundle.objects.filter(pk=bundle_id, payment=None).update(payment=payment)
    return payment


def record(
    arrival: Arrival,
    client_id: int,
    invoice_ids: Collection[int],
    *,
    at: datetime,
    actor: User | None = None,
) -> Transaction:
    """Book money of a client for some of its invoices, or for none, which makes it credit.

    The client and the invoices are locked here.
    """
    with transaction.atomic():
        client = credit.locked_client(client_id)
        booked = payments.receive(
            client,
            settling.locked_invoices(invoice_ids),
            gateway=arrival.gateway,
            external_id=arrival.external_id,
            amount=arrival.amount,
            currency=arrival.currency,
            received_at=arrival.received_at,
            at=at,
            actor=actor,
            note=arrival.note,
        )
        for invoice in booked.settled:
            settled.follow_up(invoice, at=at)
    return booked.payment


def apply_webhook(
    gateway_key: str, *, event_id: str, body: Mapping[str, Any], at: datetime
) -> WebhookEvent:
    """Store what a gateway says, then do it.  The same event is done once.

    What cannot be done is left on the event as its `problem`, for staff.
    """
    event = payments.store_event(gateway_key, event_id=event_id, body=body, at=at)
    if event.applied_at:
        return event
    try:
        _apply(gateway(gateway_key).read_event(event.body), event, at=at)
    except (Invoice.DoesNotExist, PaymentBundle.DoesNotExist):
        payments.close_event(event, at=at, problem="It names an invoice that does not exist.")
    except Client.DoesNotExist:
        payments.close_event(event, at=at, problem="It names a client that does not exist.")
    except PortalError as error:
        payments.close_event(event, at=at, problem=str(error))
    except Exception as error:
        payments.close_event(event, at=at, problem=f"our bug: {error!r}")
        raise
    else:
        payments.close_event(event, at=at)
    return event


def _apply(notice: Notice | None, event: WebhookEvent, *, at: datetime) -> None:
    match notice:
        case None:
            return
        case ReversalNotice(external_id, reason):
            reversals.reverse_payment(event.gateway, external_id, reason=reason, at=at)
            return
        case CaptureDeclinedNotice():
            capture_outcomes.apply_decline(event.gateway, notice, at=at)
            return
        case StoredNotice():
            _keep_method(event.gateway, notice, at=at)
            return
    arrival = Arrival(
        event.gateway, notice.external_id, notice.amount, notice.currency, event.received_at
    )
    if notice.bundle_id is not None:
        record_bundle_payment(arrival, notice.bundle_id, at=at)
        return
    if notice.invoice_id is None:
        raise EventNotUnderstood("The event names neither an invoice nor a bundle.")
    invoice = Invoice.objects.only("client_id").get(pk=notice.invoice_id)
    with transaction.atomic():
        payment = record(arrival, invoice.client_id, [invoice.pk], at=at)
        capture_outcomes.note_paid(payment, at=at)


def _keep_method(gateway_key: str, notice: StoredNotice, *, at: datetime) -> None:
    """Fetch what the client left with the gateway; the token never stands in an event."""
    owner: object = gateway(gateway_key)
    if not isinstance(owner, CapturingGateway):
        raise EventNotUnderstood(f"{gateway_key} stores no payment methods.")
    methods.keep(notice.client_id, gateway_key, owner.left(notice.reference), at=at)
