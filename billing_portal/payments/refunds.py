"""Money that goes back: refunds, paid out of the client's credit, and what banks take back.

A refund first takes the amount out of the credit, then the gateway is asked, and if it
refuses the credit is given back.  So nothing is ever paid out twice, nor more than came.
Order of locks: client, then transaction.
"""

from datetime import datetime
from decimal import Decimal

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice
from billing_portal.payments import credit
from billing_portal.payments.credit import Kind, Movement
from billing_portal.payments.models import Refund, Transaction

Way, State = Refund.Way, Refund.State


class RefundRefused(PortalError):
    """The money cannot be sent back as asked."""


def locked_payment(payment_id: int) -> Transaction:
    """The payment with its row locked.  The client's lock comes first."""
    return Transaction.objects.select_for_update(no_key=True).get(pk=payment_id)


def begin(
    client: Client,
    payment: Transaction,
    amount: Decimal,
    *,
    way: Refund.Way,
    reason: str,
    request_key: str,
    at: datetime,
    actor: User | None,
    invoice: Invoice | None = None,
) -> Refund:
    """Take the amount out of the client's credit and note the refund.

    Through a gateway it is under way until `finish` or `fail`; otherwise it is done.  As
    credit nothing moves: it is there already.  The same `request_key` begins once.
    Raises RefundRefused for more than is left of the payment, CreditRefused for more than
    the client's credit.
    """
    if known := Refund.objects.filter(request_key=request_key).first():
        return known
    _check(payment, amount)
    refund = Refund.objects.create(
        transaction=payment,
        invoice=invoice,
        way=way,
        state=State.UNDER_WAY if way == Way.GATEWAY else State.DONE,
        request_key=request_key,
        amount=amount,
        reason=reason[:200],
        refunded_by=actor,
        refunded_at=at,
    )
    if way != Way.CREDIT:
        paid_out = _movement(refund, Kind.REFUNDED, -amount, "paid out")
        credit.move(client, paid_out, at=at, actor=actor)
        payment.refunded_amount += amount
        payment.save(update_fields=["refunded_amount"])
    audit.record(
        "payment.refunded",
        payment,
        summary=f"{_shown(refund)} of {payment.external_id} refunded"
        f" {refund.get_way_display().lower()}: {reason}",
        at=at,
        actor=actor,
        client_id=client.pk,
    )
    return refund


def finish(refund: Refund, *, external_id: str) -> None:
    """The gateway has sent the money."""
    refund.state = State.DONE
    refund.external_id = external_id[:120]
    refund.save(update_fields=["state", "external_id"])


def fail(client: Client, payment: Transaction, refund: Refund, *, why: str, at: datetime) -> None:
    """The gateway refused: the amount is credit again, and may be refunded another way.

    If the payer's bank took the payment back meanwhile, that took this amount too.
    """
    refund.state = State.FAILED
    refund.message = why[:200]
    refund.save(update_fields=["state", "message"])
    returned = _movement(refund, Kind.RETURNED, refund.amount, "not paid out")
    credit.move(client, returned, at=at)
    if payment.reversed_at:
        taken = _movement(refund, Kind.REVERSED, -refund.amount, "taken back by the payer's bank")
        credit.move(client, taken, at=at)
    payment.refunded_amount -= refund.amount
    payment.save(update_fields=["refunded_amount"])
    audit.record(
        "payment.refund_failed",
        payment,
        summary=f"Refund of {_shown(refund)} refused: {why}",
        at=at,
        client_id=client.pk,
    )


def _check(payment: Transaction, amount: Decimal) -> None:
    if payment.reversed_at:
        raise RefundRefused("The payer's bank has taken this payment back already.")
    credit.check_amount(amount, payment.currency)
    left = payment.amount - payment.refunded_amount
    if amount > left:
        shown = format_amount(left, payment.currency)
        raise RefundRefused(f"Only {shown} of this payment are left to refund.")


def _movement(refund: Refund, kind: Kind, amount: Decimal, what: str) -> Movement:
    payment = refund.transaction
    return Movement(
        key=f"refund:{refund.pk}:{kind}",
        kind=kind,
        amount=amount,
        currency=payment.currency,
        description=f"{payment.external_id} {what}: {refund.reason}",
        invoice=refund.invoice,
        transaction=payment,
    )


def _shown(refund: Refund) -> str:
    return format_amount(refund.amount, refund.transaction.currency)
