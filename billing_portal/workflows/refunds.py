"""Staff send money back: of a payment, or of what a payment paid on an invoice.

Three steps, so that no network is waited for inside a transaction: the amount leaves the
client's credit, the gateway is asked, its answer is written down.  Whoever dies between
them leaves a refund under way, and `ask_again` takes it up with the same key.
"""

import logging
from datetime import datetime
from decimal import Decimal
from functools import partial

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.clients.notices import notify
from billing_portal.invoices import crediting
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.payments import credit, refunds, registry
from billing_portal.payments.contract import (
    GatewayUnavailable,
    RefundDeclined,
    RefundingGateway,
    RefundRequest,
)
from billing_portal.payments.models import Allocation, Refund, Transaction
from billing_portal.payments.refunds import RefundRefused, State, Way
from billing_portal.workflows import credit_notes

logger = logging.getLogger(__name__)


def refund_payment(
    payment_id: int,
    amount: Decimal,
    *,
    way: Refund.Way,
    reason: str,
    request_key: str,
    at: datetime,
    actor: User | None,
) -> Refund:
    """Send back a part of a payment, out of the client's credit.

    The same `request_key` sends it once.  If the gateway refuses, the refund comes back as
    failed and the amount is credit again; if it gives no answer, the refund stays under way.
    Raises RefundRefused or CreditRefused; nothing is stored then.
    """
    with transaction.atomic():
        refund = _begin(
            payment_id,
            amount,
            way=way,
            reason=reason,
            request_key=request_key,
            at=at,
            actor=actor,
        )
    return ask_again(refund.pk, at=at) if refund.state == State.UNDER_WAY else refund


def refund_invoice(
    invoice_id: int,
    payment_id: int,
    amount: Decimal,
    *,
    way: Refund.Way,
    reason: str,
    request_key: str,
    at: datetime,
    actor: User | None,
) -> Refund:
    """Correct a paid invoice by `amount`, tax included, and send that much of a payment back.

    The credit note takes from every line in proportion.  As credit the money stays here.
    Raises RefundRefused, NotCreditable or CreditNoteRefused; nothing is stored then.
    """
    if known := Refund.objects.filter(request_key=request_key).first():
        return known
    with transaction.atomic():
        invoice = Invoice.objects.get(pk=invoice_id)
        _check_paid(invoice, payment_id, amount)
        credit_notes.credit_invoice(
            invoice_id,
            partial(crediting.correct_by, gross=amount),
            reason=reason,
            request_key=request_key,
            at=at,
            actor=actor,
        )
        # Only begun here: the gateway is asked after the commit.
        refund = _begin(
            payment_id,
            amount,
            way=way,
            reason=reason,
            request_key=request_key,
            at=at,
            actor=actor,
            invoice=invoice,
        )
    return ask_again(refund.pk, at=at) if refund.state == State.UNDER_WAY else refund


def ask_again(refund_id: int, *, at: datetime) -> Refund:
    """Ask the gateway for a refund under way, with the same key as before.

    Does nothing to one that is done or failed.
    """
    refund = Refund.objects.select_related("transaction").get(pk=refund_id)
    if refund.state != State.UNDER_WAY:
        return refund
    payment = refund.transaction
    request = RefundRequest(
        payment.external_id, refund.amount, payment.currency, refund.request_key, refund.reason
    )
    try:
        external_id = _refunding(payment.gateway).refund(request)
    except RefundDeclined as error:
        return _note_answer(refund_id, declined=str(error), at=at)
    except GatewayUnavailable as error:
        logger.warning("refund %s stays under way: %s", refund_id, error)
        return refund
    return _note_answer(refund_id, external_id=external_id, at=at)


def can_refund(gateway_key: str) -> bool:
    """Whether money can be sent back through this gateway."""
    return any(
        gateway.key == gateway_key and isinstance(gateway, RefundingGateway)
        for gateway in registry.gateways()
    )


def _begin(
    payment_id: int,
    amount: Decimal,
    *,
    way: Refund.Way,
    reason: str,
    request_key: str,
    at: datetime,
    actor: User | None,
    invoice: Invoice | None = None,
) -> Refund:
    """The first step, in the caller's transaction; through no gateway it is the only one."""
    client_id = Transaction.objects.values_list("client_id", flat=True).get(pk=payment_id)
    client = credit.locked_client(client_id)
    payment = refunds.locked_payment(payment_id)
    if way == Way.GATEWAY:
        _refunding(payment.gateway)
    refund = refunds.begin(
        client,
        payment,
        amount,
        way=way,
        reason=reason,
        request_key=request_key,
        at=at,
        actor=actor,
        invoice=invoice,
    )
    if refund.state == State.DONE and way != Way.CREDIT:
        _tell(refund, at=at)
    return refund


def _check_paid(invoice: Invoice, payment_id: int, amount: Decimal) -> None:
    if invoice.status != InvoiceStatus.PAID:
        was = invoice.get_status_display().lower()
        raise RefundRefused(f"{invoice} is {was}: write a credit note instead.")
    part = Allocation.objects.filter(invoice=invoice, transaction=payment_id).first()
    if part is None:
        raise RefundRefused(f"This payment paid nothing of {invoice}.")
    if amount > part.amount:
        shown = format_amount(part.amount, invoice.currency)
        raise RefundRefused(f"This payment paid only {shown} of {invoice}.")


def _refunding(gateway_key: str) -> RefundingGateway:
    gateway = registry.gateway(gateway_key)
    if not isinstance(gateway, RefundingGateway):
        raise RefundRefused(f"{gateway.name} cannot send money back: do it outside the portal.")
    return gateway


def _note_answer(
    refund_id: int, *, at: datetime, external_id: str = "", declined: str = ""
) -> Refund:
    """Write down what the gateway said, once."""
    with transaction.atomic():
        refund = Refund.objects.select_related("transaction").get(pk=refund_id)
        client = credit.locked_client(refund.transaction.client_id)
        payment = refunds.locked_payment(refund.transaction_id)
        refund.refresh_from_db()
        if refund.state != State.UNDER_WAY:
            return refund
        if declined:
            refunds.fail(client, payment, refund, why=declined, at=at)
        else:
            refunds.finish(refund, external_id=external_id)
            _tell(refund, at=at)
    return refund


def _tell(refund: Refund, *, at: datetime) -> None:
    payment = refund.transaction
    context = {
        "amount": format_amount(refund.amount, payment.currency),
        "payment": payment.external_id,
        "reason": refund.reason,
        "path": "/payments/",
    }
    notify(payment.client, "payment_refunded", key=str(refund.pk), context=context, at=at)
