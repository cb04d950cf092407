"""Clients pay several invoices at once, or pay in advance."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.money import round_money
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice
from billing_portal.payments import credit
from billing_portal.payments.models import PaymentBundle
from billing_portal.payments.queries import payment_rules
from billing_portal.products.rates import RateMissing, from_own


class BundleRefused(PortalError):
    """The payment cannot be asked for like this."""


def ask_for(
    client_id: int,
    invoice_ids: Collection[int],
    *,
    request_key: str,
    at: datetime,
    actor: User | None,
) -> PaymentBundle:
    """Ask for one payment of what is open on these invoices together.

    The same `request_key` asks once.  Raises BundleRefused if one needs no payment, is
    another client's or in another currency.
    """
    with transaction.atomic():
        client = credit.locked_client(client_id)
        if known := _known(client, request_key):
            return known
        invoices = list(Invoice.objects.filter(client=client, pk__in=invoice_ids).order_by("pk"))
        if not invoices or len(invoices) < len(set(invoice_ids)):
            raise BundleRefused("Please choose the invoices you would like to pay.")
        for invoice in invoices:
            if not invoice.is_payable:
                raise BundleRefused(f"{invoice} needs no payment now.")
            if invoice.currency != client.currency:
                raise BundleRefused(f"{invoice} is in {invoice.currency}: please pay it alone.")
        amount = sum((invoice.balance for invoice in invoices), Decimal(0))
        bundle = _ask(client, amount, request_key, at=at, actor=actor)
        bundle.invoices.set(invoices)
        return bundle


def ask_for_deposit(
    client_id: int, amount: Decimal, *, request_key: str, at: datetime, actor: User | None
) -> PaymentBundle:
    """Ask for a payment in advance, which becomes credit when it comes.

    The same `request_key` asks once.  Raises BundleRefused outside the seller's limits.
    """
    with transaction.atomic():
        client = credit.locked_client(client_id)
        if known := _known(client, request_key):
            return known
        _check_deposit(client, amount)
        return _ask(client, amount, request_key, at=at, actor=actor)


def deposit_limits(client: Client) -> tuple[Decimal, Decimal] | None:
    """The least and the most a client may pay in advance; None if it may not at all."""
    rules = payment_rules()
    try:
        least, most, ceiling = (
            from_own(limit, client.currency)
            for limit in (rules.deposit_minimum, rules.deposit_maximum, rules.credit_maximum)
        )
    except RateMissing:
        return None
    most = min(most, ceiling - client.credit_balance)
    return (least, most) if rules.deposits and most >= least else None


def _check_deposit(client: Client, amount: Decimal) -> None:
    limits = deposit_limits(client)
    if limits is None:
        raise BundleRefused("No money can be added in advance now.")
    if not amount.is_finite() or round_money(amount, client.currency) != amount:
        raise BundleRefused(f"{amount} is finer than the smallest unit of {client.currency}.")
    least, most = limits
    if not least <= amount <= most:
        between = " and ".join(format_amount(limit, client.currency) for limit in limits)
        raise BundleRefused(f"Please add between {between}.")


def _known(client: Client, request_key: str) -> PaymentBundle | None:
    return PaymentBundle.objects.filter(client=client, request_key=request_key).first()


def _ask(
    client: Client, amount: Decimal, request_key: str, *, at: datetime, actor: User | None
) -> PaymentBundle:
    bundle = PaymentBundle.objects.create(
        client=client,
        amount=amount,
        currency=client.currency,
        request_key=request_key,
        asked_by=actor,
        asked_at=at,
    )
    audit.record(
        "payment.asked_for",
        bundle,
        summary=f"{bundle}: {format_amount(amount, client.currency)} asked for",
        at=at,
        actor=actor,
        client_id=client.pk,
    )
    return bundle
