"""Money arrives: the invoice is settled once, and what it bought starts once."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.errors import PortalError
from billing_portal.invoices.models import Invoice
from billing_portal.payments import actions as payments
from billing_portal.payments import credit
from billing_portal.payments.models import Transaction, WebhookEvent
from billing_portal.payments.registry import gateway
from billing_portal.workflows import settled


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
    with transaction.atomic():
        client_id = Invoice.objects.values_list("client_id", flat=True).get(pk=invoice_id)
        client = credit.locked_client(client_id)
        booked = payments.receive(
            client,
            locked_invoices([invoice_id]),
            gateway=gateway,
            external_id=external_id,
            amount=amount,
            currency=currency,
            received_at=received_at,
            at=at,
            actor=actor,
            note=note,
        )
        for invoice in booked.settled:
            settled.follow_up(invoice, at=at)
    return booked.payment


def locked_invoices(invoice_ids: Collection[int]) -> list[Invoice]:
    """These invoices with their rows locked, the first due first."""
    rows = Invoice.objects.select_for_update(of=("self",), no_key=True).select_related("client")
    # Locked in the order of their keys, as everywhere.
    found = list(rows.filter(pk__in=invoice_ids).order_by("pk"))
    return sorted(found, key=lambda invoice: (invoice.due_date, invoice.pk))


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
        notice = gateway(gateway_key).read_event(event.body)
        if notice:
            record_payment(
                invoice_id=notice.invoice_id,
                gateway=gateway_key,
                external_id=notice.external_id,
                amount=notice.amount,
                currency=notice.currency,
                received_at=event.received_at,
                at=at,
            )
    except Invoice.DoesNotExist:
        payments.close_event(event, at=at, problem="It names an invoice that does not exist.")
    except PortalError as error:
        payments.close_event(event, at=at, problem=str(error))
    except Exception as error:
        payments.close_event(event, at=at, problem=f"our bug: {error!r}")
        raise
    else:
        payments.close_event(event, at=at)
    return event
